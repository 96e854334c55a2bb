from __future__ import annotations

from twisted.internet.interfaces import ITCPTransport, ITransport
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from proto.reactor.interfaces import ILeanTransport, ITurns
from tests.reactor.stage import Stage


def test_a_transport_offers_what_is_promised(lean: Stage) -> None:
    protocol, _ = lean.pair()
    for interface in (ILeanTransport, ITCPTransport, ITransport):
        assert verifyObject(interface, protocol.transport)


def test_whoever_asks_another_reactor_is_told_that_it_has_no_turns() -> None:
    assert ITurns(Clock(), None) is None
