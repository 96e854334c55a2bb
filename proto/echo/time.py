"""time (RFC 868): the seconds since 1900 as 32 bits, big end first, and the connection is over.

Over UDP a datagram of fewer than four bytes is not answered: part of a number is none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from proto.echo.datagrams import Datagrams
from proto.echo.service import Peer, ServiceFactory
from proto.errors import PeerError
from proto.metrics import Metrics

FROM_1900_TO_1970: Final = 2_208_988_800
"""Seconds; the figure is in the RFC."""


def time(now: float) -> bytes:
    """`now`, in seconds since 1970, as the four bytes of RFC 868; they wrap in February 2036."""
    return ((int(now) + FROM_1900_TO_1970) % 2**32).to_bytes(4, "big")


class Time(Peer):
    """Says what time it is and hangs up."""

    factory: TimeFactory

    def connectionMade(self) -> None:
        self.send(time(self.factory.now()))
        self.hang_up()


class TimeFactory(ServiceFactory):
    """The time service; `now` gives seconds since 1970, as time.time does."""

    service = "time"
    protocol = Time

    def __init__(self, now: Callable[[], float], metrics: Metrics | None = None) -> None:
        super().__init__(metrics)
        self.now = now

    def refusal(self, reason: PeerError) -> bytes:
        """Nothing: a client would read the first four letters as a time."""
        return b""


class TimeDatagrams(Datagrams):
    """Answers with the four bytes if the datagram has at least four."""

    service = "time"

    def __init__(self, now: Callable[[], float], metrics: Metrics | None = None) -> None:
        super().__init__(metrics)
        self.now = now

    def answer(self, datagram: bytes) -> bytes | None:
        moment = time(self.now())
        return moment if len(moment) <= len(datagram) else None
