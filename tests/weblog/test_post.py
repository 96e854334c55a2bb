from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.logfile.budget import SHARE
from proto.logfile.framing import LineFraming
from proto.logfile.intake import PIECE
from proto.logfile.record import render
from proto.weblog.doors import LogLimits
from proto.weblog.post import CHUNK, WAIT
from tests.web.wire import Answer
from tests.weblog.sites import LogSite, Visit

PROBLEM = "application/problem+json"


def stored(log: LogSite) -> bytes:
    return b"".join(log.disk.stored)


def drain(log: LogSite) -> None:
    """The disk takes whatever comes."""
    log.turn()
    while log.disk.waiting:
        log.disk.settle()
        log.turn()


def assert_refused(answer: Answer, status: int) -> None:
    assert (answer.status, answer.headers["Content-Type"]) == (status, PROBLEM)
    assert json.loads(answer.body)["status"] == status


def test_a_body_is_answered_when_its_lines_are_on_the_disk_and_not_before() -> None:
    log = LogSite()
    visit = Visit(log).post(b"one\ntwo\r\nthree\n")
    assert visit.taken() == b""
    log.disk.settle()
    assert visit.told() == {"stored": 3}
    assert stored(log) == b"one\ntwo\nthree\n"
    assert log.clock.getDelayedCalls()[1:] == []  # what is left is the idle connection's


@pytest.mark.parametrize(
    ("body", "records", "count"),
    [
        (b"no end", b"no end\n", 1),
        (b"a\nb", b"a\nb\n", 2),
        (b"\n", b"\n", 1),
        (b"\r\n\r\n", b"\n\n", 2),
        (b'{"a":1}\n{"b":2}', b'{"a":1}\n{"b":2}\n', 2),
        (b"\x1b[31m\n", b"\\x1b[31m\n", 1),
        (b"x" * 20 + b"\nshort", b"x" * 10 + b"\\x20[cut: 10 bytes left out]\nshort\n", 2),
        (b"x" * 20, b"x" * 10 + b"\\x20[cut: 10 bytes left out]\n", 1),
    ],
)
def test_a_body_is_lines_and_its_last_one_needs_no_end(
    body: bytes, records: bytes, count: int
) -> None:
    log = LogSite(limits=LogLimits(max_line=10))
    visit = Visit(log).post(body, Content_Type="application/x-ndjson; charset=utf-8")
    drain(log)
    assert visit.told() == {"stored": count}
    assert stored(log) == records


def test_an_empty_body_stores_nothing_and_is_answered_at_once() -> None:
    log = LogSite()
    assert Visit(log).post(b"").told() == {"stored": 0}
    assert log.value("logfile_posts_waiting") == 0


@given(st.lists(st.binary(max_size=5).map(lambda each: each.replace(b"\r", b"")), max_size=8))
def test_what_is_stored_is_what_a_plain_connection_would_store(lines: list[bytes]) -> None:
    body = b"\n".join(lines)
    log = LogSite()
    visit = Visit(log).post(body)
    drain(log)
    whole = body if not body or body.endswith(b"\n") else body + b"\n"
    assert stored(log) == b"".join(map(render, LineFraming().feed(whole)))
    assert visit.told() == {"stored": whole.count(b"\n")}


def test_a_large_body_is_taken_in_turns_and_waits_when_its_share_is_full() -> None:
    log = LogSite()
    line = b"x" * 99 + b"\n"
    body = line * 30_000
    visit = Visit(log).post(body)
    taken = log.intake.budget.held
    assert 0 < taken <= CHUNK + PIECE
    log.turn()
    assert SHARE < log.intake.budget.held <= SHARE + CHUNK + PIECE
    assert log.intake.budget.paused == 1
    drain(log)
    assert visit.told() == {"stored": 30_000}
    assert stored(log) == body
    assert (log.intake.budget.held, log.intake.budget.paused) == (0, 0)


def test_lines_that_are_not_stored_are_told_so() -> None:
    log = LogSite()
    visit = Visit(log).post(b"one\n" * 100_000)
    log.turn()
    log.disk.settle(True, 1)
    log.disk.settle(False)
    answer = visit.answer()
    assert_refused(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0
    assert (log.value("logfile_posts_waiting"), log.intake.budget.held) == (0, 0)


def test_while_the_disk_takes_nothing_a_body_is_refused_at_once_and_none_of_it_is_taken() -> None:
    log = LogSite()
    log.intake.trouble(True)
    answer = Visit(log).post(b"one\n").answer()
    assert_refused(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0
    assert log.disk.waiting == []
    assert log.value("logfile_lines_received") == 0
    log.intake.trouble(False)
    visit = Visit(log).post(b"one\n")
    drain(log)
    assert visit.told() == {"stored": 1}


@pytest.mark.parametrize("size", [3, 4, CHUNK])
def test_a_body_that_is_on_the_disk_is_answered_though_the_disk_is_full_now(size: int) -> None:
    log = LogSite()
    visit = Visit(log).post(b"x\n" * (size // 2) + b"x" * (size % 2))
    log.intake.trouble(True)
    log.disk.settle()
    assert visit.told() == {"stored": (size + 1) // 2}


def test_a_body_that_came_before_the_disk_was_full_is_read_on_when_there_is_room() -> None:
    log = LogSite()
    body = b"x\n" * CHUNK
    visit = Visit(log).post(body)
    log.intake.trouble(True)
    log.turn()
    log.disk.settle()
    log.turn()
    assert len(stored(log)) == CHUNK
    log.intake.trouble(False)
    drain(log)
    assert visit.told() == {"stored": CHUNK}
    assert stored(log) == body


def test_whoever_waits_too_long_is_told_to_come_again_and_may_find_the_lines_stored() -> None:
    log = LogSite()
    visit = Visit(log).post(b"one\n")
    log.clock.advance(WAIT - 1)
    assert visit.taken() == b""
    log.clock.advance(1)
    answer = visit.answer()
    assert_refused(answer, 503)
    assert b"may be stored nevertheless" in answer.body
    assert log.value("logfile_posts_waiting") == 1
    log.disk.settle()
    assert visit.taken() == b""
    assert stored(log) == b"one\n"
    assert log.value("logfile_posts_waiting") == 0


def test_it_is_not_too_long_as_long_as_the_disk_goes_on() -> None:
    log = LogSite()
    body = b"x" * (CHUNK - 1) + b"\n"
    visit = Visit(log).post(body * 8)
    log.turn()
    for _ in range(8):
        log.clock.advance(WAIT - 1)
        log.disk.settle(True, 1)
    drain(log)
    assert visit.told() == {"stored": 8}


@pytest.mark.parametrize("ending", ["stored", "refused", "never"])
def test_the_lines_of_a_client_that_leaves_are_stored_all_the_same(ending: str) -> None:
    log = LogSite()
    body = b"x" * 99 + b"\n"
    visit = Visit(log).post(body * 30_000)
    log.turn()
    visit.leave()
    if ending == "stored":
        drain(log)
        assert stored(log) == body * 30_000
    elif ending == "refused":
        log.disk.settle(False)
    else:
        log.clock.advance(WAIT)
        log.disk.settle()
    log.turn()
    assert log.value("logfile_posts_waiting") == 0
    assert log.clock.getDelayedCalls() == []


def test_only_so_many_bodies_wait() -> None:
    log = LogSite(limits=LogLimits(posts=2))
    first, second, third = (Visit(log).post(b"x\n") for _ in range(3))
    assert_refused(third.answer(), 503)
    drain(log)
    assert [first.told(), second.told()] == [{"stored": 1}] * 2
    fourth = Visit(log).post(b"x\n")
    drain(log)
    assert fourth.told() == {"stored": 1}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content_Type": "multipart/mixed; boundary=x"}, 415),
        ({"Content_Type": "application/json"}, 415),
        ({"Content_Type": ""}, 415),
        ({"Content_Encoding": "gzip"}, 415),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:81"}, 403),
        ({"Origin": "http://localhost"}, 200),
        ({"Content_Type": "TEXT/Plain;charset=utf-8"}, 200),
    ],
)
def test_pages_of_others_and_forms_are_refused(headers: dict[str, str], status: int) -> None:
    log = LogSite()
    visit = Visit(log).post(b"x\n", **headers)
    drain(log)
    answer = visit.answer()
    if status == 200:
        assert (answer.status, stored(log)) == (200, b"x\n")
    else:
        assert_refused(answer, status)
        assert stored(log) == b""


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_other_methods_are_refused(method: str) -> None:
    visit = Visit(LogSite()).ask("/log", method)
    assert visit.taken().startswith(b"HTTP/1.1 405 ")


def test_a_body_larger_than_the_web_service_takes_is_refused_there() -> None:
    log = LogSite()
    log.site.max_body = 10
    said = Visit(log).post(b"x" * 11).taken()
    assert said.startswith(b"HTTP/1.1 413 ")
    assert log.disk.waiting == []


def test_the_client_is_the_origin_of_its_lines_and_they_go_to_its_file() -> None:
    log = LogSite(name_of=lambda origin: f"of {origin.peer}")
    Visit(log, "198.51.100.7").post(b"x\n")
    (portion,) = log.disk.waiting
    assert portion.account.origin.peer == "198.51.100.7:4242"
    assert portion.name == "of 198.51.100.7:4242"
