from __future__ import annotations

from typing import cast

import pytest
from twisted.internet.interfaces import ITransport
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory

from proto.echo.quote import QuoteFactory
from tests.echo.wire import self_signed
from tests.support import connect


def test_the_quote_comes_first_and_then_an_echo() -> None:
    factory = QuoteFactory("Ä quote")
    quote, wire = connect(factory)
    assert wire.value() == "Ä quote\r\n".encode()
    quote.dataReceived(b"to be ")
    quote.dataReceived(b"or not")
    assert wire.value() == "Ä quote\r\nto be or not".encode()
    assert (factory.received.value, factory.sent.value) == (12, 22)
    assert not wire.disconnecting


def test_there_is_a_quote_if_the_operator_gives_none() -> None:
    _, wire = connect(QuoteFactory())
    assert wire.value() == b"An apple a day keeps the doctor away\r\n"


def test_reading_is_tied_to_writing_once_there_is_something_to_echo() -> None:
    quote, wire = connect(QuoteFactory())
    assert wire.producer is None
    quote.dataReceived(b"x")
    assert wire.producer is wire


class Reader(Protocol):
    """The client's side: keeps what it reads."""

    def __init__(self) -> None:
        self.data = b""

    def dataReceived(self, data: bytes) -> None:
        self.data += data


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")
def test_over_tls_the_quote_does_not_stop_the_handshake() -> None:
    clock = Clock()
    certificate = self_signed()
    server = TLSMemoryBIOFactory(certificate.options(), False, QuoteFactory("Hi"), clock)
    trusting = optionsForClientTLS("localhost", trustRoot=certificate)
    reader = Reader()
    client = TLSMemoryBIOFactory(trusting, True, Factory.forProtocol(lambda: reader), clock)
    at_server, server_wire = connect(server)
    at_client, client_wire = connect(client)

    def carry_bytes_both_ways() -> None:
        for _ in range(10):
            clock.advance(0)
            for wire, other in ((server_wire, at_client), (client_wire, at_server)):
                if wire.value():
                    other.dataReceived(wire.value())
                    wire.clear()
            # On a real transport a paused end reads nothing, so the handshake would hang here.
            assert server_wire.producerState == "producing"

    carry_bytes_both_ways()
    assert reader.data == b"Hi\r\n"
    cast(ITransport, reader.transport).write(b"echo")
    carry_bytes_both_ways()
    assert reader.data == b"Hi\r\necho"
