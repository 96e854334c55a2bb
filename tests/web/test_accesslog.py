from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

from proto.errors import StartError
from proto.metrics import Metrics
from proto.web.accesslog import AccessLog, Visit, escape, format_line, local_time
from tests.web.wire import NOW, clock_now

WEST = timezone(timedelta(hours=-7))
VISIT = Visit("192.0.2.1", b"", b"GET / HTTP/1.1", 200, 12, b"", b"curl/8", b"")
LINE = '192.0.2.1 - - [14/Nov/2023:15:13:20 -0700] "GET / HTTP/1.1" 200 12 "-" "curl/8" "-"\n'


def lines(metrics: Metrics) -> int:
    return metrics.tally("web_access_lines_lost", "Access log lines that were not kept").value


def test_a_line_is_in_nginx_main_format() -> None:
    visit = Visit(
        "2001:db8::1", b"ann", b"GET /a HTTP/1.1", 206, 5, b"http://x/", b"a b", b"10.0.0.1, 10.1"
    )
    assert format_line(visit, "NOW") == (
        '2001:db8::1 - ann [NOW] "GET /a HTTP/1.1" 206 5 "http://x/" "a b" "10.0.0.1, 10.1"'
    )


@pytest.mark.parametrize(
    ("value", "escaped"),
    [
        (b"", "-"),
        (b"plain ~", "plain ~"),
        (b'"', r"\x22"),
        (b"\\", r"\x5C"),
        (b"\r\n\x1b\x7f\x00", r"\x0D\x0A\x1B\x7F\x00"),
        ("é".encode(), r"\xC3\xA9"),
    ],
)
def test_what_a_peer_sent_is_escaped_as_nginx_does(value: bytes, escaped: str) -> None:
    assert escape(value) == escaped


@given(st.binary(), st.binary(), st.binary())
def test_no_peer_can_write_a_second_line_or_leave_its_quotes(a: bytes, b: bytes, c: bytes) -> None:
    line = format_line(replace(VISIT, request=a, referer=b, user=c), "NOW")
    assert line.isprintable()
    assert line.isascii()
    assert line.count('"') == 8


def test_the_time_is_local_and_told_in_english() -> None:
    assert local_time(NOW, WEST) == "14/Nov/2023:15:13:20 -0700"
    assert local_time(NOW).startswith("1")


def test_the_lines_of_a_turn_are_written_together(tmp_path: Path) -> None:
    clock, path = clock_now(), tmp_path / "access.log"
    log = AccessLog(path, clock, zone=WEST)
    log.add(VISIT)
    log.add(VISIT)
    assert path.read_text() == ""
    assert len(clock.getDelayedCalls()) == 1
    clock.advance(0)
    assert path.read_text() == LINE * 2
    clock.advance(1)
    log.add(VISIT)
    log.close()
    assert path.read_text() == LINE * 2 + LINE.replace(":20 ", ":21 ")
    assert not clock.getDelayedCalls()


def test_a_moved_file_is_followed_until_reopened(tmp_path: Path) -> None:
    clock, path = clock_now(), tmp_path / "access.log"
    log = AccessLog(path, clock, zone=WEST)
    log.add(VISIT)
    path.rename(tmp_path / "access.log.1")
    log.reopen()
    log.add(VISIT)
    log.close()
    assert (tmp_path / "access.log.1").read_text() == LINE
    assert path.read_text() == LINE


def test_a_file_that_cannot_be_reopened_is_kept(tmp_path: Path) -> None:
    clock, folder = clock_now(), tmp_path / "logs"
    folder.mkdir()
    log = AccessLog(folder / "access.log", clock, zone=WEST)
    folder.rename(tmp_path / "moved")
    log.reopen()
    log.add(VISIT)
    log.close()
    assert (tmp_path / "moved" / "access.log").read_text() == LINE


def test_it_can_be_opened_again_after_closing(tmp_path: Path) -> None:
    clock, path = clock_now(), tmp_path / "access.log"
    log = AccessLog(path, clock, zone=WEST)
    log.close()
    log.close()
    log.open()
    log.open()
    log.add(VISIT)
    log.close()
    assert path.read_text() == LINE


def test_a_line_that_comes_after_closing_is_kept(tmp_path: Path) -> None:
    clock, path = clock_now(), tmp_path / "access.log"
    log = AccessLog(path, clock, zone=WEST)
    log.close()
    log.add(VISIT)
    log.close()
    assert path.read_text() == LINE


def test_a_folder_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"cannot be opened \(No such file or directory\): name"):
        AccessLog(tmp_path / "x" / "access.log", Clock())


def test_a_pipe_without_a_reader_is_told_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StartError, match="cannot be opened"):
        AccessLog(tmp_path / "pipe", Clock())


def test_lines_that_a_full_disk_does_not_take_are_counted() -> None:
    clock, metrics = clock_now(), Metrics()
    log = AccessLog(Path("/dev/full"), clock, metrics=metrics)
    for _ in range(2):
        log.add(VISIT)
        log.add(VISIT)
        clock.advance(0)
    log.close()
    assert lines(metrics) == 4


def test_a_pipe_that_is_full_loses_lines_and_recovers(tmp_path: Path) -> None:
    clock, metrics = clock_now(), Metrics()
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    log = AccessLog(tmp_path / "pipe", clock, metrics=metrics, zone=WEST)
    for _ in range(2000):
        log.add(VISIT)
    clock.advance(0)
    lost = lines(metrics)
    assert 0 < lost < 2000
    kept = os.read(reader, 1 << 20)
    assert not kept.endswith(b"\n")
    log.add(VISIT)
    log.close()
    assert os.read(reader, 1 << 20) == b"\n" + LINE.encode()
    assert kept.count(b"\n") + lost == 2000
    assert lines(metrics) == lost
    os.close(reader)


def test_without_a_file_the_lines_go_to_the_log_of_the_process() -> None:
    events: list[LogEvent] = []

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        events.append(event)

    globalLogPublisher.addObserver(observe)
    log = AccessLog(None, clock_now(), zone=WEST)
    log.add(replace(VISIT, request=b"GET /{x} HTTP/1.1"))
    log.reopen()
    log.close()
    globalLogPublisher.removeObserver(observe)
    assert [event["line"] for event in events if "line" in event] == [
        LINE.strip().replace("GET / ", "GET /{x} ")
    ]
