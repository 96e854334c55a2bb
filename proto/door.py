"""The front door: a peer is let in or turned away before the service hears of it.

A `Door` is the factory that a listening port knows; behind it stands the service's own factory.
All doors of one service share a `Doorkeeper`.  A door knows nothing of what the service does.

    listening port -> Door -> Connection -> (TLS) -> the service's protocol

Once a peer is in, the door is out of the way: the transport calls the service's protocol directly.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any, Final, cast

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHalfCloseableProtocol,
    ILoggingContext,
    IOpenSSLServerConnectionCreator,
    IProtocol,
    IProtocolFactory,
    ITransport,
)
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import alsoProvides, directlyProvides, implementer, providedBy

from proto import proxyprotocol
from proto.addresses import group_of, host_of, peer_name
from proto.doorkeeper import Doorkeeper
from proto.errors import PeerError
from proto.limits import TooMany

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LINGER: Final = 2.0
"""Seconds that a refused peer has to read why; then it is cut off."""
MAX_LINGERING: Final = 64
"""Refused peers that are given that time at once; the others are cut off right after the words."""
HEADER_DEADLINE: Final = 5.0
"""Seconds for a PROXY header to arrive."""


@implementer(IProtocolFactory, ILoggingContext)
class Door:
    """The factory of one listening port."""

    def __init__(
        self,
        keeper: Doorkeeper,
        *,
        tls: IOpenSSLServerConnectionCreator | None = None,
        trusted_proxies: tuple[Network, ...] = (),
        dismiss: Callable[[Any], bool] = lambda protocol: False,
    ) -> None:
        """`tls` makes the server side of an OpenSSL connection (`CertificateOptions` does).
        From `trusted_proxies` a PROXY header is expected, and from nobody else.  `dismiss` asks a
        protocol of the service to end its connection in its own words, and tells whether it will.
        """
        self.keeper = keeper
        self.dismiss = dismiss
        self._tls = tls
        self._trusted = trusted_proxies

    # The listening port calls these.
    def doStart(self) -> None:
        """Nothing: the service starts its factory once, for all doors."""

    def doStop(self) -> None:
        """Nothing: the factory stops when the last peer has left."""

    def logPrefix(self) -> str:
        return self.keeper.name

    def buildProtocol(self, addr: IAddress) -> IProtocol:
        try:
            self.keeper.admissions.enter()
        except TooMany as refusal:
            words = self.keeper.refused(refusal, peer_name(addr))
            return self.with_tls(Refused(self.keeper, words), addr)
        if not self._trusted:
            return cast(IProtocol, Connection(self, addr))
        return cast(IProtocol, ProxiedConnection(self, addr, self._is_trusted(addr)))

    def protocol_for(self, addr: IAddress) -> IProtocol:
        """The service's protocol for a peer that may come in, behind TLS if this door has it.

        Raises TooMany, with nothing counted, if it may not.
        """
        group = group_of(host_of(addr))
        self.keeper.admissions.claim(group)
        try:
            protocol = self.keeper.factory.buildProtocol(addr)
        except BaseException:
            self.keeper.admissions.unclaim(group)
            raise
        assert protocol is not None, "a service's factory refuses in its protocol's own words"
        return self.with_tls(protocol, addr)

    def with_tls(self, protocol: object, addr: IAddress) -> IProtocol:
        """That protocol, behind a TLS layer if this door has one."""
        if self._tls is None:
            return cast(IProtocol, protocol)
        factory = TLSMemoryBIOFactory(self._tls, False, _Single(protocol), self.keeper.clock)
        return cast(IProtocol, factory.buildProtocol(addr))

    def _is_trusted(self, addr: IAddress) -> bool:
        try:
            ip = ipaddress.ip_address(host_of(addr))
        except ValueError:  # a unix socket: only this machine's proxy can reach it
            return True
        return any(ip in network for network in self._trusted if network.version == ip.version)


@implementer(IProtocolFactory)
class _Single:
    """A factory for one protocol that exists already; what the TLS layer is built around."""

    noisy = False

    def __init__(self, protocol: object) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: IAddress) -> IProtocol:
        return cast(IProtocol, self._protocol)

    def doStart(self) -> None:
        """Nothing to start."""

    def doStop(self) -> None:
        """Nothing to stop."""


class Connection(TwistedProtocol):
    """One peer that is counted.  Passes what it hears straight to the service's protocol."""

    def __init__(self, door: Door, addr: IAddress) -> None:
        self.door = door
        self.keeper = door.keeper
        self.peer = peer_name(addr)
        self.last_heard = self.keeper.clock.seconds()
        self._address = addr
        self._inner: IProtocol | None = None
        self._group: str | None = None
        self.hung_up = False

    # Twisted calls these.
    def makeConnection(self, transport: ITransport) -> None:
        self.transport = transport
        self.connected = 1
        descriptor = getattr(transport, "fileno", lambda: -1)()
        self.keeper.entered(self, descriptor)
        self.greet()

    def dataReceived(self, data: bytes) -> None:
        self.last_heard = self.keeper.clock.seconds()
        assert self._inner is not None
        self._inner.dataReceived(data)

    def readConnectionLost(self) -> None:
        cast(IHalfCloseableProtocol, self._inner).readConnectionLost()

    def writeConnectionLost(self) -> None:
        cast(IHalfCloseableProtocol, self._inner).writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        inner, self._inner = self._inner, None
        try:
            if inner is not None:
                inner.connectionLost(reason)
        finally:
            if self._group is not None:
                self.keeper.admissions.unclaim(self._group)
            self.keeper.left(self)

    # The doorkeeper calls these.
    def hang_up(self, why: str) -> None:
        """End the connection after what is written; when asked again, at once."""
        if self.hung_up:
            return self.abort()
        self.hung_up = True
        self.keeper.count_idle(self.peer, why)
        if self._group is not None and self.door.dismiss(_unwrapped(self._inner)):
            return None
        # A TLS layer has words of its own for the end, and may hold what is not sent yet.
        way = self._inner if isinstance(self._inner, TLSMemoryBIOProtocol) else self.transport
        assert way is not None
        return way.loseConnection()

    def heed(self) -> None:
        """From now on it counts when the peer was heard last."""
        self.__dict__.pop("dataReceived", None)
        self.last_heard = self.keeper.clock.seconds()

    def abort(self) -> None:
        """End the connection now."""
        _abort(self.transport)

    # This class and its child call these.
    def greet(self) -> None:
        """The peer's address is known: let it in."""
        assert self.transport is not None
        self.let_in(self._address, self.transport)

    def let_in(self, addr: IAddress, transport: ITransport) -> None:
        """Join the service's protocol to the transport, or say why not."""
        try:
            inner = self.door.protocol_for(addr)
        except TooMany as refusal:
            words = self.keeper.refused(refusal, self.peer)
            inner = self.door.with_tls(Refused(self.keeper, words), addr)
        else:
            self._group = group_of(host_of(addr))
        self._inner = inner
        if not self.keeper.admissions.limits.idle:
            self.dataReceived = inner.dataReceived  # type: ignore[method-assign]
        if IHalfCloseableProtocol.providedBy(inner):
            alsoProvides(self, IHalfCloseableProtocol)
        inner.makeConnection(transport)


class ProxiedConnection(Connection):
    """A connection that begins with a PROXY header; the service sees only the real peer."""

    def __init__(self, door: Door, addr: IAddress, trusted: bool) -> None:
        super().__init__(door, addr)
        self._trusted = trusted
        self._header = b""
        self._deadline: IDelayedCall | None = None

    def greet(self) -> None:
        if not self._trusted:
            return self._turn_away("only the proxy may connect here")
        self._deadline = self.keeper.clock.callLater(
            HEADER_DEADLINE, self._turn_away, "no PROXY header came"
        )
        return None

    def dataReceived(self, data: bytes) -> None:
        if self._deadline is None:
            return super().dataReceived(data) if self._inner is not None else None
        self._header += data
        try:
            header = proxyprotocol.parse(self._header)
        except proxyprotocol.HeaderInvalid as problem:
            return self._turn_away(f"no valid PROXY header: {problem}")
        if header is None:
            return None
        self._deadline.cancel()
        self._deadline = None
        rest, self._header = self._header[header.length :], b""
        self._open(header)
        if rest and self._inner is not None:
            self._inner.dataReceived(rest)
        return None

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        super().connectionLost(reason)

    def _open(self, header: proxyprotocol.Header) -> None:
        assert self.transport is not None
        source = header.source
        if source is None:
            return self.let_in(self._address, self.transport)
        kind = IPv6Address if ":" in source.host else IPv4Address
        peer = cast(IAddress, kind("TCP", source.host, source.port))
        host = cast(IAddress, kind("TCP", source.to_host, source.to_port))
        self.peer = peer_name(peer)
        return self.let_in(peer, cast(ITransport, _ProxiedTransport(self.transport, peer, host)))

    def _turn_away(self, text: str) -> None:
        """Nothing is said: whoever this is, it does not speak the service's protocol."""
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self.keeper.refused(PeerError(text), self.peer)
        self.keeper.log.warn(
            "{service} cut off {peer}: {text}", service=self.keeper.name, peer=self.peer, text=text
        )
        self._deadline = None
        self.abort()


class _ProxiedTransport:
    """The proxy's transport under the real peer's address; all else is the transport's own."""

    def __init__(self, original: ITransport, peer: IAddress, host: IAddress) -> None:
        directlyProvides(self, providedBy(original))
        self._original = original
        self._peer = peer
        self._host = host
        self.write = original.write
        self.writeSequence = original.writeSequence

    def getPeer(self) -> IAddress:
        return self._peer

    def getHost(self) -> IAddress:
        return self._host

    def __getattr__(self, name: str) -> object:
        return getattr(self._original, name)


@implementer(IHalfCloseableProtocol)
class Refused(TwistedProtocol):
    """A peer that may not come in: it is told why and given a moment to read it.

    Closing at once while its bytes are still unread would reset the connection and take the words
    away from it, so the write side closes first and what comes is thrown away.
    """

    def __init__(self, keeper: Doorkeeper, words: bytes) -> None:
        self._keeper = keeper
        self._words = words
        self._deadline: IDelayedCall | None = None

    def connectionMade(self) -> None:
        transport = self.transport
        assert transport is not None
        transport.write(self._words)
        close_writing = getattr(transport, "loseWriteConnection", None)
        full = len(self._keeper.lingering) >= MAX_LINGERING
        if isinstance(transport, TLSMemoryBIOProtocol):
            # Its words wait for the handshake, and its end is waited for: closing what is below
            # would take both away.  A peer without a place to wait in gets neither.
            if full:
                transport.abortConnection()
                return
            transport.loseConnection()
        elif close_writing is None or full:
            transport.loseConnection()
        else:
            close_writing()
        self._keeper.lingering.add(self)
        self._deadline = self._keeper.clock.callLater(LINGER, self.abort)

    def readConnectionLost(self) -> None:
        """The peer has finished; without this Twisted would drop words that are unsent."""
        assert self.transport is not None
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """We have said everything."""

    def abort(self) -> None:
        """The moment is over."""
        _abort(self.transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._keeper.lingering.discard(self)
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()


def _unwrapped(protocol: object) -> object:
    """What a TLS layer is around; a protocol without one is itself."""
    return protocol.wrappedProtocol if isinstance(protocol, TLSMemoryBIOProtocol) else protocol


def _abort(transport: ITransport | None) -> None:
    """Cut the connection if this transport can; the write-less kinds close at once anyway."""
    cut = getattr(transport, "abortConnection", None)
    if cut is not None:
        cut()
    elif transport is not None:
        transport.loseConnection()
