"""Tokens with which people come back, and where each was.  No sockets.

A token is shown to its owner alone, and only its SHA-256 is kept.  Of somebody who is here their
door knows what they have been sent; the history is told now and then, and when they leave.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from functools import partial
from typing import Final

from proto.chat.history import History, Session
from proto.chat.person import Member
from proto.chat.room import Room
from proto.errors import PeerError

TOKEN_BYTES: Final = 16
LONGEST_TOKEN: Final = 64
"""Characters; what is longer is none of ours."""


class NoSuchSession(PeerError):
    """The token is unknown, or was not used for too long."""


class Sessions:
    """Whose token is whose."""

    def __init__(self, history: History, now: Callable[[], float]) -> None:
        """`now` returns seconds since 1970."""
        self._history = history
        self._now = now
        self._holders: dict[bytes, Member] = {}
        self._told: dict[bytes, tuple[str, str, int]] = {}

    def token_of(self, member: Member) -> str:
        """Their token; they are given one if they have none, and it is good at once."""
        person = member.person
        if person.token is None:
            self.give(member, new_token())
            if member.room is not None:
                self.keep(member, member.room)
        assert person.token is not None
        return person.token

    def give(self, member: Member, token: str) -> None:
        """From now on that token is theirs."""
        self.end(member)
        member.person.token = token
        member.person.digest = digest_of(token)
        self._holders[member.person.digest] = member

    def holder(self, token: str) -> Member | None:
        """Who is here with that token."""
        return self._holders.get(digest_of(token))

    def find(
        self,
        token: str,
        then: Callable[[Session], None],
        refused: Callable[[PeerError], None],
    ) -> None:
        """Where its owner was; `NoSuchSession` is refused."""
        self._history.find_session(digest_of(token), partial(_found, then, refused), refused)

    def state_of(self, member: Member, room: Room) -> Session | None:
        """Where they are, None for somebody without a token."""
        digest = member.person.digest
        if digest is None:
            return None
        return Session(digest, member.name, room.name, member.seen, int(self._now() * 1000))

    def keep(self, member: Member, room: Room) -> None:
        """Tell the history where they are, or were; not when they go on elsewhere already."""
        session = self.state_of(member, room)
        if session is None:
            return
        holder = self._holders.get(session.digest)
        if holder is member:
            self._told[session.digest] = _place(session)
        if holder is None or holder is member:
            self._history.keep_session(session)

    def checkpoint(self) -> None:
        """Tell the history where everybody is: what a kill leaves behind is at most that old."""
        for digest, member in self._holders.items():
            if member.room is None:
                continue
            session = self.state_of(member, member.room)
            if session is not None and self._told.get(digest) != _place(session):
                self._told[digest] = _place(session)
                self._history.keep_session(session)

    def end(self, member: Member) -> None:
        """They are gone, or their token is somebody else's from now on."""
        digest = member.person.digest
        if digest is not None and self._holders.get(digest) is member:
            del self._holders[digest]
            self._told.pop(digest, None)


def _place(session: Session) -> tuple[str, str, int]:
    return session.name, session.room, session.sequence


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def digest_of(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token[: LONGEST_TOKEN + 1].encode("utf-8", "replace")).digest()


def _found(
    then: Callable[[Session], None], refused: Callable[[PeerError], None], session: Session | None
) -> None:
    if session is None:
        refused(NoSuchSession("There is nothing to go on with: that token is unknown or too old."))
    else:
        then(session)
