"""Where records are kept, as the cache sees it, and how a store is named on the command line.

    memory:64M    files:/var/cache/proto:1G    memcached:127.0.0.1:11211

Knows neither the stores themselves nor what the records mean.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final, Protocol

from proto.web.proxy.cache.entry import Record

_UNITS: Final = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_SIZE: Final = re.compile(r"([0-9]{1,15})([KMGT]?)(?:i?B)?", re.IGNORECASE)
LEAST: Final = 64 * 1024
"""Bytes below which a store is of no use."""


class Store(Protocol):
    """Keeps records, and may forget any of them at any time.

    Nothing here ever raises, and everything answers in bounded time: a store that fails has
    nothing.  Keys are 64 hexadecimal digits.
    """

    def get(self, key: bytes) -> Awaitable[Record | None]:
        """The record that was put last under that key, None when there is none any more."""
        ...

    def put(self, key: bytes, record: Record) -> Awaitable[bool]:
        """Keep it; whether it is kept."""
        ...

    def remove(self, key: bytes) -> Awaitable[None]:
        """Forget it; a put that was begun before does not bring it back."""
        ...

    def close(self) -> Awaitable[None]:
        """Nothing is asked any more."""
        ...


class Measured(Protocol):
    """A store that knows how much it holds."""

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    @property
    def entries(self) -> int:
        """Records."""
        ...


@dataclass(frozen=True, slots=True)
class MemoryStoreSpec:
    """`memory:SIZE`."""

    most: int


@dataclass(frozen=True, slots=True)
class FilesStoreSpec:
    """`files:DIR:SIZE`."""

    folder: str
    most: int


@dataclass(frozen=True, slots=True)
class MemcachedStoreSpec:
    """`memcached:HOST:PORT`."""

    host: str
    port: int


StoreSpec = MemoryStoreSpec | FilesStoreSpec | MemcachedStoreSpec


def parse_store(text: str) -> StoreSpec:
    """Read what names a store.

    Raises:
        ValueError: it names none; the message says what was expected.
    """
    kind, _, rest = text.partition(":")
    if kind == "memory":
        return MemoryStoreSpec(_size(rest))
    if kind == "files":
        folder, colon, size = rest.rpartition(":")
        if not colon or not folder:
            raise ValueError("files need a folder and a size, as in files:/var/cache/proto:1G")
        return FilesStoreSpec(folder, _size(size))
    if kind == "memcached":
        return _memcached(rest)
    raise ValueError(f"{text!r} is none of memory:SIZE, files:DIR:SIZE and memcached:HOST:PORT")


def _memcached(rest: str) -> MemcachedStoreSpec:
    host, _, port = rest.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{host!r} is no host; an IPv6 address stands in brackets")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65_536:
        raise ValueError("memcached needs a host and a port, as in memcached:127.0.0.1:11211")
    return MemcachedStoreSpec(host, int(port))


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no size, as 64M or 1G are")
    size = int(found[1]) * _UNITS[found[2].upper()]
    if size < LEAST:
        raise ValueError(f"{text!r} is too little; a store has at least 64K")
    return size
