"""The table of small services: a name, what it does, and how it is built.

`twistd -n echo --service NAME` is a look-up in SERVICES; a new service is one module and one row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from twisted.internet.interfaces import IReactorTime

from proto.echo.chargen import ChargenDatagrams, ChargenFactory
from proto.echo.datagrams import Datagrams
from proto.echo.daytime import DaytimeDatagrams, DaytimeFactory
from proto.echo.discard import DiscardDatagrams, DiscardFactory
from proto.echo.echo import EchoDatagrams, EchoFactory
from proto.echo.greeting import DEFAULT_MESSAGE, GreetingFactory
from proto.echo.qotd import QotdDatagrams, QotdFactory
from proto.echo.quote import DEFAULT_QUOTE, QuoteFactory
from proto.echo.reverse import MAX_REQUEST, ReverseFactory
from proto.echo.reverse_lines import ReverseLinesFactory
from proto.echo.service import ServiceFactory
from proto.echo.time import TimeDatagrams, TimeFactory
from proto.metrics import Metrics


@dataclass(frozen=True, slots=True)
class SmallServiceOptions:
    """What an operator can choose; each service looks only at what concerns it."""

    quote: str = DEFAULT_QUOTE
    message: str = DEFAULT_MESSAGE
    delimiter: bytes = b"!"
    delay: float = 0.0
    """Seconds."""
    text: bool = False
    max_request: int = MAX_REQUEST
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All that a small service is built from."""

    options: SmallServiceOptions
    clock: IReactorTime
    now: Callable[[], float]
    """Seconds since 1970, as time.time gives them."""
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class SmallService:
    """One row: the summary is for --help; `udp` is None where only TCP is served."""

    summary: str
    tcp: Callable[[Surroundings], ServiceFactory]
    udp: Callable[[Surroundings], Datagrams] | None = None


def _reverse(given: Surroundings) -> ReverseFactory:
    return ReverseFactory(
        given.clock,
        delimiter=given.options.delimiter,
        delay=given.options.delay,
        text=given.options.text,
        max_request=given.options.max_request,
        metrics=given.metrics,
    )


def _reverse_lines(given: Surroundings) -> ReverseLinesFactory:
    return ReverseLinesFactory(
        text=given.options.text, max_request=given.options.max_request, metrics=given.metrics
    )


SERVICES: Final[Mapping[str, SmallService]] = MappingProxyType(
    {
        "echo": SmallService(
            "sends back every byte (RFC 862)",
            tcp=lambda given: EchoFactory(given.metrics),
            udp=lambda given: EchoDatagrams(given.metrics),
        ),
        "quote": SmallService(
            "sends --quote, then every byte back",
            tcp=lambda given: QuoteFactory(given.options.quote, given.metrics),
        ),
        "greeting": SmallService(
            "sends --message and hangs up",
            tcp=lambda given: GreetingFactory(given.options.message, given.metrics),
        ),
        "reverse": SmallService(
            "sends back one request, ended by --delimiter, reversed, and hangs up",
            tcp=_reverse,
        ),
        "reverse-lines": SmallService("sends back every line reversed", tcp=_reverse_lines),
        "discard": SmallService(
            "reads everything and says nothing (RFC 863)",
            tcp=lambda given: DiscardFactory(given.metrics),
            udp=lambda given: DiscardDatagrams(given.metrics),
        ),
        "daytime": SmallService(
            "sends the date and time as text and hangs up (RFC 867)",
            tcp=lambda given: DaytimeFactory(given.now, given.metrics),
            udp=lambda given: DaytimeDatagrams(given.now, given.metrics),
        ),
        "qotd": SmallService(
            "sends --quote and hangs up (RFC 865)",
            tcp=lambda given: QotdFactory(given.options.quote, given.metrics),
            udp=lambda given: QotdDatagrams(given.options.quote, given.metrics),
        ),
        "chargen": SmallService(
            "sends a pattern of characters without end (RFC 864)",
            tcp=lambda given: ChargenFactory(given.metrics),
            udp=lambda given: ChargenDatagrams(given.metrics),
        ),
        "time": SmallService(
            "sends the seconds since 1900 as 32 bits and hangs up (RFC 868)",
            tcp=lambda given: TimeFactory(given.now, given.metrics),
            udp=lambda given: TimeDatagrams(given.now, given.metrics),
        ),
    }
)
