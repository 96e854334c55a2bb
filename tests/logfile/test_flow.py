from __future__ import annotations

from twisted.internet.testing import StringTransport

from proto.logfile.flow import Flow


def test_a_peer_is_read_when_no_reason_is_left() -> None:
    wire = StringTransport()
    flow = Flow(wire)
    seen = []
    for step, reason in (
        (flow.pause, "one"),
        (flow.pause, "other"),
        (flow.pause, "one"),
        (flow.resume, "one"),
        (flow.resume, "other"),
    ):
        step(reason)
        seen.append((wire.producerState, flow.paused))
    assert seen == [("paused", True)] * 4 + [("producing", False)]


def test_a_reason_that_there_never_was_changes_nothing() -> None:
    wire = StringTransport()
    flow = Flow(wire)
    flow.resume("one")
    flow.pause("other")
    flow.resume("one")
    assert wire.producerState == "paused"
