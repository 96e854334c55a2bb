from __future__ import annotations

from typing import Any

from twisted.internet.testing import StringTransport

from proto.web.carrier import Carried


class Wire(StringTransport):
    """Notes what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def getPeer(self) -> Any:
        self.asked.append("peer")
        return "peer"

    def getHost(self) -> Any:
        self.asked.append("host")
        return "host"

    def loseWriteConnection(self) -> None:
        self.asked.append("half")


def carried_by(wire: StringTransport) -> Carried:
    carried = Carried()
    carried.timeOut = None
    carried.makeConnection(wire)
    return carried


def test_the_kernel_is_asked_once_who_is_there() -> None:
    wire = Wire()
    carried = carried_by(wire)
    for _ in range(3):
        assert (carried.getPeer(), carried.getHost()) == ("peer", "host")
    assert wire.asked == ["peer", "host"]


def test_reading_stops_and_goes_on_when_it_is_told_something_new() -> None:
    wire = StringTransport()
    carried = carried_by(wire)
    states = []
    for wanted in (True, False, False, True):
        carried.set_reading(wanted)
        states.append(wire.producerState)
    assert states == ["producing", "paused", "paused", "producing"]


def test_half_of_a_connection_is_closed_where_there_are_two() -> None:
    wire = Wire()
    carried_by(wire).close_half()
    assert wire.asked == ["half"]
    carried_by(StringTransport()).close_half()  # which has one


def test_what_speaks_tls_has_no_half() -> None:
    wire = Wire()
    carried = carried_by(wire)
    carried.isSecure = lambda: True  # type: ignore[method-assign]
    carried.close_half()
    assert wire.asked == []
