from __future__ import annotations

import pytest

from proto.logfile.relp import LAST_TXNR, OFFERS, Session, answer
from proto.logfile.send.relpwire import OPEN, RelpWire
from proto.logfile.send.window import Window
from proto.logfile.send.wire import Hopeless, Trouble


def opened(*lines: bytes, first: int = 1) -> tuple[RelpWire, Window]:
    window = Window()
    window.add(lines)
    wire = RelpWire(window, first)
    assert wire.begin() == b"%d open %d %s\n" % (first, len(OPEN), OPEN)
    assert wire.pack() == b""
    wire.feed(answer(first, OFFERS))
    return wire, window


def test_lines_become_frames_and_answers_acknowledgements() -> None:
    wire, window = opened(b"one", b"", b"three")
    assert wire.pack() == b"2 syslog 3 one\n3 syslog 0\n4 syslog 5 three\n"
    wire.feed(b"2 rsp 6 200 OK\n3 rsp 6 20")
    assert window.acknowledged == 1
    wire.feed(b"0 OK\n4 rsp 6 200 OK\n")
    assert (window.acknowledged, window.empty) == (3, True)
    assert wire.end() == b"5 close 0\n"


def test_our_own_server_understands_it() -> None:
    window = Window()
    window.add([b"one", b"", b"three"])
    wire, session = RelpWire(window), Session()
    wire.feed(session.receive(wire.begin()).stored())
    wire.feed(session.receive(wire.pack()).stored())
    assert window.empty
    assert session.receive(wire.end()).stored() == b"5 rsp 6 200 OK\n0 serverclose 0\n"
    assert session.problem == ""


def test_numbers_go_on_with_1_after_the_last() -> None:
    wire, window = opened(b"a", b"b", first=LAST_TXNR - 1)
    assert wire.pack() == b"999999999 syslog 1 a\n1 syslog 1 b\n"
    wire.feed(answer(LAST_TXNR, b"200 OK") + answer(1, b"200 OK"))
    assert window.empty


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"0 serverclose 0\n", "the server closed the session"),
        (b"3 rsp 6 200 OK\n", "the server answers 3 where 2 is next"),
        (b"0 rsp 6 200 OK\n", "the server answers 0 where 2 is next"),
        (b"HTTP/1.1 400 Bad Request\r\n", "the server does not speak RELP"),
    ],
)
def test_what_is_no_answer_is_trouble(said: bytes, why: str) -> None:
    wire, window = opened(b"a", b"b")
    wire.pack()
    with pytest.raises(Trouble) as trouble:
        wire.feed(said)
    assert (str(trouble.value), trouble.value.refused) == (why, False)
    assert window.acknowledged == 0


def test_an_answer_to_what_was_not_asked_is_trouble() -> None:
    wire, _ = opened()
    with pytest.raises(Trouble, match="the server answers 2 where 2 is next"):
        wire.feed(b"2 rsp 6 200 OK\n")


def test_what_was_acknowledged_before_the_end_counts() -> None:
    wire, window = opened(b"a", b"b")
    wire.pack()
    with pytest.raises(Trouble):
        wire.feed(b"2 rsp 6 200 OK\n0 serverclose 0\n")
    assert window.acknowledged == 1


def test_a_line_that_is_not_taken_is_trouble_with_that_line() -> None:
    wire, window = opened(b"a", b"b")
    wire.pack()
    with pytest.raises(Trouble) as trouble:
        wire.feed(b"2 rsp 6 200 OK\n3 rsp 14 500 not stored\n")
    assert str(trouble.value) == "the server does not take it: '500 not stored'"
    assert trouble.value.refused
    assert window.acknowledged == 1


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"500 no \x1b room", r"the server refuses the session: '500 no \\x1b room'"),
        (b"200 OK\nrelp_version=0\ncommands=eventlog", "the server takes no syslog messages"),
        (b"200 OK", "the server takes no syslog messages"),
    ],
)
def test_a_server_that_takes_no_messages_is_hopeless(said: bytes, why: str) -> None:
    wire = RelpWire(Window())
    wire.begin()
    with pytest.raises(Hopeless, match=why):
        wire.feed(answer(1, said))
