"""The lean reactor's loop: one poll, then each event with as few calls as it takes.

A read of one of our own connections goes from recv to dataReceived in this loop.  Everything else,
be it an error, half a close or somebody else's descriptor, goes through Twisted's own code.  Timed
calls, threads, signals and processes are Twisted's altogether.

Knows nothing of what waits to be sent.
"""

from __future__ import annotations

from collections.abc import Callable
from errno import EINTR
from select import EPOLLIN, EPOLLOUT
from typing import Any, Final

from twisted.internet import unix
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.interfaces import IListeningPort
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST, installReactor
from twisted.python import context, log
from zope.interface import implementer

from proto.reactor.connection import LeanConnection, LeanConnector, LeanServer
from proto.reactor.interfaces import ITurns
from proto.reactor.port import LeanPort
from proto.reactor.stream import NOTHING

EVENTS_AT_ONCE: Final = 4096
"""Events taken from one poll; the kernel gives the others their turn in the next."""

Call = tuple[Callable[..., object], tuple[object, ...]]


@implementer(ITurns)
class LeanReactor(EPollReactor):
    """Twisted's epoll reactor, with connections and a loop of its own.

    `receiving` is the connection that is telling its protocol something at the moment.
    """

    receiving: LeanConnection | None = None

    def __init__(self) -> None:
        self._lean: dict[int, LeanConnection] = {}  # Those of ours that are read.
        self._added: set[int] | None = None  # Descriptors that came in during this turn.
        self._ending: list[Call] = []
        super().__init__()

    # Anybody may call these.
    def callAtEndOfTurn(self, f: Callable[..., object], *args: object) -> None:
        """See ITurns."""
        self._ending.append((f, args))

    def listenTCP(
        self, port: Any, factory: Any, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        listening = LeanPort(port, factory, backlog, interface, self)
        listening.startListening()
        return listening

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: Any, factory: Any) -> Any:
        if addressFamily not in INTERNET:
            return super().adoptStreamPort(fileDescriptor, addressFamily, factory)
        port = LeanPort._fromListeningDescriptor(self, fileDescriptor, addressFamily, factory)
        port.startListening()
        return port

    def adoptStreamConnection(self, fileDescriptor: int, addressFamily: Any, factory: Any) -> Any:
        if addressFamily not in INTERNET:
            return super().adoptStreamConnection(fileDescriptor, addressFamily, factory)
        return LeanServer._fromConnectedSocket(fileDescriptor, addressFamily, factory, self)

    def connectTCP(
        self,
        host: str,
        port: Any,
        factory: Any,
        timeout: float = 30.0,
        bindAddress: Any = None,
    ) -> Any:
        connector = LeanConnector(host, port, factory, timeout, bindAddress, self)
        connector.connect()
        return connector

    # Connections and ports call these.
    def deliver(
        self, connection: LeanConnection, tell: Callable[..., object], *args: object
    ) -> None:
        """Tell a connection's protocol something; what it writes meanwhile leaves as one."""
        outer: LeanConnection | None = self.receiving
        if outer is not None:
            outer.leave_group()  # a group asks only the one that is told something
        self.receiving = connection
        try:
            tell(*args)
        finally:
            self.receiving = outer
        if connection._waiting:
            connection.flush()

    def addReader(self, reader: Any) -> None:
        super().addReader(reader)
        # A client that is still connecting, and one being aborted, has a doRead of its own.
        if isinstance(reader, LeanConnection) and "doRead" not in vars(reader):
            fd = reader.fileno()
            if fd in self._reads:  # and not one of those that epoll cannot watch
                self._lean[fd] = reader

    def _add(self, xer: Any, primary: Any, other: Any, selectables: Any, *events: int) -> None:
        fd = xer.fileno()
        if self._added is not None and fd not in selectables:
            self._added.add(fd)
        super()._add(xer, primary, other, selectables, *events)

    def removeReader(self, reader: Any) -> None:
        if isinstance(reader, LeanConnection):
            fd = reader.fileno()
            if self._lean.get(fd) is reader:
                del self._lean[fd]
            elif fd == -1:
                for old in [old for old, each in self._lean.items() if each is reader]:
                    del self._lean[old]
        super().removeReader(reader)

    # The main loop calls this.
    def doPoll(self, timeout: float | None) -> None:
        if self._ending:
            timeout = self._end_turn(timeout)
        outer: LeanConnection | None = self.receiving
        self.receiving = None
        if outer is not None and outer._waiting:  # somebody polls inside dataReceived
            outer.flush()
        try:
            events = self._poller.poll(
                -1 if timeout is None else timeout, min(len(self._selectables), EVENTS_AT_ONCE)
            )
        except OSError as error:
            if error.errno == EINTR:
                return
            raise
        if events:
            earlier, self._added = self._added, set()
            label = dict(context.get(log.ILogContext))
            try:
                context.call({log.ILogContext: label}, self._dispatch, events, label)
            finally:
                if earlier is not None:
                    earlier |= self._added
                self._added = earlier
                self.receiving = None

    doIteration = doPoll

    def _dispatch(self, events: list[tuple[int, int]], label: dict[str, Any]) -> None:
        """Deal with each event.  `label` is what the log calls whoever is being dealt with."""
        readable = EPOLLIN
        lean = self._lean
        added = self._added
        assert added is not None
        for fd, event in events:
            if fd in added:  # the event was for one that has closed; its number was taken anew
                continue
            connection = lean.get(fd) if event == readable else None
            try:
                if connection is None:
                    self._dispatch_other(fd, event, label)
                    continue
                label["system"] = connection.logstr
                try:
                    data = connection.socket.recv(connection.readSize or connection.bufferSize)
                except BlockingIOError:
                    continue
                except OSError:
                    self._disconnectSelectable(connection, CONNECTION_LOST, True)
                    continue
                if not data:
                    self._disconnectSelectable(connection, CONNECTION_DONE, True)
                    continue
                self.receiving = connection
                try:
                    connection.protocol.dataReceived(data)
                    self.receiving = None
                    held = connection._waiting
                    if held:
                        if connection._quick and held.__class__ is bytes:
                            # What `flush` does, without its calls: most of what goes out is this.
                            connection._waiting = NOTHING
                            try:
                                sent = connection.socket.send(held)
                            except OSError as error:
                                connection.not_sent(held, error)
                            else:
                                if sent != len(held):
                                    connection.sent_in_part(held, sent)
                        else:
                            connection.flush()
                except BaseException as error:  # as Twisted: it is logged, and ends the connection
                    self.receiving = None
                    log.err()
                    self._disconnectSelectable(connection, error, False)
            except KeyboardInterrupt:
                raise
            except BaseException:
                log.err()

    def _dispatch_other(self, fd: int, event: int, label: dict[str, Any]) -> None:
        """An event that is not a plain read of one of our connections."""
        selectable = self._selectables.get(fd)
        if not isinstance(selectable, LeanConnection):
            if selectable is not None:
                log.callWithLogger(selectable, self._doReadOrWrite, selectable, fd, event)
            return
        if event & EPOLLIN and fd not in self._reads:  # paused since the poll
            event &= EPOLLOUT
        if event:
            label["system"] = selectable.logPrefix()
            self._doReadOrWrite(selectable, fd, event)

    def _end_turn(self, timeout: float | None) -> float | None:
        """Make the calls that were asked for.  How long the next poll may wait."""
        calls, self._ending = self._ending, []
        for f, args in calls:
            try:
                f(*args)
            except BaseException:
                log.err()
        if self._ending or self._justStopped or not self.running:
            return 0
        later = self.timeout()
        if timeout is None or later is None:
            return later if timeout is None else timeout
        return min(timeout, later)


INTERNET: Final = frozenset(LeanReactor._supportedAddressFamilies) - {unix.Port.addressFamily}


def install() -> None:
    """Make this the process's reactor; it stands here since Twisted looks beside the class."""
    installReactor(LeanReactor())
