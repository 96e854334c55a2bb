"""Ways to come back with a token, for the tests of it."""

from __future__ import annotations

from functools import partial

from proto.chat.events import Entered, Missed
from proto.chat.house import House, Return
from proto.errors import PeerError
from tests.chat.doubles import Somebody


def refuse(reason: PeerError) -> None:
    raise AssertionError(reason)


def come_back(house: House, token: str, after: int | None = None, host: str = "") -> Somebody:
    """Somebody who comes through a new door with that token."""
    found: list[Return] = []
    person = Somebody(house)
    house.come_back(token, after, found.append, refuse)
    (back,) = found
    house.admit(person, None, host=host or None, back=back)
    return person


def resume(house: House, member: Somebody, token: str, after: int | None = None) -> None:
    """Somebody who is here types the token."""

    def found(back: Return) -> None:
        house.resume(member, back)

    here = partial(house.is_here, member)
    house.come_back(token, after, found, refuse, by=member, wanted=here)


def texts(event: object) -> list[str]:
    assert isinstance(event, Entered | Missed)
    return [line.event.text for line in event.lines]
