"""Records in a memcached.  While it is away nothing is found, and nobody waits for it.

A server that does not answer in time is as good as one that is away: its connection is cut, and
tried again after a while.  Knows no Twisted endpoint: connections come from whoever made this.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from proto.web.proxy.cache import memcachedwire as wire
from proto.web.proxy.cache.codec import decode, encode
from proto.web.proxy.cache.entry import Record

PATIENCE: Final = 0.5
"""Seconds that an answer may take."""
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 10.0
"""Seconds between two tries to connect; each is twice as long as the last."""
MOST_COMMANDS: Final = 2_000
"""Commands that may wait for their answers."""
MOST_WAITING: Final = 32 * 1024**2
"""Bytes that may wait to be sent."""
MOST_VALUE: Final = 1024**2 - 1024
"""Bytes of an encoded record; memcached's own bound is 1 MiB with all that belongs to it."""
MOST_GONE: Final = 10_000
"""Keys that are remembered, to be deleted when the server is back."""
SECONDS: Final = 30 * 86_400 - 1
"""For which it keeps a record; more would be read as a date."""

Answered = Callable[[wire.Answer | None], object]
Connect = Callable[[Protocol], Deferred[Protocol]]
"""Connects a protocol to the server; the Deferred fails when that cannot be done."""


class MemcachedConnection(Protocol):
    """One connection; commands are answered in their order."""

    def __init__(self, owner: MemcachedStore, clock: IReactorTime, patience: float) -> None:
        self._owner = owner
        self._clock = clock
        self._patience = patience
        self._answers = wire.Answers()
        self._waiting: deque[tuple[float, int, Answered]] = deque()
        self._bytes = 0
        self._alarm: IDelayedCall | None = None

    def has_room(self, size: int) -> bool:
        """Whether a command of that size may be sent."""
        return len(self._waiting) < MOST_COMMANDS and self._bytes + size <= MOST_WAITING

    def send(self, command: bytes, answered: Answered) -> None:
        """Send it; `answered` is called once, with None when there is no answer."""
        self._waiting.append((self._clock.seconds() + self._patience, len(command), answered))
        self._bytes += len(command)
        if self._alarm is None:
            self._alarm = self._clock.callLater(self._patience, self._look)
        self._wire.write(command)

    def cut(self) -> None:
        """End it at once."""
        self._wire.abortConnection()

    # Twisted calls these.
    def connectionMade(self) -> None:
        self._wire = cast(ITCPTransport, self.transport)
        self._wire.setTcpNoDelay(True)
        self._owner.connected(self)

    def dataReceived(self, data: bytes) -> None:
        try:
            for answer in self._answers.feed(data):
                if not self._waiting:
                    raise wire.BadAnswer("an answer to nothing")
                _, size, answered = self._waiting.popleft()
                self._bytes -= size
                answered(answer)
                self._owner.answered()
        except wire.BadAnswer as bad:
            self._owner.complain(str(bad))
            self.cut()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        waiting, self._waiting = self._waiting, deque()
        self._owner.lost(self, reason.getErrorMessage())
        for _, _, answered in waiting:
            answered(None)

    def _look(self) -> None:
        """The oldest command should have been answered by now, or there is a newer one."""
        self._alarm = None
        if self._waiting:
            left = self._waiting[0][0] - self._clock.seconds()
            if left > 0:
                self._alarm = self._clock.callLater(left, self._look)
            else:
                self._owner.complain("no answer in time")
                self.cut()


class MemcachedStore:
    """The records of one memcached; `prefix` keeps them apart from those of others."""

    log = Logger()

    def __init__(
        self,
        connect: Connect,
        clock: IReactorTime,
        *,
        name: str,
        prefix: bytes = b"proto:",
        patience: float = PATIENCE,
    ) -> None:
        """`name` is for the log.  Nothing is connected before `start`."""
        self._connect = connect
        self._clock = clock
        self._name = name
        self._prefix = prefix
        self._patience = patience
        self._connection: MemcachedConnection | None = None
        self._trying: Deferred[Protocol] | None = None
        self._later: IDelayedCall | None = None
        self._pause = FIRST_PAUSE
        self._gone: OrderedDict[bytes, None] = OrderedDict()
        self._is_away = False
        self._is_closed = False

    def start(self) -> None:
        """Connect, now and whenever the connection is lost."""
        self._later = None
        connection = MemcachedConnection(self, self._clock, self._patience)
        self._trying = self._connect(connection)
        self._trying.addErrback(self._not_connected)

    # The cache calls these; see `Store`.
    async def get(self, key: bytes) -> Record | None:
        if key in self._gone:
            return None
        answer = await self._ask(wire.get(self._prefix + key))
        return decode(key, answer) if isinstance(answer, wire.Found) else None

    async def put(self, key: bytes, record: Record) -> bool:
        value = encode(key, record)
        if len(value) > MOST_VALUE:
            return False
        if await self._ask(wire.put(self._prefix + key, value, SECONDS)) != b"STORED":
            return False
        self._gone.pop(key, None)
        return True

    async def remove(self, key: bytes) -> None:
        if await self._ask(wire.delete(self._prefix + key)) not in (b"DELETED", b"NOT_FOUND"):
            self._gone[key] = None
            if len(self._gone) > MOST_GONE:
                self._gone.popitem(last=False)

    async def close(self) -> None:
        self._is_closed = True
        if self._later is not None:
            self._later.cancel()
        if self._trying is not None:
            self._trying.cancel()
        if self._connection is not None:
            self._connection.cut()

    # The connection calls these.
    def connected(self, connection: MemcachedConnection) -> None:
        """Commands go there from now on; first those that it has missed."""
        self._trying = None
        if self._is_closed:
            connection.cut()
            return
        self._connection = connection
        for key in list(self._gone):
            connection.send(wire.delete(self._prefix + key), self._forgotten(key))

    def answered(self) -> None:
        """The server is well."""
        self._pause = FIRST_PAUSE
        if self._is_away:
            self._is_away = False
            self.log.info("{name} answers again", name=self._name)

    def lost(self, connection: MemcachedConnection, why: str) -> None:
        """No more commands go there."""
        if self._connection is connection:
            self._connection = None
        if not self._is_closed:
            self.complain(why)
            self._try_later()

    def complain(self, why: str) -> None:
        """Say it once, until it answers again."""
        if not self._is_away and not self._is_closed:
            self._is_away = True
            self.log.warn("{name} is away, nothing is cached: {why}", name=self._name, why=why)

    def _ask(self, command: bytes) -> Deferred[wire.Answer | None]:
        connection = self._connection
        if connection is None or not connection.has_room(len(command)):
            return succeed(None)
        asking: Deferred[wire.Answer | None] = Deferred()
        connection.send(command, asking.callback)
        return asking

    def _forgotten(self, key: bytes) -> Answered:
        def told(answer: wire.Answer | None) -> None:
            if answer in (b"DELETED", b"NOT_FOUND"):
                self._gone.pop(key, None)

        return told

    def _not_connected(self, failure: Failure) -> None:
        self._trying = None
        if not self._is_closed:
            self.complain(failure.getErrorMessage())
            self._try_later()

    def _try_later(self) -> None:
        if self._later is None:
            self._later = self._clock.callLater(self._pause, self.start)
            self._pause = min(LONGEST_PAUSE, self._pause * 2)
