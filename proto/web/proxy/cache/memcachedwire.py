"""Memcached's text protocol, as far as a cache speaks it: commands -> bytes, bytes -> answers.

protocol.txt of memcached 1.6.  Knows no connection and no record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

MOST_LINE: Final = 2048
"""Bytes of a line that a server sends."""
MOST_VALUE: Final = 2 * 1024**2

_VALUE: Final = re.compile(rb"VALUE \S{1,250} [0-9]{1,10} ([0-9]{1,10})(?: [0-9]+)?")
_PART: Final = b"(part)"
_END: Final = b"\r\n"

Answer = bytes
"""A value, or else the first word of a line: STORED, END, DELETED, SERVER_ERROR."""


class BadAnswer(Exception):
    """It is no memcached, or one that we do not understand."""


class Found(bytes):
    """The value of a `get`."""


def get(key: bytes) -> bytes:
    """Ask for the value of a key: answered by Found, or END."""
    return b"get " + key + _END


def put(key: bytes, value: bytes, seconds: int) -> bytes:
    """Keep a value, for at most so long (below 30 days): answered by STORED when it is kept."""
    return b"set %b 0 %d %d\r\n%b\r\n" % (key, seconds, len(value), value)


def delete(key: bytes) -> bytes:
    """Forget a key: answered by DELETED or NOT_FOUND."""
    return b"delete " + key + _END


class Answers:
    """Cuts what a server sends into answers, one for each command."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._length: int | None = None
        self._value: Found | None = None

    def feed(self, data: bytes) -> Iterator[Answer]:
        """The answers that are whole now.

        Raises:
            BadAnswer: this cannot be an answer.
        """
        self._buffer += data
        while (answer := self._next()) is not None:
            if answer is not _PART:
                yield answer

    def _next(self) -> Answer | None:
        """An answer, or `_PART` of one.  None: more has to come."""
        if self._length is not None:
            return self._take_value(self._length)
        end = self._buffer.find(_END, 0, MOST_LINE)
        if end < 0:
            if len(self._buffer) >= MOST_LINE:
                raise BadAnswer("a line that does not end")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        if found := _VALUE.fullmatch(line):
            return self._begin_value(int(found[1]))
        if self._value is not None:
            return self._end_value(line)
        if not line:
            raise BadAnswer("an empty line")
        return line.partition(b" ")[0]

    def _begin_value(self, length: int) -> Answer:
        if self._value is not None:
            raise BadAnswer("two values for one key")
        if length > MOST_VALUE:
            raise BadAnswer("a value that we cannot have stored")
        self._length = length
        return _PART

    def _take_value(self, length: int) -> Answer | None:
        if len(self._buffer) < length + 2:
            return None
        if self._buffer[length : length + 2] != _END:
            raise BadAnswer("a value of another length")
        self._value = Found(self._buffer[:length])
        del self._buffer[: length + 2]
        self._length = None
        return _PART

    def _end_value(self, line: bytes) -> Answer:
        value, self._value = self._value, None
        if line != b"END" or value is None:
            raise BadAnswer("a value without its end")
        return value
