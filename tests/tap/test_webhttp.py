from __future__ import annotations

from pathlib import Path

import pytest

from proto.errors import StartError
from proto.tap.web import Options, WebSettings
from proto.tap.webhttp import patience_of, spools_of
from proto.web.patience import Patience


def settings(*arguments: str) -> WebSettings:
    options = Options()
    options.parseOptions(list(arguments))
    result = options.read(WebSettings)
    assert isinstance(result, WebSettings)
    return result


def test_the_deadlines_are_as_given() -> None:
    options = ["--head-timeout", "3", "--stall-timeout", "4.5", "--body-rate", "100"]
    assert patience_of(settings(*options)) == Patience(head=3, stall=4.5, body_rate=100)
    assert patience_of(settings()) == Patience()


def test_large_bodies_wait_in_the_folder_that_was_given(tmp_path: Path) -> None:
    spools = spools_of(settings("--spool", str(tmp_path), "--max-spooled", "1"))
    kept = spools.open(1 << 20)
    kept.write(b"x" * (1 << 20))
    assert spools.files == 1
    kept.close()


def test_a_spool_that_is_no_folder_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="no folder that can be written to"):
        spools_of(settings("--spool", str(tmp_path / "none")))
