from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from benchmarks.load.ears import Ears
from benchmarks.load.sockets import Connections, LoadFailed
from tests.system.programs import DEADLINE


class Room:
    """Three connections, and their other ends."""

    def __init__(self, listener: socket.socket) -> None:
        self.connections = Connections(listener.getsockname()[1], 3)
        self.speakers = [listener.accept()[0] for _ in range(3)]
        self.ears = Ears(self.connections, b"#")
        self.numbers = list(self.connections.by_number)

    def speaker_to(self, number: int) -> socket.socket:
        address = self.connections.by_number[number].getsockname()
        return next(each for each in self.speakers if each.getpeername() == address)

    def say(self, number: int, data: bytes) -> None:
        self.speaker_to(number).sendall(data)

    def hear(self, marks: int) -> list[int]:
        """Who was attended to and had something, when so many marks have come."""
        deadline, heard, left = time.perf_counter() + DEADLINE, 0, set()
        while heard < marks and time.perf_counter() < deadline:
            left |= set(self.ears.listen(deadline))
            heard += self.ears.counted()
        assert heard == marks
        return sorted(left)


@pytest.fixture
def room() -> Iterator[Room]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        room = Room(listener)
        with room.connections:
            yield room
        for speaker in room.speakers:
            speaker.close()


def test_marks_are_counted_whoever_says_them_and_however_many(room: Room) -> None:
    for number in room.numbers:
        room.say(number, b"#1 a line\n" * 5000 + b"x#")
    assert room.hear(3 * 5001) == []
    assert room.ears.counted() == 0


def test_who_is_attended_to_is_told_and_not_read(room: Room) -> None:
    first, second, _ = room.numbers
    room.ears.attend([second])
    room.say(second, b"##")
    room.say(first, b"###")
    told = room.hear(3) or room.ears.listen(time.perf_counter() + DEADLINE)
    assert told == [second]
    assert room.connections.by_number[second].recv(10) == b"##"
    room.ears.attend([])
    room.say(second, b"#")
    assert room.hear(1) == []


def test_nothing_is_heard_until_the_time_is_over(room: Room) -> None:
    assert room.ears.listen(time.perf_counter() + 0.01) == []
    assert room.ears.counted() == 0


def test_who_hangs_up_is_told(room: Room) -> None:
    room.speakers[0].close()
    with pytest.raises(LoadFailed, match="hung up"):
        room.hear(1)
