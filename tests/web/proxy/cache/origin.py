"""An origin in memory, a cache in front of it, and clients that ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from proto.web.proxy.cache.cache import Cache
from proto.web.proxy.cache.flights import CacheLimits
from proto.web.proxy.cache.memory import MemoryStore
from proto.web.proxy.messages import Ask, Reply, ReplyLost

NOW: Final = 1_700_000_000  # Tue, 14 Nov 2023 22:13:20 GMT
DATE: Final = "Tue, 14 Nov 2023 22:13:20 GMT"
HOUR_AGO: Final = "Tue, 14 Nov 2023 21:13:20 GMT"
IN_A_MINUTE: Final = "Tue, 14 Nov 2023 22:14:20 GMT"

Line = tuple[bytes, bytes]


def lines(*texts: str) -> list[Line]:
    """`Name: value` each."""
    return [
        (name.encode("latin-1"), value.lstrip().encode("latin-1"))
        for name, _, value in (text.partition(":") for text in texts)
    ]


def ask(*fields: str, method: str = "GET", target: str = "/", host: str = "a.test") -> Ask:
    return Ask(method.encode(), target.encode(), lines(f"Host: {host}", *fields))


async def pieces(chunks: Iterable[bytes | Exception]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        if isinstance(chunk, Exception):
            raise chunk
        yield chunk


def answer(*fields: str, status: int = 200, body: bytes | Iterable[Any] = b"hello") -> Reply:
    """An answer of an origin; a Content-Length is there only when it is given."""
    chunks: Iterable[Any] = [body] if isinstance(body, bytes) else body
    return Reply(status, b"OK", lines(*fields), pieces(chunks))


LOST: Final = ReplyLost("reset")


class Held:
    """A body whose chunks come when the test says so."""

    def __init__(self) -> None:
        self._chunks: list[bytes | Exception | None] = []
        self._waiting: Deferred[None] | None = None
        self.taken = 0
        self.is_closed = False

    def send(self, chunk: bytes | Exception | None) -> None:
        """A chunk, a failure, or None: the end."""
        self._chunks.append(chunk)
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)

    def close(self) -> None:
        self.is_closed = True

    def __aiter__(self) -> Held:
        return self

    async def __anext__(self) -> bytes:
        while not self._chunks:
            self._waiting = Deferred()
            await self._waiting
        chunk = self._chunks.pop(0)
        if chunk is None:
            raise StopAsyncIteration
        if isinstance(chunk, Exception):
            raise chunk
        self.taken += 1
        return chunk


class Client:
    """Somebody who asks, and reads what comes."""

    def __init__(self, replying: Awaitable[Reply], *, reads: bool = True) -> None:
        self.reply: Reply | None = None
        self.body = b""
        self.failure: Exception | None = None
        self.is_done = False
        self._work = Deferred.fromCoroutine(self._go(replying, reads))
        self._work.addErrback(self._failed)

    def leave(self) -> None:
        """Hang up."""
        self._work.cancel()
        if self.reply is not None:
            self.reply.close()

    @property
    def status(self) -> int:
        assert self.reply is not None, self.failure
        return self.reply.status

    def value(self, name: str) -> str | None:
        """A field of the answer; there may be one of a name."""
        assert self.reply is not None, self.failure
        values = self.reply.values(name.lower().encode())
        assert len(values) <= 1, values
        return values[0].decode() if values else None

    @property
    def told(self) -> str:
        """Cache-Status."""
        return self.value("Cache-Status") or ""

    async def _go(self, replying: Awaitable[Reply], reads: bool) -> None:
        self.reply = await replying
        if reads:
            async for chunk in self.reply.body:
                self.body += chunk
            self.is_done = True

    def _failed(self, failure: Failure) -> None:
        assert isinstance(failure.value, Exception)
        self.failure = failure.value


Answering = Callable[[Ask], Reply | Exception | Deferred[Reply]]


class Street:
    """A cache, its origin and a clock."""

    def __init__(self, store: Any = None, **limits: Any) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.store: Any = MemoryStore(1 << 20) if store is None else store
        self.cache = Cache(self.store, self.clock, CacheLimits(**limits))
        self.asked: list[Ask] = []
        """What the origin was asked."""
        self.answering: Answering = lambda _: answer()

    def answers(self, *replies: Reply | Exception | Deferred[Reply]) -> None:
        """What the origin says from now on, one after another."""
        waiting = list(replies)
        self.answering = lambda _: waiting.pop(0)

    async def fetch(self, ask: Ask) -> Reply:
        self.asked.append(ask)
        found = self.answering(ask)
        if isinstance(found, Deferred):
            return await found
        if isinstance(found, Exception):
            raise found
        return found

    def client(self, request: Ask, *, reads: bool = True) -> Client:
        return Client(self.cache.reply(request, self.fetch), reads=reads)

    def get(self, *fields: str, **options: Any) -> Client:
        return self.client(ask(*fields, **options))

    def sent(self, name: str) -> list[bytes]:
        """The values of a field of what the origin was asked last."""
        return [value for each, value in self.asked[-1].fields if each.lower() == name.encode()]
