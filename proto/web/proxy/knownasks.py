"""What servers were asked for the heads that came last: most come again and again.

What has a secret in it is not kept.  No twisted.
"""

from __future__ import annotations

from typing import Final

from proto.web.http1 import Head
from proto.web.proxy.messages import Ask

Key = tuple[bytes, str, bool]
"""A head byte for byte, the address it came from, and whether by TLS."""

_SECRETS: Final = frozenset({b"authorization", b"cookie", b"proxy-authorization"})


class KnownAsks:
    """Requests without a body, and what else their connections shall become; bounded."""

    def __init__(self, most: int = 256, longest: int = 2048) -> None:
        """`most` requests whose heads have at most `longest` bytes."""
        self._known: dict[Key, tuple[Ask, bytes]] = {}
        self._most = most
        self._longest = longest
        self.get = self._known.get
        """What was asked for it, or None."""

    def may_keep(self, head: Head) -> bool:
        """There is no secret in it."""
        return _SECRETS.isdisjoint(head.values)

    def keep(self, key: Key, asked: tuple[Ask, bytes]) -> None:
        """Give that the next time; the oldest makes room."""
        if len(key[0]) <= self._longest:
            if len(self._known) >= self._most:
                del self._known[next(iter(self._known))]
            self._known[key] = asked
