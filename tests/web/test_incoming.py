from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred

from proto.web.incoming import FULL, BodyLost, IncomingBody


class Peer:
    """What a body asks of who sends it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.body = IncomingBody(
            lambda: self.asked.append("hold"),
            lambda: self.asked.append("go on"),
            lambda: self.asked.append("wanted"),
        )
        self.got: list[object] = []

    def take(self) -> Deferred[bytes]:
        taking: Deferred[bytes] = Deferred.fromCoroutine(self.body.__anext__())
        taking.addBoth(self._got)
        return taking

    def _got(self, result: object) -> None:
        self.got.append(result)


def test_what_has_come_is_given_in_order() -> None:
    peer = Peer()
    for piece in (b"a", b"b"):
        peer.body.put(piece)
    peer.body.end()
    reading: Deferred[bytes] = Deferred.fromCoroutine(peer.body.read())
    reading.addCallback(peer.got.append)
    assert peer.got == [b"ab"]
    assert peer.body.done


def test_a_reader_waits_for_what_comes() -> None:
    peer = Peer()
    peer.take()
    assert peer.got == []
    peer.body.put(b"a")
    assert peer.got == [b"a"]


def test_a_body_is_asked_for_once_and_only_when_it_is_wanted() -> None:
    peer = Peer()
    assert peer.asked == []
    peer.take()
    peer.body.put(b"a")
    peer.take()
    assert peer.asked == ["wanted"]


def test_a_peer_is_held_while_nobody_takes_what_it_sends() -> None:
    peer = Peer()
    peer.body.put(b"x" * FULL)
    assert peer.asked == []
    peer.body.put(b"y")
    peer.body.put(b"z")
    assert peer.asked == ["hold"]
    peer.take()
    assert peer.asked == ["hold", "wanted", "go on"] or peer.asked == ["hold", "wanted"]
    peer.take()
    peer.take()
    assert peer.asked.count("go on") == 1


def test_a_peer_that_leaves_is_told_after_what_it_has_sent() -> None:
    peer = Peer()
    peer.body.put(b"a")
    peer.body.fail(BodyLost("gone"))
    peer.take()
    peer.take().addErrback(peer.got.append)
    first, failure = peer.got
    assert first == b"a"
    assert failure.check(BodyLost)  # type: ignore[attr-defined]


def test_an_end_is_no_loss() -> None:
    peer = Peer()
    peer.body.end()
    peer.body.fail(BodyLost("gone"))
    peer.take()
    (failure,) = peer.got
    assert failure.check(StopAsyncIteration)  # type: ignore[attr-defined]


def test_a_body_has_one_reader() -> None:
    peer = Peer()
    peer.take()
    peer.take()
    (failure,) = peer.got
    assert failure.check(RuntimeError)  # type: ignore[attr-defined]


def test_a_reader_that_was_cancelled_leaves_its_place_to_another() -> None:
    peer = Peer()
    peer.take().cancel()
    assert peer.got[0].check(CancelledError)  # type: ignore[attr-defined]
    peer.take()
    peer.body.put(b"a")
    assert peer.got[1] == b"a"


def test_a_request_without_a_body_has_an_empty_one() -> None:
    got: list[bytes] = []
    reading: Deferred[bytes] = Deferred.fromCoroutine(IncomingBody.empty().read())
    reading.addCallback(got.append)
    assert got == [b""]


@pytest.mark.parametrize("done", [False, True])
def test_nobody_is_held_behind_the_end(done: bool) -> None:
    peer = Peer()
    peer.body.put(b"x" * (FULL + 1))
    if done:
        peer.body.end()
    peer.take()
    assert ("go on" in peer.asked) is not done
