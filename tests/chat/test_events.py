from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import get_args

import pytest

from proto.chat.events import Event, Said


def test_an_event_cannot_be_changed_once_it_is_shared() -> None:
    with pytest.raises(FrozenInstanceError):
        Said("bob", "hello").text = "goodbye"  # type: ignore[misc]


def test_every_event_is_slotted_for_there_are_many() -> None:
    assert [kind for kind in get_args(Event) if "__slots__" not in vars(kind)] == []
