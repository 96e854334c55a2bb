"""qotd, quote of the day (RFC 865): one short message, and the connection is over.

Over UDP the quote is cut to the length of the datagram that asks for it.
"""

from __future__ import annotations

from typing import Final

from proto.echo.datagrams import Datagrams
from proto.echo.quote import DEFAULT_QUOTE
from proto.echo.service import Peer, ServiceFactory
from proto.metrics import Metrics

LIMIT: Final = 512
"""Bytes; a quote of the day is "less than 512 characters", its CRLF included."""


def of_the_day(quote: str) -> bytes:
    """The quote and CRLF, cut between two characters where RFC 865 asks for less."""
    room = LIMIT - 1 - len(b"\r\n")
    return quote.encode()[:room].decode(errors="ignore").encode() + b"\r\n"


class Qotd(Peer):
    """Says the quote and hangs up."""

    factory: QotdFactory

    def connectionMade(self) -> None:
        self.send(self.factory.quote)
        self.hang_up()


class QotdFactory(ServiceFactory):
    """The quote of the day service."""

    service = "qotd"
    protocol = Qotd

    def __init__(self, quote: str = DEFAULT_QUOTE, metrics: Metrics | None = None) -> None:
        super().__init__(metrics)
        self.quote = of_the_day(quote)


class QotdDatagrams(Datagrams):
    """Answers with as much of the quote as the datagram is long."""

    service = "qotd"

    def __init__(self, quote: str = DEFAULT_QUOTE, metrics: Metrics | None = None) -> None:
        super().__init__(metrics)
        self.quote = of_the_day(quote)

    def answer(self, datagram: bytes) -> bytes:
        return self.quote
