from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from proto.logfile.origin import Origin


def test_a_sender_without_a_certificate_has_no_subject() -> None:
    assert Origin("192.0.2.1:4711").subject == ""


def test_the_same_peer_with_another_certificate_is_another_origin() -> None:
    assert Origin("192.0.2.1:4711", "a") == Origin("192.0.2.1:4711", "a")
    assert len({Origin("192.0.2.1:4711", "a"), Origin("192.0.2.1:4711", "b")}) == 2


def test_who_sent_a_line_cannot_be_changed_afterwards() -> None:
    origin = Origin("192.0.2.1:4711")
    with pytest.raises(FrozenInstanceError):
        origin.peer = "192.0.2.2:4711"  # type: ignore[misc]
