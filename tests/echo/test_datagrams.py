from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import MessageLengthError
from twisted.internet.interfaces import IUDPTransport
from twisted.internet.testing import FakeDatagramTransport

from proto.echo.datagrams import Datagrams
from proto.metrics import Metrics
from tests.echo.wire import ask

PEER = ("192.0.2.1", 4242)


class Talkative(Datagrams):
    service = "talkative"

    def answer(self, datagram: bytes) -> bytes:
        return b"*" * 100


class Unwilling(FakeDatagramTransport):
    """A network that takes nothing."""

    def __init__(self, problem: Exception) -> None:
        super().__init__()
        self.problem = problem

    def write(self, packet: bytes, addr: object = None) -> None:
        raise self.problem


@given(datagram=st.binary(max_size=200), port=st.integers(0, 65535))
def test_no_answer_is_longer_than_its_datagram_and_none_goes_to_a_system_port(
    datagram: bytes, port: int
) -> None:
    answers = ask(Talkative(), datagram, ("192.0.2.1", port))
    if port <= 1023:
        assert answers == []
    else:
        assert answers == [(b"*" * min(100, len(datagram)), ("192.0.2.1", port))]


def test_by_itself_it_stays_silent() -> None:
    assert ask(Unnamed(), b"anybody there?", PEER) == []


class Unnamed(Datagrams):
    service = "unnamed"


def test_bytes_and_drops_are_counted() -> None:
    metrics = Metrics()
    service = Talkative(metrics)
    ask(service, b"12345", PEER)
    ask(service, b"123", ("192.0.2.1", 7))
    text = metrics.render().decode()
    assert 'proto_echo_bytes_received_total{service="talkative"} 8.0' in text
    assert 'proto_echo_bytes_sent_total{service="talkative"} 5.0' in text
    assert 'echo_datagrams_dropped_total{reason="system_port",service="talkative"} 1.0' in text


@pytest.mark.parametrize("problem", [OSError(11, "try again"), MessageLengthError("too long")])
def test_an_answer_the_network_does_not_take_is_dropped_and_counted(problem: Exception) -> None:
    service = Talkative()
    service.transport = cast(IUDPTransport, Unwilling(problem))
    service.datagramReceived(b"hello", PEER)
    assert (service.unsendable.value, service.sent.value) == (1, 0)
