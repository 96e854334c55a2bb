"""What the lean reactor and its transports offer beyond Twisted's interfaces.

A service asks for them (`ITurns(reactor, None)`) and does without on any other reactor.  Knows
nothing of how they are kept.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import ITCPTransport
from zope.interface import Attribute, Interface


class ITurns(Interface):
    """A reactor that tells when a turn ends: one poll, its events, and the timed calls after it."""

    def callAtEndOfTurn(f: Callable[..., object], *args: object) -> None:  # noqa: N805
        """Call `f(*args)` when this turn is over: after its events and timed calls, before the
        next poll.

        Once for each time that it is asked for, in the order of asking.  What is asked for by such
        a call comes at the end of the next turn, and that turn does not wait for events.  An
        exception is logged and hurts nobody else.  For the reactor's own thread only.
        """


class ILeanTransport(ITCPTransport):
    """A TCP transport of the lean reactor."""

    bufferSize = Attribute(
        "Bytes that may wait in the transport; above that, a streaming producer is paused."
    )
    readSize = Attribute("Bytes read from the peer in one turn; None: as many as `bufferSize`.")
    unsent = Attribute("Bytes that wait in the transport, those of files left out.")

    def sendFile(descriptor: int, offset: int, count: int) -> Deferred[int]:  # noqa: N805
        """Send `count` bytes of a file from `offset` on, behind what was written before.

        The descriptor stays open until the Deferred fires, with `count` when the kernel has taken
        everything.  It fails with FileTooShort if the file ends before, with OSError if it cannot
        be read, and with what the connection ended with if that comes first.  After a failure the
        stream lacks bytes, so the caller aborts the connection.  Cancelling takes back a file of
        which nothing was sent; of any other it aborts the connection.

        Raises CannotSendFile on a transport that speaks TLS or cannot be written to.
        """
