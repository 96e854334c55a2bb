"""One request and the script that answers it: the body goes in, the answer comes out.

Neither side is read faster than the other takes it.  Knows neither which script it is nor how it
was begun.
"""

from __future__ import annotations

from collections.abc import AsyncIterable
from dataclasses import dataclass
from typing import Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import NO_BODY_CODES

from proto.metrics import Tally
from proto.web.cgi.headers import Head, HeadReader, Malformed
from proto.web.cgi.pipes import NotRead
from proto.web.cgi.running import Running
from proto.web.incoming import BodyLost
from proto.web.outgoing import Outgoing, PeerLeft
from proto.web.request import WebRequest
from proto.web.response import HTTPError

_NO_ANSWER: Final = "The program gave no proper answer. The log says why."
_TOO_LATE: Final = "The program did not answer in time."


@dataclass(frozen=True, slots=True)
class Counts:
    """What is counted of the answers of scripts."""

    late: Tally
    malformed: Tally


class Exchange:
    """One answer in the making."""

    log = Logger()

    def __init__(
        self, request: WebRequest, running: Running, max_output: int, counts: Counts
    ) -> None:
        """`max_output` is in bytes."""
        self._request = request
        self._running = running
        self._max_output = max_output
        self._counts = counts
        self._reader = HeadReader()
        self._read = 0  # bytes of the document
        self._outgoing: Outgoing | None = None
        self._failure: Exception | None = None  # why it was cancelled, if it was not the peer
        self._talking: Deferred[bytes | None]

    async def run(self, body: AsyncIterable[bytes] | None) -> bytes | None:
        """Answer the request; or give the path that is to be answered with instead.

        Raises:
            HTTPError: nothing was answered yet, and this is what to say.
        """
        self._talking = Deferred.fromCoroutine(self._talk())
        self._running.when_late(self._late)
        feeding = Deferred.fromCoroutine(self._feed(body))
        feeding.addErrback(self._not_fed)
        try:
            return await self._talking
        except CancelledError:
            if self._failure is None:
                self._running.stop()  # before its input ends, which it would take for the whole
                raise
            self._break_off(self._failure)
        except (Malformed, HTTPError) as error:
            self._break_off(error)
        except PeerLeft:
            self._running.stop()
        finally:
            self._running.close_input()
            feeding.cancel()
        return None

    def _break_off(self, error: Exception) -> None:
        """Stop the script; raise that if nothing was answered yet, or else end the answer."""
        self._running.stop()
        if isinstance(error, Malformed):
            self._counts.malformed.value += 1
            self._complain(str(error))
            error = HTTPError(502, _NO_ANSWER)
        if self._request.is_over:
            return
        if self._outgoing is None:
            raise error
        self._outgoing.break_off()

    def _late(self, why: str) -> None:
        self._counts.late.value += 1
        self._complain(why)
        self._give_up(HTTPError(504, _TOO_LATE))

    def _give_up(self, failure: Exception) -> None:
        self._failure = failure
        self._talking.cancel()

    def _complain(self, what: str) -> None:
        self.log.warn("cgi {script}: {what}", script=self._running.name, what=what)

    # The body goes in.
    async def _feed(self, body: AsyncIterable[bytes] | None) -> None:
        if body is not None:
            try:
                async for chunk in body:
                    await self._running.write(chunk)
            except NotRead:  # but whoever sends all before it listens is to hear the answer
                async for _ in body:
                    pass
        self._running.close_input()

    def _not_fed(self, failure: Failure) -> None:
        """Of a body that is not whole, no script shall make anything."""
        if failure.check(BodyLost, CancelledError) is not None:
            if failure.check(BodyLost) is not None:
                self._running.stop()
            self._running.close_input()
            return
        if failure.check(HTTPError) is None:
            self.log.failure("cgi {script}: its input", failure, script=self._running.name)
        why = failure.value
        self._give_up(why if isinstance(why, HTTPError) else HTTPError(500, _NO_ANSWER))

    # The answer comes out.
    async def _talk(self) -> bytes | None:
        head = await self._head()
        if head.local is not None:
            await self._drain()
            return head.local
        if head.content_type is None:
            size = await self._drain()
            if size and not head.is_redirect:
                raise Malformed("it gave a document without a Content-Type")
            self._begin(head, 0)
            self._request.write(b"")
            self._request.finish()
        elif self._request.method == b"HEAD" or head.status in NO_BODY_CODES:
            self._begin(head, None if head.status in NO_BODY_CODES else head.length)
            self._request.write(b"")
            self._request.finish()
            await self._drain()
        else:
            await self._pass_on(head)
        return None

    async def _head(self) -> Head:
        head = None
        while head is None:
            data = await self._running.read()
            if not data:
                raise self._reader.end()
            head = self._reader.feed(data)
        return head

    async def _more(self) -> bytes:
        """The next bytes of the document; nothing at its end."""
        data, self._reader.rest = self._reader.rest, b""
        data = data or await self._running.read()
        self._read += len(data)
        if self._read > self._max_output:
            raise Malformed(f"its document is longer than {self._max_output} bytes")
        return data

    async def _drain(self) -> int:
        """Read what nobody wants, to its end; how many bytes it was."""
        size = 0
        while data := await self._more():
            size += len(data)
        return size

    async def _pass_on(self, head: Head) -> None:
        """Send the document as it comes."""
        if max(head.length or 0, len(self._reader.rest)) > self._max_output:
            raise Malformed(f"its document is longer than {self._max_output} bytes")
        left = head.length
        self._begin(head, left)
        outgoing = self._outgoing = Outgoing(self._request)
        if not self._reader.rest:
            await outgoing.write(b"")  # the head need not wait for the document
        surplus = False
        while left != 0 and (data := await self._more()):
            piece = data if left is None else data[:left]
            surplus = len(piece) < len(data)
            await outgoing.write(piece)
            if left is not None:
                left -= len(piece)
        if left:
            raise Malformed("its document is shorter than its Content-Length")
        outgoing.finish()
        if await self._drain() or surplus:
            self._complain("its document is longer than its Content-Length")

    def _begin(self, head: Head, length: int | None) -> None:
        """Set the head of the answer."""
        request, fields = self._request, self._request.responseHeaders
        request.code, request.code_message = head.status, head.phrase
        if head.content_type is not None:
            fields.setRawHeaders(b"Content-Type", [head.content_type])
        given: dict[bytes, list[bytes]] = {}
        for name, value in head.fields:
            given.setdefault(name.lower(), []).append(value)
        for name, values in given.items():
            fields.setRawHeaders(name, values)
        if length is not None and head.status not in NO_BODY_CODES:
            fields.setRawHeaders(b"Content-Length", [b"%d" % length])
