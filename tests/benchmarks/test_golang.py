from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks.building import NotBuilt
from benchmarks.golang import build


def a_go(folder: Path, script: str) -> str:
    program = folder / "go"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


def test_where_go_is_missing_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotBuilt, match=r"^Go is not installed$"):
        build(tmp_path, tmp_path / "chat", go=str(tmp_path / "no-such-go"))


def test_a_build_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    go = a_go(tmp_path, "echo first >&2; echo 'main.go:3: no such thing' >&2; exit 1")
    with pytest.raises(NotBuilt, match=r"^go build failed: main.go:3: no such thing$"):
        build(tmp_path, tmp_path / "chat", go)


def test_a_build_writes_the_program_that_is_asked_for(tmp_path: Path) -> None:
    go = a_go(tmp_path, 'test "$1 $3" = "build -o" && cp "$0" "$4"')
    build(tmp_path, tmp_path / "chat", go)
    assert subprocess.run([tmp_path / "chat"], check=False, capture_output=True).returncode == 1
