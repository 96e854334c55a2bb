"""The body of an answer on its way to those who asked, gathered to be kept.

Whoever has read all that is here asks the origin for more, so the fastest reader sets the pace and
a slow one delays nobody.  Knows neither heads nor stores.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from proto.web.proxy.cache.announcement import Announcement
from proto.web.proxy.messages import Reply, ReplyLost


class Room:
    """Bytes of bodies that may be gathered at one time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.taken = 0

    def take(self, size: int) -> bool:
        """Take so many bytes, if there is room for them."""
        if self.taken + size > self._most:
            return False
        self.taken += size
        return True

    def give_back(self, size: int) -> None:
        """They are free again."""
        self.taken -= size


class Filling:
    """A body, as much of it as has come.

    One of more than `most` bytes, or for which `room` has none left, is gathered no longer.  Then
    it has one reader, and each chunk goes when that one has read it; so more may join only while
    `length` tells that this will not happen.
    """

    log = Logger()

    def __init__(
        self,
        reply: Reply,
        length: int | None,
        *,
        most: int,
        room: Room,
        ended: Callable[[bytes | None], object],
    ) -> None:
        """`ended` is called once: with the whole body, or None when there will be none to keep."""
        self.length = length
        self.readers = 0
        self.is_over = False
        """No more will come."""
        self.failure: Exception | None = None
        """Why not all of it has come."""
        self._reply = reply
        self._most = most
        self._room = room
        self._ended: Callable[[bytes | None], object] | None = ended
        self._chunks: list[bytes] = []
        self._gone = 0
        self._size = 0
        self._held = 0
        self._news: Announcement[None] | None = None
        self._pulling: Deferred[None] | None = None
        if length is not None:
            self._hold(length)

    @property
    def is_gathered(self) -> bool:
        """It may still be kept, or was."""
        return self._ended is not None or (self.is_over and self.failure is None)

    @property
    def may_be_joined(self) -> bool:
        """Others can read it from its beginning."""
        return self.length is not None and self._ended is not None

    def join(self) -> Reader:
        """Read it from its beginning."""
        if self._gone:
            raise RuntimeError("its beginning is gone")
        self.readers += 1
        return Reader(self)

    async def complete(self) -> None:
        """Read until all has come, or it is not gathered any more."""
        self.readers += 1
        try:
            while not self.is_over and self._ended is not None:
                await self.more()
        except CancelledError:
            self.leave()
            raise
        self.leave()

    def abandon(self) -> None:
        """Nobody wants the rest."""
        if not self.is_over:
            self._finish(ReplyLost("nobody waited for the rest"))
            if self._pulling is not None:
                self._pulling.cancel()
            self._reply.close()

    # The readers call these.
    def count(self) -> int:
        """Chunks that have come."""
        return self._gone + len(self._chunks)

    def chunk(self, place: int) -> bytes:
        """One of them; it goes, if this is not gathered."""
        found = self._chunks[place - self._gone]
        if self._ended is None and not self.is_over:
            self._let_go(place + 1)
        return found

    def more(self) -> Deferred[None]:
        """Fires when another chunk is here, or it is over."""
        if self._news is None:
            news = self._news = Announcement()
            waiting = news.wait()
            self._pulling = Deferred.fromCoroutine(self._pull(news))
            self._pulling.addErrback(self._failed)
            return waiting
        return self._news.wait()

    def leave(self) -> None:
        """A reader wants no more."""
        self.readers -= 1
        if not self.readers:
            self.abandon()
            self._chunks.clear()

    async def _pull(self, news: Announcement[None]) -> None:
        try:
            chunk = await anext(self._reply.body)
        except StopAsyncIteration:
            short = self.length is not None and self._size < self.length
            self._finish(ReplyLost("it is shorter than its length says") if short else None)
        except Exception as error:
            self._finish(error)
        else:
            self._add(chunk)
        self._news = self._pulling = None
        news.tell(None)

    def _add(self, chunk: bytes) -> None:
        if self.is_over:
            return
        self._size += len(chunk)
        if self.length is not None and self._size > self.length:
            self._finish(ReplyLost("it is longer than its length says"))
            self._reply.close()
            return
        self._chunks.append(chunk)
        if self._ended is not None and self._size > self._held:
            self._hold(self._size)

    def _hold(self, size: int) -> None:
        """Take room for so many bytes in all, or gather no longer."""
        if size <= self._most and self._room.take(size - self._held):
            self._held = size
        else:
            self._end(None)

    def _finish(self, failure: Exception | None) -> None:
        if self.is_over:
            return
        self.is_over = True
        self.failure = failure
        whole = self._ended is not None and failure is None
        self._end(b"".join(self._chunks) if whole else None)

    def _end(self, body: bytes | None) -> None:
        ended, self._ended = self._ended, None
        self._room.give_back(self._held)
        self._held = 0
        if ended is not None:
            ended(body)

    def _let_go(self, place: int) -> None:
        del self._chunks[: place - self._gone]
        self._gone = place

    def _failed(self, failure: object) -> None:
        self.log.failure("a body was not gathered", failure)  # type: ignore[arg-type]


class Reader:
    """An async iterator over a body; closed when it has ended."""

    def __init__(self, filling: Filling) -> None:
        self._filling = filling
        self._place = 0
        self._is_closed = False

    def __aiter__(self) -> Reader:
        return self

    async def __anext__(self) -> bytes:
        """The next bytes.  Raises ReplyLost when the rest never comes."""
        filling = self._filling
        while not self._is_closed:
            if self._place < filling.count():
                self._place += 1
                return filling.chunk(self._place - 1)
            if filling.is_over:
                self.close()
                if filling.failure is not None:
                    raise ReplyLost(str(filling.failure)) from filling.failure
                break
            await filling.more()
        raise StopAsyncIteration

    def close(self) -> None:
        """No more is wanted; does nothing the second time."""
        if not self._is_closed:
            self._is_closed = True
            self._filling.leave()
