from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from proto.echo.services import SERVICES, SmallServiceOptions, Surroundings
from proto.errors import PeerError
from proto.metrics import Metrics
from tests.echo.wire import ask
from tests.support import connect

OPTIONS = SmallServiceOptions(
    quote="a quote", message="a message", delimiter=b"?", delay=2.0, text=True, max_request=4
)


def surroundings(options: SmallServiceOptions = OPTIONS) -> Surroundings:
    return Surroundings(options, clock=Clock(), now=lambda: 0.0, metrics=Metrics())


def test_all_services_of_the_specification_are_there_and_echo_is_first() -> None:
    assert list(SERVICES) == [
        *("echo", "quote", "greeting", "reverse", "reverse-lines"),
        *("discard", "daytime", "qotd", "chargen", "time"),
    ]


def test_udp_is_served_where_an_rfc_defines_it() -> None:
    served = {name for name, service in SERVICES.items() if service.udp is not None}
    assert served == {"echo", "discard", "daytime", "qotd", "chargen", "time"}


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_row_builds_goes_by_its_name_and_counts_where_it_is_told(name: str) -> None:
    given = surroundings()
    service = SERVICES[name]
    factory = service.tcp(given)
    assert factory.service == name
    factory.received.value += 1
    if service.udp is not None:
        datagrams = service.udp(given)
        assert datagrams.service == name
        datagrams.received.value += 1
    count = 1 if service.udp is None else 2
    text = given.metrics.render().decode()
    assert f'proto_echo_bytes_received_total{{service="{name}"}} {count}.0' in text


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_can_refuse_and_say_farewell(name: str) -> None:
    factory = SERVICES[name].tcp(surroundings())
    assert factory.refusal(PeerError("full")) in (b"full\r\n", b"")
    wires = [connect(factory)[1] for _ in range(2)]
    factory.farewell()
    assert all(wire.disconnecting for wire in wires)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("echo", b"12345?\n"),
        ("quote", b"a quote\r\n12345?\n"),
        ("greeting", b"a message\r\n"),
        ("reverse", b"request longer than 4 bytes\r\n"),
        ("reverse-lines", b"line longer than 4 bytes\r\n"),
        ("discard", b""),
        ("daytime", b"Thu, 01 Jan 1970 00:00:00 GMT\r\n"),
        ("qotd", b"a quote\r\n"),
        ("time", b"\x83\xaa\x7e\x80"),
    ],
)
def test_the_options_reach_the_service(name: str, said: bytes) -> None:
    protocol, wire = connect(SERVICES[name].tcp(surroundings()))
    protocol.dataReceived(b"12345?\n")
    assert wire.value() == said


def test_delay_and_text_reach_the_reversing_service() -> None:
    clock = Clock()
    given = Surroundings(OPTIONS, clock=clock, now=lambda: 0.0, metrics=Metrics())
    protocol, wire = connect(SERVICES["reverse"].tcp(given))
    protocol.dataReceived("né?".encode())
    clock.advance(1.9)
    assert wire.value() == b""
    clock.advance(0.1)
    assert wire.value() == "én".encode()


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("echo", b"." * 40),
        ("daytime", b"Thu, 01 Jan 1970 00:00:00 GMT\r\n"),
        ("qotd", b"a quote\r\n"),
        ("chargen", b" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFG"),
        ("time", b"\x83\xaa\x7e\x80"),
    ],
)
def test_the_options_reach_the_datagrams(name: str, answer: bytes) -> None:
    build = SERVICES[name].udp
    assert build is not None
    assert ask(build(surroundings()), b"." * 40) == [(answer, ("192.0.2.1", 4242))]


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if service.udp])
def test_no_udp_service_answers_with_more_than_it_got(name: str) -> None:
    build = SERVICES[name].udp
    assert build is not None
    for size in range(40):
        assert sum(len(answer) for answer, _ in ask(build(surroundings()), b"." * size)) <= size
