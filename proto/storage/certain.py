"""Which lines are known to be stored.  Knows no database.

When a commit fails, nobody can know whether it took place.  Its lines are refused, so they must
never be seen: until the store is told so, reading stops at the newest line that is known to be
there, and so it does while a commit is under way.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Final

from proto.storage.store import ANY

ROOMS: Final = 10_000
"""Rooms whose newest number is remembered; of more, those asked for longest ago are forgotten."""


class Certain:
    """The newest sequence number of each room of which it is known.

    The thread that writes changes it, the thread that reads asks `limit` and `holds`.
    """

    def __init__(self, most: int = ROOMS) -> None:
        self._most = most
        self._newest: OrderedDict[str, int] = OrderedDict()
        self._floors: OrderedDict[str, int] = OrderedDict()
        self._lock = Lock()
        """For what the thread that reads asks."""
        self._under_way: dict[str, int] = {}
        self._doubts: dict[str, int] = {}
        self._failures = 0

    def unknown(self, rooms: Iterable[str]) -> set[str]:
        """Those of the rooms that the store must be asked for."""
        return {room for room in rooms if room not in self._newest}

    def learn(self, room: str, newest: int) -> None:
        """The store knows so many lines of the room."""
        self._newest[room] = max(newest, self._floors.pop(room, 0))

    def newest(self, room: str) -> int:
        """Of a room that is not unknown."""
        self._newest.move_to_end(room)
        return self._newest[room]

    def begin(self, rooms: Iterable[str]) -> None:
        """Lines of these rooms are being stored from now on."""
        with self._lock:
            self._under_way = {room: self._newest[room] for room in rooms}

    def stored(self, newest: Mapping[str, int]) -> None:
        """They are there."""
        with self._lock:
            self._under_way = {}
        self._newest.update(newest)

    def shed(self) -> None:
        """Forget the rooms asked for longest ago, when there are too many."""
        for each in (self._newest, self._floors):
            while len(each) > self._most:
                each.popitem(last=False)

    def failed(self) -> None:
        """They may be there or not."""
        with self._lock:
            self._doubts.update(self._under_way)
            self._under_way = {}
            self._failures += 1

    @property
    def doubts(self) -> Mapping[str, int]:
        """Where each room ends that may hold lines which were refused."""
        return self._doubts

    def settled(self) -> None:
        """Nothing is in those rooms that should not be."""
        with self._lock:
            self._doubts = {}

    def renewed(self) -> None:
        """The store is another one, or somebody else wrote: only that numbers grow is certain."""
        self._floors.update(self._newest)
        self._newest.clear()
        self.settled()

    # The thread that reads asks these.
    def limit(self, room: str) -> tuple[int, int]:
        """What `holds` wants to know again, and the number that lines to be read are below."""
        with self._lock:
            return self._failures, self._below(room)

    def holds(self, room: str, failures: int, newest: int) -> bool:
        """Whether a line that was read after `limit` was asked is certain to be there."""
        with self._lock:
            return failures == self._failures and newest < self._below(room)

    def _below(self, room: str) -> int:
        newest = self._doubts.get(room, self._under_way.get(room))
        return ANY if newest is None else newest + 1
