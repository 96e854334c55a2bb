"""Records in the memory of this process; those that were used last stay.  No clock."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from proto.web.proxy.cache.entry import Record

MOST_ENTRIES: Final = 100_000


class MemoryStore:
    """At most `most` bytes and `most_entries` records."""

    def __init__(self, most: int, *, most_entries: int = MOST_ENTRIES) -> None:
        self._most = most
        self._most_entries = most_entries
        self._records: OrderedDict[bytes, Record] = OrderedDict()
        self._size = 0

    @property
    def size(self) -> int:
        """Bytes of all records, about."""
        return self._size

    @property
    def entries(self) -> int:
        """Records."""
        return len(self._records)

    # The cache calls these; see `Store`.
    async def get(self, key: bytes) -> Record | None:
        record = self._records.get(key)
        if record is not None:
            self._records.move_to_end(key)
        return record

    async def put(self, key: bytes, record: Record) -> bool:
        self._forget(key)
        cost = _cost(key, record)
        if cost > self._most or self._most_entries < 1:
            return False
        while self._size + cost > self._most or len(self._records) >= self._most_entries:
            self._forget(next(iter(self._records)))
        self._records[key] = record
        self._size += cost
        return True

    async def remove(self, key: bytes) -> None:
        self._forget(key)

    async def close(self) -> None:
        self._records.clear()
        self._size = 0

    def _forget(self, key: bytes) -> None:
        record = self._records.pop(key, None)
        if record is not None:
            self._size -= _cost(key, record)


def _cost(key: bytes, record: Record) -> int:
    return len(key) + record.cost
