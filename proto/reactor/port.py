"""A listening port of the lean reactor: it accepts in batches, and rests when descriptors run out.

Knows nothing of what comes over the connections; limits on who may come are the factory's.
"""

from __future__ import annotations

import errno
import socket
from typing import Any, Final

from twisted.internet import tcp
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python import log
from twisted.python.failure import Failure

from proto.reactor.connection import LeanServer

REST: Final = 1.0
"""Seconds without new connections when the kernel has no more descriptors or memory for them."""
TELL_AGAIN: Final = 60.0
"""Seconds between two complaints about that in the log."""
SHORTAGES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
PASSING: Final = frozenset({errno.ECONNABORTED, errno.EPERM, errno.EPROTO})
"""A connection that was gone, or forbidden by a firewall, before it was accepted: take the next."""


class LeanPort(tcp.Port):
    """Accepts at most `numberAccepts` connections a turn, a number that is the owner's to set."""

    log = Logger()
    reactor: Any
    transport = LeanServer
    numberAccepts: int
    _wanted = False
    _rest: IDelayedCall | None = None
    _told: float | None = None

    # The reactor calls these.
    def doRead(self) -> None:
        for _ in range(self.numberAccepts):
            if not self.connected:
                return
            try:
                skt, address = self.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in PASSING:
                    continue
                if error.errno in SHORTAGES:
                    self._run_short(error)
                else:
                    log.err()
                return
            try:
                self._welcome(skt, address)
            except BaseException:  # as Twisted: whatever a factory raises, the port goes on
                log.err()

    def connectionLost(self, reason: Failure) -> None:
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        super().connectionLost(reason)

    # Who owns the port calls these; while it rests they say what it does afterwards.
    def startReading(self) -> None:
        self._wanted = True
        if self._rest is None:
            super().startReading()

    def stopReading(self) -> None:
        self._wanted = False
        super().stopReading()

    def _welcome(self, skt: socket.socket, address: tuple[Any, ...]) -> None:
        if len(address) == 4 and address[3]:  # IPv6 with a scope, such as fe80::1%eth0
            address = tcp._getrealname(address)
        assert self.factory is not None
        try:
            protocol = self.factory.buildProtocol(self._buildAddr(address))
            if protocol is None:
                skt.close()
                return
            session = self.sessionno
            self.sessionno = session + 1
            transport = self.transport(skt, protocol, address, self, session, self.reactor)
        except BaseException:
            skt.close()
            raise
        try:
            self.reactor.deliver(transport, protocol.makeConnection, transport)
        except BaseException:
            if transport._waiting:  # as Twisted: who fails while connecting stays connected
                transport.flush()
            raise

    def _run_short(self, error: OSError) -> None:
        """Turn those away who wait now, as Twisted does; whoever comes in a while may stay."""
        now = self.reactor.seconds()
        if self._told is None or now - self._told >= TELL_AGAIN:
            self._told = now
            self.log.warn("{port} rests: {why}", port=self, why=error.strerror)
        if error.errno == errno.EMFILE and tcp._reservedFD.available():
            with tcp._reservedFD:
                self._turn_away()
        if self._rest is None:
            super().stopReading()
            self._rest = self.reactor.callLater(REST, self._wake)

    def _turn_away(self) -> None:
        for _ in range(self.backlog or tcp.Port.backlog):
            try:
                skt, _address = self.socket.accept()
            except OSError:
                return
            skt.close()

    def _wake(self) -> None:
        self._rest = None
        if self._wanted:
            super().startReading()
