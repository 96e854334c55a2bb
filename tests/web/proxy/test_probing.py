from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher

from proto.web.proxy.health import State
from proto.web.proxy.messages import Ask, Reply, ReplyLost
from proto.web.proxy.probing import FIRST_WITHIN, JITTER, MOST_READ, Check, Probes
from proto.web.proxy.servers import Group, Member, Server
from proto.web.response import HTTPError

CHECK = Check("/well?full=1", interval=5, timeout=2, rise=2, fall=2)


@dataclass
class Asked:
    """One check that waits for its answer."""

    server: Server
    ask: Ask
    reply: Deferred[Reply]
    is_closed: bool = False
    is_cancelled: bool = False

    def answer(self, status: int = 200, body: AsyncIterator[bytes] | None = None) -> None:
        def close() -> None:
            self.is_closed = True

        reply = Reply(status, b"", (), close=close)
        if body is not None:
            reply.body = body
        self.reply.callback(reply)


@dataclass
class Upstreams:
    """Servers that note what they are asked and answer when a test says so."""

    asked: list[Asked] = field(default_factory=list)

    async def fetch(self, server: Server, ask: Ask) -> Reply:
        one = Asked(server, ask, Deferred(lambda _: self.cancel(one)))
        self.asked.append(one)
        return await one.reply

    def cancel(self, one: Asked) -> None:
        one.is_cancelled = True

    @property
    def names(self) -> list[str]:
        return [one.server.name for one in self.asked]


def server(name: str, **options: Any) -> Server:
    return Server(name, 80, **options)


def probes_of(*servers: Server) -> tuple[Probes, Group, Upstreams, Clock]:
    clock, upstreams = Clock(), Upstreams()
    group = Group(servers, "round_robin", clock.seconds)
    probes = Probes(group, CHECK, upstreams.fetch, clock, Random(4))
    probes.start()
    return probes, group, upstreams, clock


def one_asked() -> tuple[Member, Asked, Upstreams, Clock]:
    """A server that is being asked for the first time."""
    _, group, upstreams, clock = probes_of(server("a"))
    clock.advance(FIRST_WITHIN)
    return group.members[0], upstreams.asked[0], upstreams, clock


def told(member: Member) -> tuple[bool, str]:
    assert member.last_check is not None
    return member.last_check.passed, member.last_check.detail


async def chunks(*data: bytes, then: Exception | None = None) -> AsyncIterator[bytes]:
    for each in data:
        yield each
    if then is not None:
        raise then


@contextmanager
def logged() -> Iterator[list[LogEvent]]:
    events: list[LogEvent] = []
    observer = cast(ILogObserver, events.append)
    globalLogPublisher.addObserver(observer)
    try:
        yield events
    finally:
        globalLogPublisher.removeObserver(observer)


def test_a_server_is_asked_for_its_path_under_its_name() -> None:
    _, asked, _, _ = one_asked()
    assert (asked.ask.method, asked.ask.target, asked.ask.body) == (b"GET", b"/well?full=1", None)
    assert (b"Host", b"a:80") in asked.ask.fields


@pytest.mark.parametrize("status", [200, 204, 302, 399])
def test_a_status_from_200_to_399_is_good(status: int) -> None:
    member, asked, _, _ = one_asked()
    asked.answer(status)
    assert told(member) == (True, f"status {status}")
    assert asked.is_closed


@pytest.mark.parametrize("status", [199, 400, 404, 503])
def test_any_other_is_not(status: int) -> None:
    member, asked, _, _ = one_asked()
    asked.answer(status)
    assert told(member) == (False, f"status {status}")
    assert asked.is_closed


def test_the_next_check_is_an_interval_after_the_end_of_the_last_more_or_less() -> None:
    _, asked, upstreams, clock = one_asked()
    clock.advance(1.5)
    waits = []
    for _ in range(50):
        asked.answer()
        began, count = clock.seconds(), len(upstreams.asked)
        while len(upstreams.asked) == count:
            clock.advance(0.01)
        asked = upstreams.asked[-1]
        waits.append(clock.seconds() - began)
    least, most = CHECK.interval * (1 - JITTER), CHECK.interval * (1 + JITTER)
    assert all(least <= wait <= most + 0.02 for wait in waits)
    assert max(waits) - min(waits) > 0.5 * (most - least)


def test_a_server_that_does_not_answer_in_time_has_failed_and_is_let_go() -> None:
    member, asked, upstreams, clock = one_asked()
    clock.advance(1.9)
    assert member.last_check is None
    clock.advance(0.1)
    assert told(member) == (False, "no answer within 2 s")
    assert asked.is_cancelled
    clock.advance(CHECK.interval * (1 + JITTER))
    assert len(upstreams.asked) == 2


def test_a_connection_that_is_not_made_in_time_has_failed_and_is_no_mistake_of_ours() -> None:
    clock = Clock()
    group = Group([server("a")], "random", clock.seconds)

    async def connect(server: Server, ask: Ask) -> Reply:
        connecting: Deferred[Reply] = Deferred(
            lambda one: one.errback(ConnectingCancelledError(IPv4Address("TCP", "192.0.2.1", 80)))
        )
        return await connecting

    probes = Probes(group, CHECK, connect, clock)
    probes.start()
    with logged() as events:
        clock.advance(FIRST_WITHIN)
        clock.advance(CHECK.timeout)
    assert told(group.members[0]) == (False, "no answer within 2 s")
    assert [event for event in events if "log_failure" in event] == []
    probes.stop()
    assert not clock.getDelayedCalls()


def test_a_body_that_does_not_come_in_time_has_failed_too() -> None:
    member, asked, _, clock = one_asked()
    never: Deferred[bytes] = Deferred()

    async def body() -> AsyncIterator[bytes]:
        yield b"begin"
        yield await never

    asked.answer(200, body())
    assert member.last_check is None
    clock.advance(CHECK.timeout)
    assert told(member) == (False, "no answer within 2 s")
    assert asked.is_closed


def test_a_body_is_read_so_that_its_connection_can_be_used_again() -> None:
    member, asked, _, _ = one_asked()
    read = []

    async def body() -> AsyncIterator[bytes]:
        for _ in range(3):
            read.append(1)
            yield b"x" * 1_000

    asked.answer(200, body())
    assert len(read) == 3
    assert told(member)[0]


def test_a_body_without_an_end_is_let_go() -> None:
    member, asked, _, _ = one_asked()
    sizes = []

    async def body() -> AsyncIterator[bytes]:
        while True:
            sizes.append(1_000)
            yield b"x" * 1_000

    asked.answer(200, body())
    assert told(member) == (True, "status 200")
    assert asked.is_closed
    assert MOST_READ < sum(sizes) <= MOST_READ + 1_000


def test_an_answer_that_breaks_off_is_not_good() -> None:
    member, asked, _, _ = one_asked()
    asked.answer(200, chunks(b"x", then=ReplyLost()))
    assert told(member) == (False, "the answer broke off")


def test_no_answer_at_all_is_told_with_its_reason() -> None:
    member, asked, _, _ = one_asked()
    asked.reply.errback(HTTPError(502, "The connection was refused."))
    assert told(member) == (False, "The connection was refused.")


def test_a_mistake_of_ours_is_logged_and_the_checks_go_on() -> None:
    member, asked, upstreams, clock = one_asked()
    with logged() as events:
        asked.reply.errback(ZeroDivisionError("oh"))
    failures = [event["log_failure"].value for event in events if "log_failure" in event]
    assert [str(each) for each in failures] == ["oh"]
    assert told(member) == (False, "the check itself failed")
    clock.advance(6)
    assert len(upstreams.asked) == 2


def test_a_server_goes_and_comes_back_as_its_checks_fall_and_rise() -> None:
    member, asked, upstreams, clock = one_asked()
    states = []
    for status in (503, 503, 200, 503, 200, 200):
        asked.answer(status)
        states.append(member.state)
        clock.advance(6)
        asked = upstreams.asked[-1]
    up, down = State.UP, State.DOWN
    assert states == [up, down, down, down, down, up]


def test_each_is_asked_soon_and_not_all_at_one_moment() -> None:
    _, _, upstreams, clock = probes_of(*(server(name) for name in "abcdefgh"))
    clock.advance(0)
    assert len(upstreams.asked) == 0
    clock.advance(FIRST_WITHIN / 2)
    assert 0 < len(upstreams.asked) < 8
    clock.advance(FIRST_WITHIN / 2)
    assert sorted(upstreams.names) == [f"{name}:80" for name in "abcdefgh"]


def test_a_server_is_not_asked_again_before_it_has_answered() -> None:
    _, group, upstreams, clock = probes_of(server("a"), server("b"))
    clock.advance(FIRST_WITHIN)
    for _ in range(100):
        clock.advance(0.5)
        waiting = [one.server.name for one in upstreams.asked if not one.reply.called]
        assert len(waiting) == len(set(waiting))
    assert len(upstreams.asked) > 10
    assert not any(member.is_up for member in group.members)


def test_who_comes_into_the_group_is_asked_and_who_leaves_is_not() -> None:
    probes, group, upstreams, clock = probes_of(server("a"), server("b"))
    clock.advance(FIRST_WITHIN)
    stays = next(one for one in upstreams.asked if one.server.host == "b")
    goes = next(one for one in upstreams.asked if one.server.host == "a")
    group.update([server("b"), server("c")])
    probes.follow()
    assert (goes.is_cancelled, stays.is_cancelled) == (True, False)
    clock.advance(FIRST_WITHIN)
    assert upstreams.names[2:] == ["c:80"]
    stays.answer()
    clock.advance(6)
    assert upstreams.names[3:] == ["b:80"]


def test_when_it_stops_nothing_is_left_behind() -> None:
    probes, group, upstreams, clock = probes_of(server("a"), server("b"), server("c"))
    clock.advance(FIRST_WITHIN)
    upstreams.asked[0].answer()
    with logged() as events:
        assert probes.stop().called
        gc.collect()
    assert not clock.getDelayedCalls()
    assert [one.is_cancelled for one in upstreams.asked] == [False, True, True]
    assert [event for event in events if "log_failure" in event] == []
    clock.advance(100)
    assert len(upstreams.asked) == 3
    assert sum(member.last_check is not None for member in group.members) == 1
    assert probes.stop().called


def test_it_has_stopped_when_the_last_check_has_ended() -> None:
    probes, group, upstreams, clock = probes_of(server("a"))
    clock.advance(FIRST_WITHIN)
    late: Deferred[Reply] = Deferred(lambda _: None)
    ended: list[object] = []

    async def linger(server: Server, ask: Ask) -> Reply:
        try:
            return await upstreams.fetch(server, ask)
        finally:
            await late

    slow = Probes(group, CHECK, linger, clock)
    slow.start()
    clock.advance(FIRST_WITHIN)
    slow.stop().addCallback(ended.append)
    assert ended == []
    late.callback(Reply(200, b"", ()))
    assert ended == [None]
    probes.stop()
    assert not clock.getDelayedCalls()


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("/", Check("/")),
        ("/well?a=1 fall=1", Check("/well?a=1", fall=1)),
        (
            "/well interval=500ms timeout=1s rise=3 fall=4",
            Check("/well", interval=0.5, timeout=1, rise=3, fall=4),
        ),
    ],
)
def test_a_check_is_a_path_with_words_behind_it(text: str, check: Check) -> None:
    assert Check.parse(text) == check


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no path such as /health"),
        ("health", "is no path such as /health"),
        ("http://a/", "is no path such as /health"),
        ("/ä", "is no path such as /health"),
        ("/\x7f", "is no path such as /health"),
        ("/%", "percent sign"),
        ("/..", "dot segments"),
        ("/ interval=0", "is no time from 0.1s to 24h"),
        ("/ timeout=0", "is no time from 0.05s to 24h"),
        ("/ rise=0", "is no whole number from 1 to 1000"),
        ("/ every=1", "is none of interval=, timeout=, rise=, fall="),
    ],
)
def test_what_is_no_check_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError) as caught:
        Check.parse(text)
    assert why in str(caught.value)
