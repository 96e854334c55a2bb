"""Codings of files that are made here: once for each version of a file, and then kept.

The bytes are read where reading may take its time and made in threads of their own; how much is
kept is bounded, and what was not asked for the longest is forgotten first.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from proto.web.aside import Aside, TooBusy
from proto.web.encodings import Maker, find_makers
from proto.web.files import Opened, Version, version_of
from proto.web.reading import read_whole

ROOM: Final = 32 * 1024 * 1024
# What a kept body costs besides its bytes; it also bounds how many empty ones there are.
_OVERHEAD: Final = 512
# What making it came to nothing for: it is no smaller than the file.
NOT_WORTH_IT: Final = b""

Key = tuple[Version, str]


class MadeBodies:
    """What was made; `room` is in bytes, for all of it together."""

    def __init__(
        self, aside: Aside, *, makers: Mapping[str, Maker] | None = None, room: int = ROOM
    ) -> None:
        self.makers = find_makers() if makers is None else makers
        self._aside = aside
        self._room = room
        self._taken = 0
        self._kept: OrderedDict[Key, bytes] = OrderedDict()
        self._waiting: dict[Key, list[Deferred[bytes]]] = {}

    def kept(self, source: Version, coding: str) -> bytes | None:
        """The body if it was made already; NOT_WORTH_IT when there is no point in it."""
        body = self._kept.get((source, coding))
        if body is not None:
            self._kept.move_to_end((source, coding))
        return body

    def make(self, file: Opened, coding: str, disk: Aside, place: bytes) -> Deferred[bytes]:
        """Make the body of an open file; for all who want the same one it is made once.

        It is read by `disk` with the key `place`, and stays open until the Deferred fires: with
        the body, or with NOT_WORTH_IT, also when the file was changed while it was read, or when
        too much waits to be made.  It fails with what the disk says.
        """
        key = (file.version, coding)
        wanted: Deferred[bytes] = Deferred()
        waiting = self._waiting.get(key)
        if waiting is not None:
            waiting.append(wanted)
            return wanted
        self._waiting[key] = [wanted]
        reading = disk.run(place, _read, file.fd, file.version)
        reading.addCallback(self._was_read, key)
        reading.addCallbacks(self._made, self._failed, callbackArgs=(key,), errbackArgs=(key,))
        return wanted

    def _was_read(self, source: bytes | None, key: Key) -> Deferred[bytes] | None:
        if source is None:
            return None
        making = self._aside.run(b"", _make, source, self.makers[key[1]])
        making.addCallback(self._keep, key)
        making.addErrback(lambda failure: failure.trap(TooBusy) and NOT_WORTH_IT)
        return making

    def _made(self, body: bytes | None, key: Key) -> None:
        for wanted in self._waiting.pop(key):
            wanted.callback(body or NOT_WORTH_IT)

    def _failed(self, failure: Failure, key: Key) -> None:
        for wanted in self._waiting.pop(key):
            wanted.errback(failure)

    def _keep(self, body: bytes, key: Key) -> bytes:
        self._kept[key] = body
        self._taken += len(body) + _OVERHEAD
        while self._taken > self._room:
            _, forgotten = self._kept.popitem(last=False)
            self._taken -= len(forgotten) + _OVERHEAD
        return body


def _read(fd: int, version: Version) -> bytes | None:
    """The contents; None if the file is not that version any more."""
    source = read_whole(fd, version.size)
    is_whole = version_of(os.fstat(fd)) == version and len(source) == version.size
    return source if is_whole else None


def _make(source: bytes, maker: Maker) -> bytes:
    body = maker.make(source)
    return body if len(body) < len(source) else NOT_WORTH_IT
