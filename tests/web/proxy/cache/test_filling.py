from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proto.web.proxy.cache.filling import Filling, Room
from proto.web.proxy.messages import Reply, ReplyLost
from tests.web.proxy.cache.origin import LOST, Held
from tests.web.proxy.cache.results import results_of


class Tap:
    """A filling whose body comes when the test says so."""

    def __init__(self, length: int | None = None, most: int = 100, room: int = 1000) -> None:
        self.body = Held()
        self.room = Room(room)
        self.ended: list[bytes | None] = []
        reply = Reply(200, b"OK", [], self.body, self.body.close)
        self.filling = Filling(reply, length, most=most, room=self.room, ended=self.ended.append)

    def reader(self) -> Reading:
        return Reading(self.filling)

    def send(self, *chunks: Any) -> None:
        for chunk in chunks:
            self.body.send(chunk)


class Reading:
    """One who reads all there is."""

    def __init__(self, filling: Filling) -> None:
        self.reader = filling.join()
        self.got = b""
        self.results = results_of(self._read())

    async def _read(self) -> str:
        async for chunk in self.reader:
            self.got += chunk
        return "end"


def test_a_body_goes_through_as_it_comes_and_is_kept_when_it_is_whole() -> None:
    tap = Tap()
    reading = tap.reader()
    tap.send(b"one")
    assert (reading.got, tap.ended) == (b"one", [])
    assert tap.room.taken == 3
    tap.send(b"two", None)
    assert (reading.got, reading.results) == (b"onetwo", ["end"])
    assert tap.ended == [b"onetwo"]
    assert tap.room.taken == 0


def test_who_joins_late_reads_it_from_its_beginning() -> None:
    tap = Tap(length=6)
    first = tap.reader()
    tap.send(b"one")
    second = tap.reader()
    assert (first.got, second.got) == (b"one", b"one")
    tap.send(b"two", None)
    assert first.got == second.got == b"onetwo"
    assert tap.body.taken == 2


def test_a_reader_that_takes_nothing_delays_nobody() -> None:
    tap = Tap(length=6)
    slow = tap.filling.join()
    fast = tap.reader()
    tap.send(b"one", b"two", None)
    assert (fast.got, fast.results) == (b"onetwo", ["end"])
    assert results_of(slow.__anext__()) == [b"one"]
    assert results_of(slow.__anext__()) == [b"two"]


def test_nobody_reads_and_nothing_is_taken_from_the_origin() -> None:
    tap = Tap()
    tap.filling.join()
    tap.send(b"one", b"two")
    assert tap.body.taken == 0


def test_a_body_that_breaks_off_breaks_off_for_all_and_is_not_kept() -> None:
    tap = Tap(length=6)
    first, second = tap.reader(), tap.reader()
    tap.send(b"one", LOST)
    assert (first.got, second.got) == (b"one", b"one")
    assert all(isinstance(each.results[0], ReplyLost) for each in (first, second))
    assert tap.ended == [None]
    assert tap.room.taken == 0


def test_a_body_that_is_shorter_than_it_said_is_lost() -> None:
    tap = Tap(length=6)
    reading = tap.reader()
    tap.send(b"one", None)
    assert isinstance(reading.results[0], ReplyLost)
    assert tap.ended == [None]


def test_a_body_that_is_longer_than_it_said_is_lost() -> None:
    tap = Tap(length=4)
    reading = tap.reader()
    tap.send(b"one", b"two")
    assert reading.got == b"one"
    assert isinstance(reading.results[0], ReplyLost)
    assert tap.ended == [None]
    assert tap.body.is_closed


def test_a_body_that_grows_too_large_goes_on_and_is_not_kept() -> None:
    tap = Tap(most=5)
    reading = tap.reader()
    tap.send(b"one")
    assert tap.ended == []
    tap.send(b"two")
    assert tap.ended == [None]
    assert not tap.filling.is_gathered
    tap.send(b"three", None)
    assert (reading.got, reading.results) == (b"onetwothree", ["end"])
    assert tap.ended == [None]


def test_what_is_not_kept_goes_when_it_was_read() -> None:
    tap = Tap(most=5)
    reader = tap.filling.join()
    for _ in range(50):
        tap.send(b"0123456789")
        assert results_of(reader.__anext__()) == [b"0123456789"]
    assert tap.filling.count() == 50
    assert len(tap.filling._chunks) == 0


def test_there_is_room_for_so_many_bytes_and_no_more() -> None:
    tap = Tap(room=4)
    reading = tap.reader()
    tap.send(b"one", b"two", None)
    assert (reading.got, tap.ended) == (b"onetwo", [None])
    assert tap.room.taken == 0
    assert not Tap(length=5, room=4).filling.is_gathered


def test_when_nobody_wants_it_any_more_the_origin_is_told() -> None:
    tap = Tap(length=6)
    first, second = tap.reader(), tap.reader()
    tap.send(b"one")
    first.reader.close()
    first.reader.close()
    assert tap.ended == []
    second.reader.close()
    assert tap.body.is_closed
    assert tap.ended == [None]
    assert tap.room.taken == 0


def test_others_join_only_while_it_is_certain_to_be_kept() -> None:
    assert Tap(length=6).filling.may_be_joined
    assert not Tap().filling.may_be_joined
    tap = Tap(length=6)
    tap.reader()
    tap.send(LOST)
    assert not tap.filling.may_be_joined


def test_who_waits_for_the_whole_body_reads_it_and_stops_when_it_is_not_kept() -> None:
    tap = Tap()
    waiting = results_of(tap.filling.complete())
    tap.send(b"one")
    assert waiting == []
    tap.send(None)
    assert (waiting, tap.ended) == ([None], [b"one"])
    large = Tap(most=2)
    assert large.filling.join() is not None
    waiting = results_of(large.filling.complete())
    large.send(b"one")
    assert waiting == [None]
    assert not large.body.is_closed


@given(
    st.lists(st.binary(min_size=1, max_size=10), max_size=8),
    st.lists(st.integers(0, 8), min_size=1, max_size=4),
    st.sampled_from([None, LOST]),
)
def test_whoever_joins_whenever_reads_the_same(
    chunks: list[bytes], joins: list[int], end: Exception | None
) -> None:
    body = b"".join(chunks)
    tap = Tap(length=len(body), most=1000)
    readings = [tap.reader()]
    for place, chunk in enumerate(chunks):
        readings += [tap.reader() for join in joins if join == place]
        tap.send(chunk)
    tap.send(end)
    for reading in readings:
        assert reading.got == body
        assert (reading.results == ["end"]) is (end is None)
    assert tap.ended == [body if end is None else None]
