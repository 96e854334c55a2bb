from __future__ import annotations

from typing import cast

from proto.echo.chargen import PATTERN, Chargen, ChargenDatagrams, ChargenFactory
from tests.echo.wire import ask
from tests.support import connect


def test_lines_are_those_of_the_rfc() -> None:
    lines = PATTERN.split(b"\r\n")
    assert lines.pop() == b""
    assert len(lines) == 95
    assert {len(line) for line in lines} == {72}
    # Its first lines, in RFC 864:
    assert lines[0] == b" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg"
    assert lines[1] == b"!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefgh"
    assert lines[24][:3] == b"89:"
    assert lines[94][:3] == b"~ !"


def test_more_is_written_only_when_the_last_is_gone() -> None:
    factory = ChargenFactory()
    protocol, wire = connect(factory)
    chargen = cast(Chargen, protocol)
    assert (wire.producer, wire.streaming) == (chargen, False)
    assert wire.value() == b""
    chargen.resumeProducing()
    assert wire.value() == PATTERN
    chargen.resumeProducing()
    assert wire.value() == PATTERN * 2
    assert factory.sent.value == 14060


def test_a_lost_connection_ends_it() -> None:
    factory = ChargenFactory()
    protocol, wire = connect(factory)
    chargen = cast(Chargen, protocol)
    chargen.stopProducing()
    chargen.connectionLost()
    assert (wire.value(), factory.peers) == (b"", set())


def test_farewell_stops_the_stream_so_that_the_connection_can_end() -> None:
    factory = ChargenFactory()
    _, wire = connect(factory)
    factory.farewell()
    assert wire.producer is None
    assert wire.disconnecting


def test_a_datagram_is_answered_with_as_many_characters_and_never_over_512() -> None:
    service = ChargenDatagrams()
    assert ask(service, b"12345678") == [(b" !\"#$%&'", ("192.0.2.1", 4242))]
    assert ask(service, b"x" * 1000) == [(PATTERN[:512], ("192.0.2.1", 4242))]
