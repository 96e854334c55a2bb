"""Who does not want to read whom.  No sockets.

It is bound to the person: another name does not help them, and whoever takes their name is read.
Somebody who left is known again by their token, or by their name and address together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from proto.chat.names import fold
from proto.chat.person import Member, Person
from proto.errors import PeerError

LONGEST_LIST: Final = 100
RESTING_LISTS: Final = 1000
"""Lists of people who left that are kept until they come back with their token."""


class TooManyIgnored(PeerError):
    """Somebody ignores as many as they may."""


class NotIgnored(PeerError):
    """Somebody is read already."""


@dataclass(slots=True, eq=False)
class _Ignored:
    """Somebody who is not read; `target` is None while they are not here."""

    name: str
    host: str | None
    digest: bytes | None
    target: Member | None = None

    def matches(self, name: str, person: Person) -> bool:
        if self.digest is not None and person.digest == self.digest:
            return True
        known = self.host is not None and person.host == self.host
        return known and fold(name) == fold(self.name)


class Ignoring:
    """The lists of everyone."""

    def __init__(self) -> None:
        self._lists: dict[Member, list[_Ignored]] = {}
        self._resting: dict[bytes, list[_Ignored]] = {}

    def ignored(self, member: Member) -> list[str]:
        """The names of those they do not read."""
        return [_name(entry) for entry in self._lists.get(member, ())]

    def ignore(self, member: Member, other: Member) -> None:
        """They do not want to read the other one any more."""
        entries = self._lists.get(member, [])
        if any(entry.target is other for entry in entries):
            return
        entry = _Ignored(other.name, other.person.host, other.person.digest)
        self._add(member, entry)
        _link(entry, member, other)

    def ignore_absent(self, member: Member, name: str, person: Person) -> None:
        """They do not want to read somebody who says lines without being here."""
        entries = self._lists.get(member, [])
        if any(entry.matches(name, person) for entry in entries):
            return
        self._add(member, _Ignored(name, person.host, person.digest))

    def _add(self, member: Member, entry: _Ignored) -> None:
        entries = self._lists.get(member, [])
        if len(entries) >= LONGEST_LIST:
            raise TooManyIgnored(f"You ignore {LONGEST_LIST} people already; /UNIGNORE some.")
        self._lists[member] = [*entries, entry]

    def unignore(self, member: Member, name: str) -> str:
        """They want to read that one again; the name as it is now."""
        entries = self._lists.get(member, [])
        found = next((entry for entry in entries if fold(_name(entry)) == fold(name)), None)
        if found is None:
            raise NotIgnored("You do not ignore anybody called that; /IGNORE lists whom you do.")
        entries.remove(found)
        target = found.target
        if target is not None and not any(entry.target is target for entry in entries):
            _unlink(member, target)
        if not entries:
            del self._lists[member]
        return _name(found)

    def recognise(self, newcomer: Member) -> None:
        """Somebody came, came back, or took another name: is it one who is ignored?"""
        for member, entries in self._lists.items():
            for entry in entries:
                if (
                    entry.target is None
                    and member is not newcomer
                    and entry.matches(newcomer.name, newcomer.person)
                ):
                    _link(entry, member, newcomer)

    def readers_without(self, name: str, person: Person) -> frozenset[Member]:
        """Who does not read somebody that is not here."""
        return frozenset(
            member
            for member, entries in self._lists.items()
            if any(entry.target is None and entry.matches(name, person) for entry in entries)
        )

    def forget(self, gone: Member) -> None:
        """Somebody left."""
        for member in gone.person.ignored_by:
            for entry in self._lists[member]:
                if entry.target is gone:
                    entry.name, entry.digest = gone.name, gone.person.digest
                    entry.target = None
        gone.person.ignored_by = frozenset()
        entries = self._lists.pop(gone, [])
        for entry in entries:
            if entry.target is not None:
                entry.name, entry.digest = entry.target.name, entry.target.person.digest
                _unlink(gone, entry.target)
                entry.target = None
        if entries and gone.person.digest is not None:
            self._resting[gone.person.digest] = entries
            if len(self._resting) > RESTING_LISTS:
                del self._resting[next(iter(self._resting))]

    def resume(self, member: Member, people: list[Member]) -> None:
        """Somebody came back with their token, and has their list again."""
        resting = self._resting.pop(member.person.digest or b"", None)
        if resting is None:
            return
        # They may have begun another list before they came back.
        entries = [*self._lists.get(member, ()), *resting][:LONGEST_LIST]
        self._lists[member] = entries
        for other in people:
            if other is not member:
                _recognise_once(entries, member, other)


def _recognise_once(entries: list[_Ignored], member: Member, other: Member) -> None:
    """Link the other one to an entry that they match, and forget what says the same."""
    known = any(entry.target is other for entry in entries)
    for entry in entries[:]:
        if entry.target is None and entry.matches(other.name, other.person):
            if known:
                entries.remove(entry)
            else:
                _link(entry, member, other)
                known = True


def _name(entry: _Ignored) -> str:
    return entry.name if entry.target is None else entry.target.name


def _link(entry: _Ignored, member: Member, target: Member) -> None:
    entry.target = target
    target.person.ignored_by = target.person.ignored_by | {member}


def _unlink(member: Member, target: Member) -> None:
    target.person.ignored_by = target.person.ignored_by - {member}
