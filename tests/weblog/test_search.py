from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pytest

from proto.weblog.doors import PATH
from tests.web.wire import ask
from tests.weblog.files import Files
from tests.weblog.sites import LogSite, Visit

SEARCH = f"{PATH}/search"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_what_is_found_comes_as_json_newest_first_and_a_cursor_goes_on(files: Files) -> None:
    log = LogSite(files.path)
    files.write(*(b"line %d" % each for each in range(250)))
    told: list[str] = []
    pages, cursor = 0, ""
    while pages == 0 or cursor:
        query = f"?text=line&limit=100&cursor={cursor}"
        answer = Visit(log).ask(SEARCH + query).told()
        assert answer["complete"]
        assert sorted(answer) == ["complete", "cursor", "lines", "scanned", "unread"]
        told += [line["text"] for line in answer["lines"]]
        pages, cursor = pages + 1, answer["cursor"]
    assert told == [f"line {each}" for each in reversed(range(250))]
    assert pages == 3
    assert log.value("logfile_searches") == 3
    assert log.value("logfile_search_bytes") > 0


def test_bytes_and_marks_are_looked_for_as_they_are(files: Files) -> None:
    log = LogSite(files.path)
    files.write(b"a\xffb", b"a+b & c", "grün".encode())
    for text, found in ((b"\xff", "a\\xffb"), (b"+b &", "a+b & c"), ("ü".encode(), "grün")):
        answer = Visit(log).ask(f"{SEARCH}?text={quote(text)}").told()
        assert [line["text"] for line in answer["lines"]] == [found]


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("?limit=0", 400, "limit"),
        ("?limit=1001", 400, "limit"),
        ("?since=yesterday", 400, "since"),
        ("?until=2026-13-01T00:00:00Z", 400, "until"),
        ("?cursor=x", 400, "cursor"),
        ("?cursor=%ff", 400, "cursor"),
        ("?text=a%0Ab", 400, "text"),
        ("?name=other", 404, None),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(
    files: Files, query: str, status: int, field: str | None
) -> None:
    log = LogSite(files.path)
    answer = ask(log.site, SEARCH + query)
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    told = json.loads(answer.body)
    assert told["detail"]
    assert told.get("field") == field
    assert ask(log.site, SEARCH).status == 200


def test_each_log_has_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "one.log").write_bytes(b"in one\n")
    log = LogSite(path_of=lambda name: tmp_path / "one.log" if name == "one" else None)
    answer = Visit(log).ask(f"{SEARCH}?name=one").told()
    assert [line["text"] for line in answer["lines"]] == ["in one"]
    assert ask(log.site, SEARCH).status == 400
    assert ask(log.site, f"{SEARCH}?name=two").status == 404


def test_a_cursor_of_a_segment_that_is_gone_gets_410(files: Files) -> None:
    log = LogSite(files.path)
    files.write(b"one", b"two")
    name = files.rotate()
    cursor = Visit(log).ask(f"{SEARCH}?limit=1").told()["cursor"]
    (files.folder / name).unlink()
    told = Visit(log).ask(f"{SEARCH}?limit=1&cursor={cursor}").told(410)
    assert "is gone" in told["detail"]


def test_a_folder_that_cannot_be_read_is_told_as_503_without_its_name(tmp_path: Path) -> None:
    log = LogSite(tmp_path / "missing" / "log.txt")
    answer = ask(log.site, SEARCH)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
    assert b"missing" not in answer.body


def waiting(log: LogSite, count: int) -> list[Visit]:
    return [Visit(log, f"192.0.2.{each}").ask(SEARCH) for each in range(1, count + 1)]


def test_one_search_runs_at_a_time_and_only_so_many_wait(files: Files) -> None:
    log = LogSite(files.path)
    files.write(b"x")
    log.threads.is_slow = True
    visits = waiting(log, 11)
    assert len(log.threads.waiting) == 1
    assert log.value("logfile_searches_waiting") == 10
    answer = Visit(log, "192.0.2.99").ask(SEARCH).answer()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "3")
    for visit in visits:
        assert len(log.threads.waiting) == 1
        log.threads.work()
        assert [line["text"] for line in visit.told()["lines"]] == ["x"]
    assert log.threads.waiting == []


def test_one_address_has_only_so_many_searches(files: Files) -> None:
    log = LogSite(files.path)
    log.threads.is_slow = True
    visits = [Visit(log).ask(SEARCH) for _ in range(3)]
    answer = Visit(log).ask(SEARCH).answer()
    assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
    for _ in visits:
        log.threads.work()
    again = Visit(log).ask(SEARCH)
    log.threads.work()
    assert again.told()["lines"] == []


def test_whoever_leaves_waits_no_longer_and_what_runs_for_them_stops(files: Files) -> None:
    log = LogSite(files.path)
    files.write(*[b"x" * 99] * 20_000)
    log.threads.is_slow = True
    first, second, third = waiting(log, 3)
    second.leave()
    assert log.value("logfile_searches_waiting") == 1
    first.leave()
    log.threads.work()
    assert log.value("logfile_search_bytes") < 2_000_000 / 2
    log.threads.work()
    assert len(third.told()["lines"]) == 100
    assert log.value("logfile_searches") == 2
    assert log.threads.waiting == []


def test_a_bug_in_a_search_is_answered_and_the_next_one_runs(files: Files) -> None:
    log = LogSite(path_of=lambda name: Path("\0") if name else files.path)
    broken = Visit(log).ask(f"{SEARCH}?name=x").answer()
    assert broken.status == 500
    assert Visit(log).ask(SEARCH).told()["lines"] == []
