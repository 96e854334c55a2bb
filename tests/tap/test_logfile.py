from __future__ import annotations

from pathlib import Path

import pytest

from proto.errors import StartError
from proto.tap.logfile import LogfileSettings, Options, check


def test_the_file_and_the_longest_line_can_be_given() -> None:
    options = Options()
    options.parseOptions(["-f", "x.log", "--max-line", "1 KiB", "-p", "0"])
    given = options.read(LogfileSettings)
    assert (given.file, given.max_line) == (Path("x.log"), 1024)


def test_a_file_that_cannot_be_opened_is_told_before_anything_starts(tmp_path: Path) -> None:
    check(LogfileSettings(file=tmp_path / "x.log"))
    with pytest.raises(StartError, match=r"no/x\.log: no such folder; create it: mkdir -p"):
        check(LogfileSettings(file=tmp_path / "no" / "x.log"))
    with pytest.raises(StartError, match="folder"):
        check(LogfileSettings(file=tmp_path))
