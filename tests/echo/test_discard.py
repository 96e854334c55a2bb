from __future__ import annotations

from proto.echo.discard import DiscardDatagrams, DiscardFactory
from proto.errors import PeerError
from tests.echo.wire import ask
from tests.support import connect


def test_everything_is_read_and_nothing_said() -> None:
    factory = DiscardFactory()
    discard, wire = connect(factory)
    for _ in range(100):
        discard.dataReceived(b"x" * 65536)
    assert wire.value() == b""
    assert not wire.disconnecting
    assert factory.received.value == 6553600


def test_a_refused_peer_hears_nothing_either() -> None:
    assert DiscardFactory().refusal(PeerError("full")) == b""


def test_datagrams_are_counted_and_not_answered() -> None:
    service = DiscardDatagrams()
    assert ask(service, b"hello") == []
    assert service.received.value == 5
