from __future__ import annotations

import socket

from twisted.internet.testing import StringTransport

from proto.web.patience import LOOK_AGAIN, Stall


def test_a_peer_that_takes_nothing_for_too_long_has_stalled() -> None:
    stall, wire = Stall(60), StringTransport()
    assert not stall.watch(100, wire, True)
    assert stall.due(100) == 100 + LOOK_AGAIN
    assert not stall.watch(159, wire, True)
    assert stall.due(159) == 160
    assert stall.watch(160, wire, True)


def test_nobody_has_stalled_for_whom_nothing_waits() -> None:
    stall, wire = Stall(60), StringTransport()
    stall.watch(100, wire, True)
    watched = [stall.is_watched]
    assert not stall.watch(200, wire, False)
    assert [*watched, stall.is_watched] == [True, False]
    assert not stall.watch(300, wire, True)


def test_a_peer_that_took_all_begins_anew() -> None:
    stall, wire = Stall(60), StringTransport()
    stall.watch(100, wire, True)
    stall.forget()
    assert not stall.watch(200, wire, True)
    assert stall.watch(260, wire, True)


class Moving:
    """A peer of which `proto.web.liveness` knows how much it has taken."""

    def __init__(self) -> None:
        self.ours, self.peer = socket.socketpair()

    def getHandle(self) -> object:
        return self.ours


def test_a_peer_that_takes_a_little_has_not_stalled() -> None:
    moving = Moving()
    with moving.ours, moving.peer:
        moving.ours.sendall(b"a")
        moving.ours.sendall(b"b")
        stall = Stall(60)
        assert not stall.watch(100, moving, False)
        moving.peer.recv(1)
        assert not stall.watch(170, moving, False)
        assert not stall.watch(229, moving, False)
        assert stall.watch(230, moving, False)
        moving.peer.recv(1)
        assert not stall.watch(300, moving, False)
