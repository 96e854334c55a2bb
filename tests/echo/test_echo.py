from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proto.echo.echo import EchoDatagrams, EchoFactory
from tests.echo.wire import ask
from tests.support import connect


@given(st.lists(st.binary()))
def test_every_byte_comes_back_in_order(pieces: list[bytes]) -> None:
    factory = EchoFactory()
    echo, wire = connect(factory)
    for piece in pieces:
        echo.dataReceived(piece)
    sent = b"".join(pieces)
    assert wire.value() == sent
    assert (factory.received.value, factory.sent.value) == (len(sent), len(sent))
    assert not wire.disconnecting


def test_reading_is_tied_to_writing_from_the_start() -> None:
    _, wire = connect(EchoFactory())
    assert (wire.producer, wire.streaming) == (wire, True)


def test_every_datagram_comes_back() -> None:
    service = EchoDatagrams()
    assert ask(service, b"hello") == [(b"hello", ("192.0.2.1", 4242))]
    assert ask(service, b"") == [(b"", ("192.0.2.1", 4242))]
    assert ask(service, b"x" * 65507) == [(b"x" * 65507, ("192.0.2.1", 4242))]


def test_another_echo_service_is_not_answered() -> None:
    assert ask(EchoDatagrams(), b"loop", ("192.0.2.1", 7)) == []
