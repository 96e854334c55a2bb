"""Records in a folder, which several processes may share and which outlives them all.

What asks the disk is done in threads; a disk that hangs or is full takes nothing and has nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from typing import Final

from twisted.internet.defer import TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from proto.web.aside import Aside, TooBusy
from proto.web.proxy.cache.announcement import unharmed
from proto.web.proxy.cache.entry import Record
from proto.web.proxy.cache.folder import Folder, Ticket

PATIENCE: Final = 1.0
"""Seconds that the disk may take to find a record."""
MOST_WAITING: Final = 32 * 1024**2
"""Bytes that may wait to be written."""
MOST_GONE: Final = 10_000
"""Keys that are remembered while the disk has not removed them."""
_READ: Final = b"read"
_WRITE: Final = b"write"


class FileStore:
    """The records in a folder."""

    log = Logger()

    def __init__(
        self,
        folder: Folder,
        aside: Aside,
        clock: IReactorTime,
        *,
        patience: float = PATIENCE,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        """`aside` belongs to the store alone, which does not end it."""
        self._folder = folder
        self._aside = aside
        self._clock = clock
        self._patience = patience
        self._most_waiting = most_waiting
        self._waiting = 0
        self._writing: dict[bytes, set[Ticket]] = {}
        self._gone: OrderedDict[bytes, None] = OrderedDict()
        self._is_troubled = False

    @property
    def size(self) -> int:
        """Bytes of all records, about."""
        return self._folder.size

    @property
    def entries(self) -> int:
        """Records, about."""
        return self._folder.entries

    async def sweep(self) -> None:
        """Clear away what an earlier process has left half-way."""
        try:
            await self._aside.run(_WRITE, self._folder.sweep)
        except (OSError, TooBusy) as error:
            self._troubled(error)
        else:
            self.log.info(
                "the cache in {folder} has {count} records of {size} bytes",
                folder=str(self._folder.path),
                count=self.entries,
                size=self.size,
            )

    # The cache calls these; see `Store`.
    async def get(self, key: bytes) -> Record | None:
        if key in self._gone:
            return None
        finding = self._aside.run(_READ, self._folder.read, key)
        try:
            return await finding.addTimeout(self._patience, self._clock)
        except (TimeoutError, TooBusy):
            return None
        except OSError as error:
            self._troubled(error)
            return None

    async def put(self, key: bytes, record: Record) -> bool:
        cost = record.cost
        if self._waiting + cost > self._most_waiting:
            return False
        ticket = Ticket()
        self._waiting += cost
        self._writing.setdefault(key, set()).add(ticket)
        try:
            is_kept = await self._aside.run(_WRITE, self._folder.write, key, record, ticket)
        except (OSError, TooBusy) as error:
            self._troubled(error)
            return False
        finally:
            self._waiting -= cost
            self._writing[key].discard(ticket)
            if not self._writing[key]:
                del self._writing[key]
        self._is_troubled = False
        if is_kept:
            self._gone.pop(key, None)
        return is_kept

    async def remove(self, key: bytes) -> None:
        for ticket in self._writing.get(key, ()):
            ticket.is_off = True
        # Until the disk has done it, nobody finds it here; nor if it never does.
        self._gone[key] = None
        while len(self._gone) > MOST_GONE:
            self._gone.popitem(last=False)
        removing = self._aside.run(_WRITE, self._folder.remove, key)
        removing.addCallbacks(lambda _: self._gone.pop(key, None), self._not_removed)
        with suppress(TimeoutError):
            await unharmed(removing).addTimeout(self._patience, self._clock)

    def _not_removed(self, failure: Failure) -> None:
        failure.trap(OSError, TooBusy)
        self._troubled(failure.getErrorMessage())

    async def close(self) -> None:
        """Nothing: every record is whole at any time."""

    def _troubled(self, why: object) -> None:
        """Say it once, until something is written again."""
        if not self._is_troubled:
            self._is_troubled = True
            self.log.warn(
                "the cache in {folder} takes nothing: {why}",
                folder=str(self._folder.path),
                why=str(why),
            )
