from __future__ import annotations

from pathlib import Path

import pytest

from proto.weblog.doors import PATH, LogLimits
from tests.web.wire import ask
from tests.weblog.files import Files
from tests.weblog.sites import LogSite, Reader, Visit


def test_a_line_that_is_posted_is_shown_and_found(tmp_path: Path) -> None:
    files = Files(tmp_path)
    log = LogSite(files.path)
    reader = Reader(log)
    visit = Visit(log).post(b"over the web\n")
    files.write(*(portion.records.rstrip(b"\n") for portion in log.disk.waiting))
    log.disk.settle()
    assert visit.told() == {"stored": 1}
    assert reader.lines() == ["over the web"]
    (found,) = Visit(log).ask(f"{PATH}/search?text=web").told()["lines"]
    assert found["text"] == "over the web"


@pytest.mark.parametrize("path", ["", "/", "/tail/x", "/nothing"])
def test_there_is_nothing_else(path: str) -> None:
    assert ask(LogSite().site, PATH + path).status == 404


def test_each_door_has_its_limit() -> None:
    log = LogSite(limits=LogLimits(max_line=3, wait=1, posts=1, readers=1))
    Reader(log).read()
    assert ask(log.site, f"{PATH}/door").status == 503
    first = Visit(log).post(b"abcd\n")
    assert log.disk.waiting[0].records == b"abc\\x20[cut: 1 bytes left out]\n"
    assert Visit(log).post(b"x\n").told(503)["detail"] == "1 requests wait for the disk already."
    log.clock.advance(1)
    assert "nevertheless" in first.told(503)["detail"]
