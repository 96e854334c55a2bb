"""The refusals that cross module borders."""

from __future__ import annotations

import pytest

from proto.errors import PeerError, StartError


def test_a_refusal_is_its_text() -> None:
    assert str(PeerError("no room")) == "no room"
    assert str(StartError("port 1 is in use")) == "port 1 is in use"


def test_what_a_peer_may_read_and_what_ends_the_process_are_caught_apart() -> None:
    with pytest.raises(PeerError):
        raise PeerError("x")
    assert not issubclass(PeerError, StartError)
    assert not issubclass(StartError, PeerError)
