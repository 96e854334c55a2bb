from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.web.request import WebRequest
from proto.web.response import HTTPError
from proto.weblog.doors import PATH, LogLimits
from proto.weblog.tail import EVERY, QUEUE, STUCK_AFTER
from tests.web.wire import ask
from tests.weblog.sites import LogSite, Reader, Visit


def test_lines_are_shown_when_they_are_on_the_disk_in_their_order() -> None:
    log = LogSite()
    reader = Reader(log)
    Visit(log).post(b"one\ntwo\n")
    assert reader.lines() == []
    log.disk.settle()
    assert reader.lines() == ["one", "two"]
    log.write(b'a "quoted" \\x1b[31m\tline\n')
    log.clock.advance(EVERY)
    assert reader.read().events[2:] == [("line", {"text": 'a "quoted" \\x1b[31m\tline'})]


def test_who_comes_later_sees_what_comes_later() -> None:
    log = LogSite()
    first = Reader(log)
    log.write(b"before\n")
    second = Reader(log)
    log.turn()
    second.leave()
    log.write(b"while nobody looked but one\n")
    log.clock.advance(EVERY)
    third = Reader(log)
    log.clock.advance(EVERY)
    log.write(b"after\n")
    assert third.lines() == ["after"]
    assert first.lines() == ["before", "while nobody looked but one", "after"]


def test_without_readers_nobody_hears_what_is_stored() -> None:
    log = LogSite()
    assert log.intake.watchers == []
    readers = [Reader(log), Reader(log, "?text=x")]
    assert len(log.intake.watchers) == 1
    assert log.value("logfile_tail_readers") == 2
    log.write(b"x\n")
    for reader in readers:
        reader.leave()
    assert log.intake.watchers == []
    assert log.value("logfile_tail_readers") == 0
    assert log.clock.getDelayedCalls() == []


@given(
    st.lists(
        st.tuples(st.integers(1, 700), st.integers(0, 40), st.booleans()), min_size=1, max_size=12
    )
)
def test_every_line_is_shown_or_counted(portions: list[tuple[int, int, bool]]) -> None:
    log = LogSite()
    everything, some = Reader(log), Reader(log, "?text=7")
    came = number = 0
    for count, width, is_turn in portions:
        log.write(b"".join(b"%0*d\n" % (width, number + each) for each in range(count)))
        number += count
        came += count
        if is_turn:
            log.clock.advance(EVERY)
    log.clock.advance(EVERY)
    log.clock.advance(EVERY)
    lines = everything.lines()
    assert len(lines) + everything.dropped() == came
    assert [int(each) for each in lines] == sorted(int(each) for each in lines)
    found = some.lines()
    assert all("7" in each for each in found)
    if not some.dropped():
        assert len(found) == sum("7" in str(each) for each in range(came))


def test_of_a_flood_the_newest_lines_are_shown_ten_times_a_second() -> None:
    log = LogSite()
    reader = Reader(log)
    log.turn()
    for number in range(10):
        log.write(b"".join(b"%d\n" % (number * 100 + each) for each in range(100)))
    assert reader.lines() == [str(each) for each in range(800, 1000)]
    assert reader.events[0] == ("dropped", {"lines": 800})
    log.write(b"next\n")
    assert len(reader.lines()) == 200
    log.clock.advance(EVERY)
    assert reader.lines()[200:] == ["next"]
    assert log.value("logfile_tail_lines_dropped") == 800


def test_a_flood_of_long_lines_is_bounded_in_bytes() -> None:
    log = LogSite()
    reader = Reader(log)
    log.turn()
    log.write((b"x" * 60_000 + b"\n") * 30)
    lines = [data for kind, data in reader.read().events if kind == "line"]
    assert sum(len(line["text"]) for line in lines) <= 65536
    assert len(lines) + reader.dropped() == 30
    assert all(line["left_out"] + len(line["text"]) == 60_000 for line in lines)


def test_a_view_shows_the_lines_that_hold_its_text() -> None:
    log = LogSite()
    reader = Reader(log, "?text=%C3%A4%20b")
    log.write("no\nä b c\nÄ b\nx ä b\n".encode())
    assert reader.lines() == ["ä b c", "x ä b"]
    assert reader.dropped() == 0


def test_of_much_a_view_looks_at_a_part_only_and_says_of_how_many_lines_it_knows_nothing() -> None:
    log = LogSite()
    reader = Reader(log, "?text=needle")
    log.turn()
    log.write(b"needle, too early\n" + b"hay\n" * 999_999)
    log.write(b"needle\n")
    assert reader.lines() == ["needle"]
    assert 700_000 < reader.dropped() < 1_000_000
    log.clock.advance(EVERY)
    log.write(b"".join(b"needle %d\n" % each for each in range(1000)))
    assert len(reader.lines()) == 201
    dropped = [data["lines"] for kind, data in reader.events if kind == "dropped"]
    assert dropped[1:] == [800]


def test_with_a_name_only_that_file_is_shown() -> None:
    log = LogSite()
    one, none, all_of_them = Reader(log, "?name=one"), Reader(log, "?name="), Reader(log)
    log.write(b"1\n", "one")
    log.write(b"2\n" * 500, "two")
    log.write(b"3\n", "one")
    assert one.read().events == [
        ("line", {"text": "1", "name": "one"}),
        ("line", {"text": "3", "name": "one"}),
    ]
    assert none.read().events == []
    assert len(all_of_them.lines()) + all_of_them.dropped() == 502


def test_all_views_together_are_bounded_and_a_quiet_one_leaves_its_part_to_the_others() -> None:
    log = LogSite()
    readers = [Reader(log, f"?text={each}") for each in "abcd"]
    log.turn()
    log.write(b"abcd\n" * 1000)
    shown = [len(reader.lines()) for reader in readers]
    assert sum(shown) <= 200
    assert min(shown) >= 50
    assert [reader.dropped() for reader in readers] == [1000 - each for each in shown]
    for _ in readers:
        log.clock.advance(EVERY)
        log.write(b"a\n" * 1000)
    log.clock.advance(EVERY)
    assert len(readers[0].lines()) - shown[0] > 4 * 50


def test_a_reader_that_stalls_is_not_shown_all_is_told_how_much_and_nobody_else_waits() -> None:
    log = LogSite()
    slow, quick = Reader(log), Reader(log)
    slow.read()
    slow.wire.fill()
    line = b"x" * 319 + b"\n"
    for _ in range(40):
        log.write(line * 200)
        log.clock.advance(EVERY)
    assert len(quick.lines()) == 8000
    assert slow.lines() == []
    slow.wire.drain()
    log.clock.advance(EVERY)
    assert QUEUE < 400 * len(slow.lines()) < 2 * QUEUE
    assert len(slow.lines()) + slow.dropped() == 8000
    assert slow.events[-1][0] == "dropped"
    assert quick.dropped() == 0
    assert log.value("logfile_tail_lines_dropped") == slow.dropped()
    log.write(b"after\n")
    log.clock.advance(EVERY)
    assert slow.lines()[-1] == "after"


def test_whoever_reads_nothing_for_a_minute_is_cut_off() -> None:
    log = LogSite()
    slow = Reader(log)
    slow.read()
    slow.wire.fill()
    log.write(b"x\n")
    log.clock.advance(STUCK_AFTER - 1)
    log.turn()
    assert not slow.wire.is_cut()
    log.clock.advance(1)
    log.turn()
    assert slow.wire.is_cut()
    slow.leave()
    assert log.value("logfile_tail_readers") == 0
    assert log.clock.getDelayedCalls() == []


def test_only_so_many_may_look() -> None:
    log = LogSite(limits=LogLimits(readers=2))
    inside = [Reader(log) for _ in range(2)]
    assert [each.lines() for each in inside] == [[], []]
    answer = ask(log.site, f"{PATH}/tail")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "30")
    assert ask(log.site, f"{PATH}/door").status == 503
    inside[0].leave()
    assert ask(log.site, f"{PATH}/door").status == 204
    assert Reader(log).lines() == []


def test_whoever_is_refused_elsewhere_is_refused_and_whoever_leaves_is_told_there() -> None:
    inside: list[WebRequest] = []

    def admit(request: WebRequest) -> Callable[[], None]:
        if inside:
            raise HTTPError(429, "One is enough.")
        inside.append(request)
        return lambda: inside.remove(request)

    log = LogSite(admit=admit)
    reader = Reader(log)
    assert reader.lines() == []
    answer = ask(log.site, f"{PATH}/tail")
    assert (answer.status, json.loads(answer.body)["detail"]) == (429, "One is enough.")
    reader.leave()
    assert inside == []
    assert ask(log.site, f"{PATH}/door").status == 204
    assert inside == []
    log.site.leaving = True
    assert ask(log.site, f"{PATH}/tail").status == 503
    assert inside == []


@pytest.mark.parametrize(
    ("method", "query", "status"),
    [
        ("HEAD", "", 405),
        ("POST", "", 405),
        ("GET", "?text=" + "x" * 301, 400),
        ("GET", "?text=a%0Ab", 400),
        ("GET", "?" + "&".join(["a=b"] * 21), 400),
    ],
)
def test_what_makes_no_sense_is_refused_and_counts_nobody(
    method: str, query: str, status: int
) -> None:
    log = LogSite()
    assert ask(log.site, f"{PATH}/tail{query}", method).status == status
    assert log.value("logfile_tail_readers") == 0
    assert log.clock.getDelayedCalls() == []


def test_when_the_service_stops_the_stream_ends() -> None:
    log = LogSite()
    reader = Reader(log)
    log.write(b"last\n")
    log.turn()
    log.site.farewell()
    assert reader.lines() == ["last"]
    assert reader.ended
    reader.leave()
    assert log.clock.getDelayedCalls() == []
