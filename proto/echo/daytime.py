"""daytime (RFC 867): the date and time as one line of text, and the connection is over.

The RFC leaves the syntax open; this is an RFC 5322 date in GMT.  Over UDP the line goes out only
whole: a datagram of fewer than 31 bytes is not answered.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate

from proto.echo.datagrams import Datagrams
from proto.echo.service import Peer, ServiceFactory
from proto.metrics import Metrics


def daytime(now: float) -> bytes:
    """`now`, in seconds since 1970, as in `Mon, 22 Feb 1982 17:37:43 GMT` and CRLF."""
    return f"{formatdate(now, usegmt=True)}\r\n".encode("ascii")


class Daytime(Peer):
    """Says what time it is and hangs up."""

    factory: DaytimeFactory

    def connectionMade(self) -> None:
        self.send(daytime(self.factory.now()))
        self.hang_up()


class DaytimeFactory(ServiceFactory):
    """The daytime service; `now` gives seconds since 1970, as time.time does."""

    service = "daytime"
    protocol = Daytime

    def __init__(self, now: Callable[[], float], metrics: Metrics | None = None) -> None:
        super().__init__(metrics)
        self.now = now


class DaytimeDatagrams(Datagrams):
    """Answers with the line if the datagram is at least as long."""

    service = "daytime"

    def __init__(self, now: Callable[[], float], metrics: Metrics | None = None) -> None:
        super().__init__(metrics)
        self.now = now

    def answer(self, datagram: bytes) -> bytes | None:
        line = daytime(self.now())
        return line if len(line) <= len(datagram) else None
