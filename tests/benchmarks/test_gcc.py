from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks import gcc
from benchmarks.building import NotBuilt


def source(folder: Path, text: str) -> Path:
    path = folder / "small.c"
    path.write_text(text)
    return path


def test_where_the_compiler_is_missing_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotBuilt, match=r"^gcc is not installed$"):
        gcc.build(tmp_path / "a.c", tmp_path / "a", compiler=str(tmp_path / "no-such-gcc"))


def test_a_build_that_fails_is_told() -> None:
    assert gcc.built(Path("no-such-file.c")) == (
        "gcc of no-such-file.c failed: compilation terminated."
    )


def test_a_program_is_built_once_and_runs(tmp_path: Path) -> None:
    path = source(tmp_path, "int main(void) { return 7; }\n")
    program = gcc.built(path)
    assert isinstance(program, Path)
    assert subprocess.run([program], check=False).returncode == 7
    assert gcc.built(path) is program
