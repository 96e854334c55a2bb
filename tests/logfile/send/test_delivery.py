"""The delivery over real connections to servers that fail in every way; only its clock is ours."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from proto.logfile.relp import answer
from proto.logfile.send.connecting import Connection
from proto.logfile.send.delivery import FIRST_PAUSE, LONGEST_PAUSE, TICK, Delivery
from proto.logfile.send.httpwire import HttpWire
from proto.logfile.send.lines import LONGEST
from proto.logfile.send.options import Errand, Place
from proto.logfile.send.relpwire import RelpWire
from proto.logfile.send.window import Window
from proto.logfile.send.wire import Hopeless
from tests.logfile.send.servers import Part, Server, Talk, http, relp


class Clock:
    """Goes on only when somebody pauses, or by `tick` each time it is looked at."""

    def __init__(self, tick: float = 0.0) -> None:
        self.pauses: list[float] = []
        self._now = 0.0
        self._tick = tick

    def now(self) -> float:
        self._now += self._tick
        return self._now

    def pause(self, seconds: float) -> None:
        assert len(self.pauses) < 1000
        self.pauses.append(seconds)
        self._now += seconds


class Trip:
    """A delivery of these bytes to a port, and what it told."""

    def __init__(
        self,
        path: Path,
        port: int,
        *,
        way: str = "relp",
        give_up: float = 0.0,
        clock: Clock | None = None,
        window: Window | None = None,
    ) -> None:
        self.told: list[str] = []
        self.clock = clock or Clock()
        self._source = os.open(path, os.O_RDONLY)
        errand = Errand("", Place("127.0.0.1", port), way)
        self.delivery = Delivery(
            self._source,
            window or Window(),
            lambda: Connection(errand, None),
            RelpWire if way == "relp" else lambda window: HttpWire(window, str(errand.to)),
            give_up=give_up,
            tell=self.told.append,
            pause=self.clock.pause,
            now=self.clock.now,
        )

    def run(self) -> None:
        try:
            self.delivery.run()
        finally:
            os.close(self._source)

    @property
    def acknowledged(self) -> int:
        return self.delivery.window.acknowledged


LINES = [b"line %d %s" % (number, b"x" * (number % 53)) for number in range(5000)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "in.log"
    path.write_bytes(b"\n".join(LINES))
    return path


@pytest.mark.parametrize(("way", "part"), [("relp", relp), ("http", http)])
def test_all_lines_arrive_in_order_and_once(way: str, part: Part, path: Path) -> None:
    with Server(part) as server:
        trip = Trip(path, server.port, way=way)
        trip.run()
    assert server.stored == LINES
    assert (trip.acknowledged, trip.told, trip.clock.pauses) == (5000, [], [])


def test_an_empty_source_needs_no_server(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    trip = Trip(tmp_path / "empty", 1)
    trip.run()
    assert (trip.acknowledged, trip.told) == (0, [])


def hang_up_after(count: int) -> Part:
    def part(talk: Talk) -> None:
        talk.open()
        talk.take(count)

    return part


def close_after(count: int) -> Part:
    def part(talk: Talk) -> None:
        talk.open()
        talk.take(count)
        talk.say(b"0 serverclose 0\n")
        while talk.socket.recv(65536):
            pass

    return part


def half_an_answer(talk: Talk) -> None:
    talk.open()
    talk.take(10)
    found = talk.frame()
    assert found is not None
    talk.say(answer(found[0], b"200 OK")[:-4])


def wrong_number(talk: Talk) -> None:
    talk.open()
    talk.take(7)
    talk.say(b"99 rsp 6 200 OK\n")
    while talk.socket.recv(65536):
        pass


def nonsense(talk: Talk) -> None:
    talk.say(b"220 mail.example ESMTP\r\n")
    while talk.socket.recv(65536):
        pass


def nothing_at_all(talk: Talk) -> None:
    """It hangs up at once, with our words unread."""


@pytest.mark.parametrize(
    "part",
    [
        hang_up_after(0),
        hang_up_after(1),
        hang_up_after(1500),
        close_after(0),
        close_after(3),
        half_an_answer,
        wrong_number,
        nonsense,
        nothing_at_all,
    ],
)
def test_what_was_not_acknowledged_is_sent_again(part: Part, path: Path) -> None:
    with Server(part, part, relp) as server:
        trip = Trip(path, server.port)
        trip.run()
    assert trip.acknowledged == 5000
    assert list(dict.fromkeys(server.stored)) == LINES
    assert all(told.endswith("; trying again") for told in trip.told)


def test_the_same_trouble_is_told_once_until_something_is_acknowledged(path: Path) -> None:
    with Server(nonsense, nonsense, nonsense, close_after(5), nonsense, relp) as server:
        trip = Trip(path, server.port)
        trip.run()
    assert trip.told == [
        "the server does not speak RELP; trying again",
        "the server closed the session; trying again",
        "the server does not speak RELP; trying again",
    ]


def test_pauses_grow_to_a_bound_and_begin_anew_after_an_acknowledgement(path: Path) -> None:
    with Server(*[nonsense] * 7, close_after(1), nonsense, relp) as server:
        trip = Trip(path, server.port)
        trip.run()
    assert max(trip.clock.pauses) <= TICK
    expected = [0.5, 1, 2, 4, 8, LONGEST_PAUSE, LONGEST_PAUSE, FIRST_PAUSE, 2 * FIRST_PAUSE]
    assert sum(trip.clock.pauses) == sum(expected)


def test_a_server_that_acknowledges_slowly_is_waited_for_and_the_window_holds(
    path: Path,
) -> None:
    """It reads all that comes, and answers only when nothing more comes."""
    most: list[int] = []

    def slow(talk: Talk) -> None:
        talk.open()
        while len(talk.stored) < 5000:
            waiting: list[tuple[int, bytes, bytes]] = []
            while len(waiting) < min(100, 5000 - len(talk.stored)):
                found = talk.frame()
                assert found is not None
                waiting.append(found)
            talk.socket.settimeout(0.05)
            try:
                while True:
                    found = talk.frame()
                    assert found is not None
                    waiting.append(found)
            except TimeoutError:
                talk.socket.settimeout(20)
            most.append(len(waiting))
            for txnr, _, text in waiting:
                talk.stored.append(text)
                talk.say(answer(txnr, b"200 OK"))

    with Server(slow) as server:
        trip = Trip(path, server.port, window=Window(most_lines=100))
        trip.run()
    assert server.stored == LINES
    assert set(most) == {100}


def test_whoever_says_nothing_is_given_up_when_asked_to(path: Path) -> None:
    def silent(talk: Talk) -> None:
        talk.open()
        talk.take(3)
        while talk.socket.recv(65536):
            pass

    with Server(silent) as server:
        trip = Trip(path, server.port, give_up=30, clock=Clock(tick=2.0))
        with pytest.raises(Hopeless) as end:
            trip.run()
    assert str(end.value) == "nothing was acknowledged for 30 s: the server says nothing"
    assert trip.told == [
        "the server says nothing for 10 s; its disk may be full, or it is another port"
    ]
    assert trip.acknowledged == 3


def test_a_place_where_nobody_listens_is_given_up_when_asked_to(path: Path) -> None:
    with Server(nothing_at_all) as server:
        Connection(Errand("", Place("127.0.0.1", server.port), "relp"), None).close()
    trip = Trip(path, server.port, give_up=60)
    with pytest.raises(Hopeless, match="nothing was acknowledged for 60 s: Connection refused"):
        trip.run()
    assert trip.told == ["Connection refused; trying again"]
    assert sum(trip.clock.pauses) == 60


def refuse(number: int) -> Part:
    """A server that answers the line of that number with 500."""

    def part(talk: Talk) -> None:
        talk.open()
        talk.take(number - 1 - len(talk.stored))
        found = talk.frame()
        assert found is not None
        talk.say(answer(found[0], b"500 never"))
        while talk.socket.recv(65536):
            pass

    return part


def test_a_line_that_is_refused_again_and_again_is_named(path: Path) -> None:
    with Server(*[refuse(1235)] * 3) as server:
        trip = Trip(path, server.port)
        with pytest.raises(Hopeless) as end:
            trip.run()
    assert str(end.value) == "line 1235 is refused: the server does not take it: '500 never'"
    assert trip.acknowledged == 1234


def test_a_line_that_is_refused_for_a_moment_is_sent_again(path: Path) -> None:
    with Server(*[refuse(10)] * 2, *[refuse(2000)] * 2, relp) as server:
        trip = Trip(path, server.port)
        trip.run()
    assert server.stored == LINES


def test_a_line_that_is_too_long_to_send_is_named_when_the_others_are_acknowledged(
    tmp_path: Path,
) -> None:
    path = tmp_path / "in.log"
    path.write_bytes(b"one\ntwo\n" + b"x" * (LONGEST + 1) + b"\nfour\n")
    with Server(relp) as server:
        trip = Trip(path, server.port)
        with pytest.raises(Hopeless, match=f"line 3 is longer than {LONGEST} bytes"):
            trip.run()
    assert server.stored == [b"one", b"two"]


def test_over_http_a_line_that_is_too_long_is_found_and_those_before_it_are_stored(
    tmp_path: Path,
) -> None:
    path = tmp_path / "in.log"
    path.write_bytes(b"\n".join([*LINES[:700], b"x" * 1000, *LINES[700:900]]))

    def strict(talk: Talk) -> None:
        while (lines := talk.request()) is not None:
            if max(map(len, lines)) >= 1000:
                talk.respond("413 Content Too Large")
            else:
                talk.stored.extend(lines)
                talk.respond("200 OK")

    with Server(strict) as server:
        trip = Trip(path, server.port, way="http")
        with pytest.raises(Hopeless, match="line 701 is too long for the server"):
            trip.run()
    assert server.stored == LINES[:700]


def test_over_http_a_busy_server_is_asked_again_when_it_says(path: Path) -> None:
    def busy(talk: Talk) -> None:
        talk.request()
        talk.respond("503 Service Unavailable", headers="Retry-After: 7\r\n")

    with Server(busy, http) as server:
        trip = Trip(path, server.port, way="http")
        trip.run()
    assert server.stored == LINES
    assert sum(trip.clock.pauses) == 7
    assert trip.told == ["the server answers 503 Service Unavailable; trying again"]


def test_over_http_a_server_that_closes_after_each_answer_is_no_trouble(path: Path) -> None:
    def once(talk: Talk) -> None:
        lines = talk.request()
        if lines is not None:
            talk.stored.extend(lines)
            talk.respond("200 OK", headers="Connection: close\r\n")

    with Server(once, lines=len(LINES)) as server:
        trip = Trip(path, server.port, way="http")
        trip.run()
    assert server.stored == LINES
    assert (trip.told, trip.clock.pauses) == ([], [])


@contextmanager
def in_a_thread(run: Callable[[], None]) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield thread
    thread.join(20)
    assert not thread.is_alive()


def test_a_pipe_is_read_no_further_than_the_window() -> None:
    """The server acknowledges nothing until the pipe is seen to be full."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    full = threading.Event()

    def slow(talk: Talk) -> None:
        talk.open()
        assert full.wait(20)
        while (found := talk.frame()) is not None and found[1] == b"syslog":
            talk.stored.append(found[2])
            talk.say(answer(found[0], b"200 OK"))

    with Server(slow) as server:
        errand = Errand("-", Place("127.0.0.1", server.port), "relp")
        window = Window(most_lines=100)
        delivery = Delivery(reader, window, lambda: Connection(errand, None), RelpWire)
        with in_a_thread(delivery.run):
            line = b"x" * 99 + b"\n"
            written, refusals = 0, 0
            while refusals < 5:  # in a row, half a second apart in all: nobody reads
                try:
                    written += os.write(writer, line)
                    refusals = 0
                except BlockingIOError:
                    refusals += 1
                    threading.Event().wait(0.1)
            assert written <= 2 * 65536 + 100 * 100 + 65536
            assert window.acknowledged == 0
            full.set()
            os.close(writer)
    os.close(reader)
    assert b"".join(text + b"\n" for text in server.stored) == line * (written // 100)
    assert window.acknowledged == written // 100


def test_a_source_that_cannot_be_read_is_hopeless(tmp_path: Path) -> None:
    trip = Trip(tmp_path, 1)
    with pytest.raises(Hopeless, match="the input cannot be read: Is a directory"):
        trip.run()
