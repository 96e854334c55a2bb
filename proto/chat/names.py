"""What a name may be, and who bears which.  Plain strings, no sockets.

A name is an identifier of PRECIS (RFC 8265, UsernameCasePreserved): letters and digits of any
script and the signs - _ . and ', no spaces, no symbols.  Two names are the same when they fold
alike (UsernameCaseMapped with full case folding), and too close when they look alike (UTS 39).
"""

from __future__ import annotations

import ipaddress
from functools import cache, lru_cache
from string import punctuation
from typing import Final, Generic, TypeVar

from precis_i18n import get_profile
from wcwidth import wcswidth

from proto.chat.skeleton import skeleton
from proto.chat.text import clean
from proto.errors import PeerError

COLUMNS: Final = 32
CODE_POINTS: Final = 64
"""Combining marks take no column, so columns alone would not bound a name."""

GUEST: Final = "guest-"
RESERVED: Final = frozenset(
    {
        "admin",
        "administrator",
        "all",
        "anonymous",
        "chat",
        "everyone",
        "guest",
        "here",
        "lobby",
        "mod",
        "moderator",
        "nobody",
        "notice",
        "operator",
        "owner",
        "proto",
        "root",
        "server",
        "staff",
        "support",
        "system",
        "unix",
        "unknown",
        "you",
    }
)

_as_written = get_profile("UsernameCasePreserved")
_folded = get_profile("UsernameCaseMapped:CaseFold")

Holder = TypeVar("Holder")


class NameRefused(PeerError):
    """A name that cannot be had; the old one stays."""


class NameEmpty(NameRefused):
    """No name was given."""


class NameTooLong(NameRefused):
    """The name is wider than `COLUMNS`, or piles up marks."""


class NameInvalid(NameRefused):
    """The name holds something that no name may hold."""


class NameReserved(NameRefused):
    """The name, or what it looks like, could be taken for the server's own words."""


class NameTaken(NameRefused):
    """Somebody present already bears that name."""


class NameLooksLike(NameRefused):
    """Somebody present bears a name that reads the same."""


class NameUnchanged(NameRefused):
    """That is the name already."""


SIGNS: Final = frozenset("-_.'")
"""Others could make a name look like part of a line: `server:`, or `al,bo` in a list."""
_MADE_OF: Final = "A {what} is made of letters, digits and, inside it, the signs - _ . and '."
_DIGITS: Final = str.maketrans("OolI", "0011")


def fold(name: str) -> str:
    """The form in which names are compared: `Bob` and `BOB` fold to `bob`."""
    if len(name) > CODE_POINTS:
        return name  # Nobody's; not worth the work.
    return _fold(name)


@lru_cache(maxsize=4096)
def _fold(name: str) -> str:
    try:
        return str(_folded.enforce(name))
    except UnicodeEncodeError:
        return name.casefold()


def looks(name: str) -> tuple[str, str]:
    """What a name reads like, in lower case and as it is written.

    Both are needed: only the first finds a Cyrillic capital A in `ADMIN`, only the second the
    capital I in `paypaI`.
    """
    return skeleton(name.casefold()), skeleton(name).casefold()


def valid_identifier(wanted: str, what: str = "name") -> str:
    """The name in its canonical form (NFC, narrow), or a `NameRefused`."""
    wanted = clean(wanted).strip()  # Every door is to see the same name.
    if not wanted:
        raise NameEmpty(f"Which {what}? None was given.")
    if len(wanted) > CODE_POINTS:
        raise NameTooLong(f"A {what} has at most {COLUMNS} columns.")
    if any(char.isspace() for char in wanted):
        raise NameInvalid(f"A {what} is one word, without spaces.")
    try:
        name = str(_as_written.enforce(wanted))
    except UnicodeEncodeError:
        raise NameInvalid(_MADE_OF.format(what=what)) from None
    if not name[0].isalnum() or skeleton(name)[0] in punctuation:
        raise NameInvalid(f"A {what} begins with a letter or a digit.")
    if not SIGNS.issuperset(set(name).intersection(punctuation)) or name[-1] in ".'":
        raise NameInvalid(_MADE_OF.format(what=what))
    if not 0 < wcswidth(name) <= COLUMNS:
        raise NameTooLong(f"A {what} has at most {COLUMNS} columns.")
    return name


def valid_name(wanted: str) -> str:
    """The canonical form of a name that a person may choose, or a `NameRefused`."""
    name = valid_identifier(wanted)
    alike = looks(name)
    # The look-alikes of 0 and 1 are O and l, so this is what it reads like as a number.
    number = skeleton(name).translate(_DIGITS)
    if any(look.startswith(GUEST) for look in alike):
        raise NameReserved(f"Names that begin with {GUEST} are given by the server.")
    if is_address(name) or is_address(number):
        raise NameReserved("A name may not look like an address.")
    if fold(name) in RESERVED or not _reserved_looks().isdisjoint(alike):
        raise NameReserved(f"{name} is reserved; choose another name.")
    return name


@cache
def _reserved_looks() -> frozenset[str]:
    return frozenset(look for name in RESERVED for look in looks(name))


def is_address(name: str) -> bool:
    """Whether it reads as an IP address, with or without a port."""
    for host in (name, name.rpartition(":")[0]):
        try:
            ipaddress.ip_address(host)
        except ValueError:
            continue
        return True
    return False


def is_given(name: str) -> bool:
    """Whether nobody chose it: the server calls newcomers so."""
    return name.startswith(GUEST) or is_address(name)


class Names(Generic[Holder]):
    """Who bears which name; a name has one holder."""

    def __init__(self) -> None:
        self._holders: dict[str, Holder] = {}
        self._looks: dict[str, Holder] = {}
        self._guests = 0

    def __len__(self) -> int:
        return len(self._holders)

    def holder(self, name: str) -> Holder | None:
        """Who is called that, however it is capitalised."""
        return self._holders.get(fold(name))

    def assign(self, address: str | None, holder: Holder) -> str:
        """Name a newcomer: by the address, or `guest-7` when it is hidden (None) or shared."""
        if address is not None and fold(address) not in self._holders:
            name = address
        else:
            self._guests += 1
            name = f"{GUEST}{self._guests}"
        self._put(name, holder)
        return name

    def change(self, old: str, wanted: str, holder: Holder) -> str:
        """Give the holder of `old` another name, or raise a `NameRefused` and change nothing."""
        new = valid_name(wanted)
        if new == old:
            raise NameUnchanged(f"You are already called {new}.")
        self.check_free(new, holder)
        self.release(old)
        self._put(new, holder)
        return new

    def check_free(self, name: str, holder: Holder | None = None) -> None:
        """Raise a `NameRefused` if somebody but the holder is called that, or looks like it."""
        if self._holders.get(fold(name), holder) is not holder:
            raise NameTaken(f"{name} is taken; choose another name.")
        if any(self._looks.get(look, holder) is not holder for look in looks(name)):
            raise NameLooksLike(f"{name} looks like a name that is taken; choose another name.")

    def holders(self) -> list[Holder]:
        """Everyone who has a name."""
        return list(self._holders.values())

    def release(self, name: str) -> None:
        """Nobody is called that any more."""
        holder = self._holders.pop(fold(name))
        for look in looks(name):
            if self._looks.get(look) is holder:
                del self._looks[look]

    def _put(self, name: str, holder: Holder) -> None:
        self._holders[fold(name)] = holder
        for look in looks(name):
            self._looks[look] = holder
