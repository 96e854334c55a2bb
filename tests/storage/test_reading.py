from __future__ import annotations

from typing import Any, cast

from proto.chat.history import Lines, Span
from proto.storage.certain import Certain
from proto.storage.reading import Read, Reads
from proto.storage.store import ANY, Row, Store, Stretch
from proto.storage.troubles import Troubles


class Room:
    """A store with one room, where something happens while it is read."""

    def __init__(self, certain: Certain) -> None:
        self.certain = certain
        self.rows_there = [1, 2, 3]
        self.asked: list[int] = []
        self.opened = 0
        self.dead = False
        self.meanwhile: list[Any] = []

    def reading(self) -> Room:
        self.opened += 1
        self.dead = False
        return self

    def alive(self) -> bool:
        return not self.dead

    def close(self) -> None:
        self.dead = True

    def rows(self, stretch: Stretch) -> list[Row]:
        self.asked.append(stretch.below)
        rows = [Row(n, 0, "said", "bob", str(n)) for n in self.rows_there if n < stretch.below]
        if self.meanwhile:
            self.meanwhile.pop(0)()
        return rows[::-1]


def read(room: Room) -> list[int]:
    """The numbers of the lines that are told."""
    told: list[Lines] = []
    reads = Reads(cast(Store, room), room.certain, Troubles("x"))
    for answer in reads.answers(Read("lobby", Span(9), (), told.append, print)):
        answer()
    reads.close()
    return [line.sequence for line in told[0].lines]


def begun(at: int) -> tuple[Certain, Room]:
    certain = Certain()
    certain.learn("lobby", at)
    return certain, Room(certain)


def test_lines_of_a_commit_that_began_meanwhile_are_read_again_without_them() -> None:
    certain, room = begun(2)
    room.meanwhile = [lambda: certain.begin(["lobby"])]
    assert read(room) == [1, 2]
    assert room.asked == [ANY, 3]


def test_lines_of_a_commit_that_failed_and_was_settled_meanwhile_are_not_told() -> None:
    certain, room = begun(2)

    def fail() -> None:
        certain.begin(["lobby"])
        certain.failed()
        room.rows_there.remove(3)
        certain.settled()

    room.meanwhile = [fail]
    assert read(room) == [1, 2]


def test_lines_of_a_commit_that_was_done_meanwhile_are_told() -> None:
    certain, room = begun(2)

    def store() -> None:
        certain.begin(["lobby"])
        certain.stored({"lobby": 3})

    room.meanwhile = [store]
    assert read(room) == [1, 2, 3]
    assert room.asked == [ANY]


def test_a_connection_that_died_is_made_anew() -> None:
    _, room = begun(3)
    reads = Reads(cast(Store, room), room.certain, Troubles("x"))
    question = Read("lobby", Span(9), (), print, print)
    for dead in (False, False, True, False):
        room.dead = dead
        reads.answers(question)
    assert room.opened == 2
