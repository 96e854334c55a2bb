"""The header fields of an answer: Twisted's Headers, with ways in and out for those who know them.

What goes in by these ways is not looked at again: names are spelled as they are sent, and values
have no line ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twisted.web.http_headers import Headers


class Fields(Headers):
    """The fields of one head."""

    __slots__ = ()

    def preset(self, fields: Mapping[bytes, Sequence[bytes]]) -> None:
        """Begin with these; they stay as they are whatever becomes of ours."""
        raw = self._rawHeaders
        for name, values in fields.items():
            raw[name] = [*values]

    def put(self, name: bytes, value: bytes) -> None:
        """The field has this one value."""
        self._rawHeaders[name] = [value]

    def has(self, name: bytes) -> bool:
        """Whether there is such a field."""
        return name in self._rawHeaders

    def values(self, name: bytes) -> Sequence[bytes]:
        """The field's values; none when there is no such field."""
        return self._rawHeaders.get(name, ())

    def lines(self) -> bytes:
        """All of them as they are sent, each with its line's end."""
        fields = self._rawHeaders.items()
        return b"".join([b"%b: %b\r\n" % (name, value) for name, all in fields for value in all])
