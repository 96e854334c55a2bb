"""The chat's factory: what all connections from telnet and netcat share.

What newcomers may do is here, in numbers; what one of them does is in `protocol`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from proto.addresses import host_of
from proto.chat import names, wire
from proto.chat.abreast import Abreast
from proto.chat.audience import SharedAudience, SharedForm
from proto.chat.figures import Figures
from proto.chat.house import House
from proto.chat.lines import LONGEST
from proto.chat.outgoing import Budget, Outgoing
from proto.chat.protocol import ChatProtocol
from proto.errors import PeerError
from proto.limits import TokenBucket
from proto.metrics import Metrics


class TextForm(SharedForm):
    """Lines of text, as terminals read them."""

    def __init__(self, times: bool, colors: bool, factory: ChatFactory) -> None:
        self.times = times
        self.colors = colors
        encoder = wire.Encoder(factory.clock.seconds, times=times, colors=colors)
        figures = factory.figures
        together = partial(Abreast, figures.bytes_out)
        super().__init__(encoder.encode, factory.wake, figures.delivered, together)


class ChatFactory(Factory[ChatProtocol]):
    """Builds a ChatProtocol for everyone who connects; all of them share one house.

    greet_after     seconds a newcomer may speak first, so that a TLS client or a browser that
                    came to the wrong port is told so in its own protocol; 0 greets at once
    hide_addresses  newcomers are called guest-7 and not by their address
    soft_mark       bytes that wait because a client does not read, above which its own input
                    is held
    hard_mark       the same, above which it is dropped
    stuck_after     seconds without taking what it was sent after which a client is dropped
    flood_lines     lines a client may send at once; then `flood_rate` lines a second, 0 = no limit
    backlog_limit   lines that may wait for their turn before reading pauses; one read of the
                    transport (64 KiB) comes on top of it
    line_limit      bytes of the longest line
    at_end_of_turn  runs a function after the present turn of the reactor; callLater(0) by default

    `motd` and the numbers are attributes that may be changed while it runs, for newcomers.
    """

    log = Logger()
    noisy = False

    def __init__(
        self,
        house: House,
        clock: IReactorTime,
        *,
        motd: Sequence[str] = (),
        greet_after: float = 0.2,
        hide_addresses: bool = False,
        soft_mark: int = 65536,
        hard_mark: int = 1 << 20,
        stuck_after: float = 30.0,
        flood_lines: int = 10,
        flood_rate: float = 5.0,
        backlog_limit: int = 200,
        line_limit: int = LONGEST,
        at_end_of_turn: Callable[[Callable[[], None]], object] | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.house = house
        self.clock = clock
        self.motd = motd
        self.greet_after = greet_after
        self.hide_addresses = hide_addresses
        self.soft_mark = soft_mark
        self.hard_mark = hard_mark
        self.stuck_after = stuck_after
        self.flood_lines = flood_lines
        self.flood_rate = flood_rate
        self.backlog_limit = backlog_limit
        self.line_limit = line_limit
        self._forms: dict[tuple[bool, bool], TextForm] = {}
        self.clients: set[ChatProtocol] = set()
        self.figures = Figures(metrics or Metrics(), house, self._queue_bytes)
        self._at_end_of_turn = at_end_of_turn or (lambda act: clock.callLater(0, act))
        self._awake: list[Outgoing | SharedAudience] = []

    # Twisted calls these.

    def startFactory(self) -> None:
        """Read the table of look-alikes now, and not while people wait for their lines."""
        names.looks("")

    def buildProtocol(self, addr: IAddress | None) -> ChatProtocol:
        """A protocol for a new connection."""
        return ChatProtocol(self)

    # The door calls these.

    def refusal(self, reason: PeerError) -> bytes:
        """What somebody reads who cannot be let in."""
        return wire.encode_refusal(reason)

    def farewell(self) -> None:
        """The service is stopping: say goodbye to everyone, and hang up when it is sent."""
        words = wire.encode_lines(wire.FAREWELL)
        for client in list(self.clients):
            client.dismiss(words)

    # Its clients call these.

    @property
    def budget(self) -> Budget:
        """What a newcomer may have waiting."""
        return Budget(self.soft_mark, self.hard_mark, self.stuck_after)

    def welcome(self) -> bytes:
        """The first lines that a newcomer reads; `motd` may be changed at any time."""
        return wire.encode_lines(*wire.WELCOME, *self.motd)

    def address_of(self, peer: IAddress) -> str | None:
        """The address to call a newcomer by, or None when it is hidden or there is none."""
        host = host_of(peer)
        return None if self.hide_addresses or not names.is_address(host) else host

    def bucket(self) -> TokenBucket:
        """How fast a newcomer may speak."""
        return TokenBucket(self.flood_lines, self.flood_rate, self.clock.seconds())

    def form(
        self,
        other: TextForm | None = None,
        *,
        times: bool | None = None,
        colors: bool | None = None,
    ) -> TextForm:
        """The form that everybody reads who wants times and colours so; None is like `other`."""
        if times is None:
            times = other is not None and other.times
        if colors is None:
            colors = other is not None and other.colors
        found = self._forms.get((times, colors))
        if found is None:
            found = TextForm(times, colors, self)
            self._forms[times, colors] = found
        return found

    def wake(self, out: Outgoing | SharedAudience) -> None:
        """Flush what goes out to this client, or these, at the end of the turn."""
        if not self._awake:
            self._at_end_of_turn(self._flush)
        self._awake.append(out)

    def _flush(self) -> None:
        awake, self._awake = self._awake, []
        for out in awake:
            try:
                out.flush()
            except Exception:
                self.log.failure("somebody could not be sent what they should read")

    def _queue_bytes(self) -> float:
        return sum(client.out.waiting for client in self.clients)
