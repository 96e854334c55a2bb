from __future__ import annotations

from proto.echo.greeting import GreetingFactory
from tests.support import connect


def test_one_line_and_the_connection_is_over() -> None:
    factory = GreetingFactory("Thank you for connecting")
    _, wire = connect(factory)
    assert wire.value() == b"Thank you for connecting\r\n"
    assert wire.disconnecting
    assert factory.sent.value == 26


def test_there_is_a_message_if_the_operator_gives_none() -> None:
    _, wire = connect(GreetingFactory())
    assert wire.value() == b"Connection made ...\r\n"


def test_what_the_peer_says_meanwhile_changes_nothing() -> None:
    greeting, wire = connect(GreetingFactory("Hi"))
    greeting.dataReceived(b"GET / HTTP/1.0\r\n\r\n")
    assert wire.value() == b"Hi\r\n"
