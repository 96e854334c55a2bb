"""TCP connections of the lean reactor, accepted and made: Twisted's, with another way to write.

Knows Twisted's TCP and TLS; the bytes that wait are in `stream`, who is called when is in `loop`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from twisted.internet import tcp
from twisted.internet._newtls import startTLS
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProducer, IProtocol
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from proto.reactor.backlog import Backlog, CannotSendFile, Portion
from proto.reactor.interfaces import ILeanTransport
from proto.reactor.stream import NOTHING, Stream


@implementer(ILeanTransport)
class LeanConnection(Stream, tcp.Connection):
    """What both ends have in common."""

    protocol: IProtocol

    # A protocol calls these.
    def write(self, data: bytes) -> None:
        # What is usual, without a further call; `Stream.write` knows the rest.
        if self._quick and data.__class__ is bytes:
            waiting = self._waiting
            if not waiting:
                if len(data) <= self.bufferSize:
                    if self.reactor.receiving is self:
                        self._waiting = data
                    else:
                        self._send_first(data)
                    return
            elif isinstance(waiting, Backlog):
                unsent = waiting.unsent + len(data)
                if unsent <= self.bufferSize:
                    waiting.pieces.append(data)
                    waiting.unsent = unsent
                    return
        if not self.TLS:
            Stream.write(self, data)
        elif self.connected:
            cast(Any, self.protocol).write(data)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        if not self.TLS:
            Stream.writeSequence(self, iovec)
        elif self.connected:
            cast(Any, self.protocol).writeSequence(iovec)

    def loseConnection(self) -> None:
        self._slow_down()
        tcp.Connection.loseConnection(self)

    def abortConnection(self) -> None:
        self._slow_down()
        tcp.Connection.abortConnection(self)

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        if self.TLS:
            cast(Any, self.protocol).registerProducer(producer, streaming)
        else:
            Stream.registerProducer(self, producer, streaming)

    def startTLS(self, ctx: Any, normal: bool = True) -> None:
        self._slow_down()
        startTLS(self, ctx, normal, Stream)

    def sendFile(self, descriptor: int, offset: int, count: int) -> Deferred[int]:
        """See ILeanTransport."""
        if not self._takes_more() or sends_files(self) is None:
            raise CannotSendFile("the connection is closed for writing, or it speaks TLS")
        if offset < 0 or count < 0:
            raise ValueError(f"no part of a file: {count} bytes from {offset} on")
        deferred: Deferred[int] = Deferred(lambda _: self._take_back(portion))
        portion = Portion(descriptor, offset, count, deferred)
        waiting = self._waiting
        if isinstance(waiting, bytes):
            self._waiting = waiting = Backlog(waiting) if waiting else Backlog()
        waiting.append_file(portion)
        self._added()
        return deferred

    # The reactor calls these.
    def doRead(self) -> Any:
        try:
            data = self.socket.recv(self.readSize or self.bufferSize)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not data:  # after an error that a write has found the kernel tells only that it is over
            return CONNECTION_LOST if self._broken else CONNECTION_DONE
        self.reactor.deliver(self, self.protocol.dataReceived, data)
        return None

    def connectionLost(self, reason: Failure) -> None:
        self._slow_down()
        waiting, self._waiting = self._waiting, NOTHING
        tcp.Connection.connectionLost(self, reason)
        if isinstance(waiting, Backlog):
            for portion in waiting.portions():
                portion.failure = reason
                portion.tell()

    def _take_back(self, portion: Portion) -> None:
        """Who asked for this part of a file wants it no more."""
        if not portion.begun and isinstance(self._waiting, Backlog):
            self._waiting.remove_file(portion)
        else:
            self.abortConnection()


class LeanServer(tcp.Server, LeanConnection):
    """A connection that was accepted."""


class LeanClient(tcp.Client, LeanConnection):
    """A connection that we made."""

    _base = LeanConnection
    _commonConnection = LeanConnection

    def _connectDone(self) -> None:
        self.reactor.deliver(self, super()._connectDone)


class LeanConnector(tcp.Connector):
    """Makes connections."""

    def _makeTransport(self) -> LeanClient:
        return LeanClient(self.host, self.port, self.bindAddress, self, self.reactor)


def sends_files(transport: object) -> LeanConnection | None:
    """This transport, if files may be sent on it.

    Ask this, not for the attribute or the interface: a TLS layer passes on what it does not know
    of, and the file would go out in the clear.
    """
    if not isinstance(transport, LeanConnection) or transport.TLS:
        return None
    return None if isinstance(transport.protocol, TLSMemoryBIOProtocol) else transport
