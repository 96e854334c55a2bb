from __future__ import annotations

import errno

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import INegotiated
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import alsoProvides

from proto.client.conversation import Conversation
from proto.client.script import End, Script, Step

HANG_UP = Step(0, End.HANG_UP)
FINISH = Step(0, End.FINISH_SENDING)


class HalfCloseable(StringTransport):
    """A wire that knows whether its sending half was closed."""

    finished = False

    def loseWriteConnection(self) -> None:
        self.finished = True


class Talk:
    """A conversation on a wire and a clock of its own, and what became of it."""

    def __init__(self, *steps: Step, wait: float = 5.0, encrypted: bool = False) -> None:
        self.clock = Clock()
        self.shown = b""
        self.problem: str | None = None
        self.over = False
        self.wire = HalfCloseable()
        if encrypted:
            alsoProvides(self.wire, INegotiated)
        self.client = Conversation(Script("here:1", steps, wait), self.show, self.clock)
        self.client.over.addCallbacks(self.ended, self.broken)
        self.client.makeConnection(self.wire)

    def show(self, data: bytes) -> None:
        self.shown += data

    def ended(self, _: None) -> None:
        self.over = True

    def broken(self, failure: Failure) -> None:
        self.over = True
        self.problem = failure.getErrorMessage()


def test_the_tutorial_is_spoken_in_time() -> None:
    talk = Talk(
        Step(0, b"Hello"), Step(0, b"1 2 3 4"), Step(1, b"world"), Step(1, End.HANG_UP), wait=5
    )
    assert talk.wire.value() == b"Hello1 2 3 4"
    talk.clock.advance(0.9)
    assert talk.wire.value() == b"Hello1 2 3 4"
    talk.clock.advance(0.1)
    assert (talk.wire.value(), talk.wire.disconnecting) == (b"Hello1 2 3 4world", False)
    talk.clock.advance(1)
    assert talk.wire.disconnecting
    talk.client.connectionLost()
    assert (talk.over, talk.problem) == (True, None)
    assert not talk.clock.getDelayedCalls()


def test_what_comes_is_shown_as_it_comes() -> None:
    talk = Talk(Step(0, b"x"), FINISH)
    talk.client.dataReceived(b"a\xff")
    assert talk.shown == b"a\xff"
    talk.client.dataReceived(b"b")
    assert talk.shown == b"a\xffb"


def test_after_the_last_step_it_finishes_sending_and_listens_until_the_server_closes() -> None:
    talk = Talk(Step(0, b"x"), Step(2, End.FINISH_SENDING))
    assert not talk.wire.finished
    talk.clock.advance(2)
    assert (talk.wire.finished, talk.wire.disconnecting, talk.over) == (True, False, False)
    talk.client.dataReceived(b"late")
    talk.client.connectionLost()
    assert (talk.shown, talk.over, talk.problem) == (b"late", True, None)


def test_a_server_that_does_not_close_is_waited_for_no_longer_than_told() -> None:
    talk = Talk(Step(0, b"x"), FINISH, wait=3)
    talk.clock.advance(2.9)
    assert not talk.over
    talk.clock.advance(0.1)
    assert (talk.over, talk.problem, talk.wire.disconnecting) == (True, None, True)
    talk.client.connectionLost(Failure(ConnectionLost()))
    assert talk.problem is None


def test_with_nothing_to_send_it_keeps_both_halves_open() -> None:
    talk = Talk(Step(0, End.LISTEN), wait=3)
    assert not talk.wire.finished
    talk.clock.advance(3)
    assert talk.over


def test_under_tls_half_a_connection_is_not_closed() -> None:
    talk = Talk(Step(0, b"x"), FINISH, encrypted=True)
    assert (talk.wire.finished, talk.over) == (False, False)


def test_a_server_that_hangs_up_before_all_is_sent_is_a_problem() -> None:
    talk = Talk(Step(1, b"x"), Step(1, b"y"), HANG_UP)
    talk.client.connectionLost()
    assert talk.problem == "the server hung up with 2 still to send"
    assert not talk.clock.getDelayedCalls()


def test_a_server_that_hangs_up_when_all_is_sent_is_none() -> None:
    talk = Talk(Step(0, b"x"), Step(9, End.HANG_UP))
    talk.client.connectionLost()
    assert (talk.over, talk.problem) == (True, None)
    assert not talk.clock.getDelayedCalls()


def test_a_connection_that_breaks_is_a_problem() -> None:
    talk = Talk(Step(0, b"x"), FINISH)
    talk.client.connectionLost(Failure(ConnectionLost("reset")))
    assert talk.problem == "Connection to the other side was lost in a non-clean fashion: reset."


class FullDisk(Talk):
    def show(self, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_an_output_that_cannot_be_written_ends_it() -> None:
    talk = FullDisk(Step(0, b"x"), Step(1, b"y"), HANG_UP)
    talk.client.dataReceived(b"a")
    assert talk.problem == "the output cannot be written: No space left on device"
    assert talk.wire.disconnecting
    assert not talk.clock.getDelayedCalls()
    talk.client.connectionLost()
