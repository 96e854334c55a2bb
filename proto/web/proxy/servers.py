"""A group of servers that answer the same requests, and which of them is asked next.

Put together of `balancing`, which chooses, and `health`, which says among whom.  Told the time,
and of each request's beginning and end.  No twisted, no sockets.
"""

from __future__ import annotations

import ipaddress
import random
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from proto.web.proxy.balancing import METHODS
from proto.web.proxy.health import Health, State
from proto.web.proxy.parameters import read_words, seconds, whole
from proto.web.target import BadTarget, parse_target

MOST_SERVERS: Final = 1_000
"""In one group: each of them is looked at for each request."""
LONGEST_REASON: Final = 200

_URL: Final = re.compile(
    r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)(?::([0-9]{1,5}))?(/[!-~]*)?",
    re.ASCII | re.IGNORECASE,
)
_ONLY_DIGITS: Final = re.compile(r"[0-9.]+", re.ASCII)
_OPTIONS: Final = {
    "weight": whole(1, 10_000),
    "max_fails": whole(0, 1_000),
    "fail_timeout": seconds(0.1),
    "slow_start": seconds(0.0),
    "max_conns": whole(0, 1_000_000),
    "backup": None,
    "drain": None,
}


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is, and how it shall be treated.  Times are seconds."""

    host: str
    """A name or an address, an IPv6 one without brackets."""
    port: int
    """0: `host` is the path of a unix socket."""
    tls: bool = False
    weight: int = 1
    backup: bool = False
    """It is asked only when none of the others can be."""
    max_fails: int = 1
    """So many failures within `fail_timeout` take it out; 0: never."""
    fail_timeout: float = 10.0
    """And for so long."""
    slow_start: float = 0.0
    """It comes back with a part of its weight, and has all of it after so long."""
    max_conns: int = 0
    """Requests under way at once; 0 is no limit."""
    drain: bool = False
    """It gets no new requests."""

    @property
    def name(self) -> str:
        """`host:port`, with brackets around an IPv6 address; or `unix:/path`."""
        if not self.port:
            return f"unix:{self.host}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_server(text: str) -> tuple[Server, str]:
    """A server, and the base path below which it is asked, without a slash at its end.

    `http://a:8000/base weight=3 max_fails=2 fail_timeout=10s slow_start=30s max_conns=100 backup
    drain`, in any order after the URL; times are in s unless they say ms, m or h.

    Raises:
        ValueError: it is no such text; the message says why.
    """
    url, *words = text.split() or [""]
    options = read_words(words, _OPTIONS)
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError(f"{url!r} is no URL such as http://127.0.0.1:8000")
    scheme, host, port, base = match.groups()
    tls = scheme.lower() == "https"
    number = int(port) if port else 443 if tls else 80
    if not 0 < number < 65_536:
        raise ValueError(f"{url!r} has no port from 1 to 65535")
    return Server(_host(host.lower()), number, tls, **options), _base(base or "")


def _host(text: str) -> str:
    """A name as it is, an address in its one form."""
    if not text.startswith("[") and not _ONLY_DIGITS.fullmatch(text):
        return text
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError as error:
        raise ValueError(f"{text} is no address") from error


def _base(path: str) -> str:
    try:
        parse_target(path.encode() or b"/")
    except BadTarget as bad:
        raise ValueError(f"{path!r}: {bad}") from bad
    if "?" in path or "#" in path:
        raise ValueError(f"{path!r} has more than a path")
    return path.rstrip("/")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a server, and when."""

    at: float
    detail: str
    passed: bool


class Member:
    """A server in a group, with what is known of it."""

    __slots__ = (
        "_changed",
        "_now",
        "active",
        "credit",
        "failures",
        "health",
        "is_drained",
        "last_check",
        "last_error",
        "name",
        "requests",
        "server",
    )

    def __init__(
        self, server: Server, now: Callable[[], float], changed: Callable[[Member], None]
    ) -> None:
        self.server = server
        self.name = server.name
        self.health = Health(server.max_fails, server.fail_timeout, server.slow_start)
        self.is_drained = server.drain
        self.active = 0
        """Requests under way."""
        self.requests = 0
        """All that have begun."""
        self.failures = 0
        """All that failed."""
        self.credit = 0.0
        self.last_error: Event | None = None
        self.last_check: Event | None = None
        self._now = now
        self._changed = changed

    @property
    def is_up(self) -> bool:
        """It may get new requests."""
        return not self.is_drained and self.health.is_up(self._now())

    @property
    def has_room(self) -> bool:
        """One more request would not be above `max_conns`."""
        return not self.server.max_conns or self.active < self.server.max_conns

    @property
    def state(self) -> State:
        """How it stands, in a word."""
        return State.DRAINED if self.is_drained else self.health.state(self._now())

    def weight(self, now: float) -> float:
        """Its weight, less while it starts slowly."""
        health = self.health
        return self.server.weight if health.is_settled else self.server.weight * health.share(now)

    def begin(self) -> None:
        """A request is about to be sent to it; `done` must follow, once."""
        self.active += 1
        self.requests += 1
        self.health.began(self._now())

    def answered(self) -> None:
        """The head of a good answer is here: it is well, however long the rest takes.  Optional."""
        if self.health.succeeded(self._now()):
            self._changed(self)

    def done(self, ok: bool | None, reason: str = "") -> None:
        """A request ended.  `ok` None: it says nothing of the server, as when the client left.

        Raises:
            RuntimeError: more ended than began.
        """
        if not self.active:
            raise RuntimeError(f"{self.name}: more requests ended than began")
        self.active -= 1
        if ok is None:
            self.health.gave_up()
        elif ok:
            self.answered()
        else:
            now = self._now()
            self.failures += 1
            self.last_error = Event(now, reason[:LONGEST_REASON] or "the request failed", False)
            if self.health.failed(now):
                self._changed(self)

    def checked(self, passed: bool, reason: str, rise: int, fall: int) -> None:
        """A check ended; `reason` says how."""
        now = self._now()
        self.last_check = Event(now, reason[:LONGEST_REASON], passed)
        if not passed:
            self.last_error = self.last_check
        if self.health.checked(passed, now, rise, fall):
            self._changed(self)

    def drain(self) -> None:
        """Give it no new requests; those under way end as they would."""
        self.is_drained = True

    def undrain(self) -> None:
        """Give it requests again, slowly if it shall start slowly."""
        if self.is_drained:
            self.is_drained = False
            self.health.warm_up(self._now())

    def adjust(self, server: Server) -> None:
        """Go on with other parameters, and with what is known."""
        self.server = server
        self.health.adjust(server.max_fails, server.fail_timeout, server.slow_start)
        if server.drain:
            self.drain()
        else:
            self.undrain()


class Group:
    """Servers that answer the same requests."""

    def __init__(
        self,
        servers: Sequence[Server],
        method: str,
        now: Callable[[], float],
        rng: random.Random | None = None,
        changed: Callable[[Member], None] = lambda member: None,
    ) -> None:
        """`method` is one of METHODS; `changed` is told who went down or came back.

        Raises:
            ValueError: there is no such method, or the servers make no group.
        """
        if method not in METHODS:
            raise ValueError(f"{method!r} is none of {', '.join(METHODS)}")
        _check(servers)
        self.method = method
        self._pick = METHODS[method]
        self.now = now
        self._rng = rng or random.Random()
        self._changed = changed
        self.members = [Member(server, now, changed) for server in servers]
        self._named = {member.name: member for member in self.members}

    def choose(self, client: str, tried: Collection[Server] = ()) -> Member | None:
        """Whom to send a request of that client, but none of `tried`; None: nobody can take it.

        Those that are up come first, and of these the ones that are no backup.  When nobody is up,
        those that are down are asked all the same: a try costs less than a refusal that might be
        a mistake.  Who is drained or full is never asked.
        """
        now = self.now()
        left = [each for each in self.members if not each.is_drained]
        if tried:
            past = {server.name for server in tried}
            left = [each for each in left if each.name not in past]
        found = [each for each in left if each.health.is_settled or each.health.is_up(now)] or left
        for backup in (False, True):
            free = [each for each in found if each.server.backup is backup and each.has_room]
            if free:
                return free[0] if len(free) == 1 else self._pick(free, client, now, self._rng)  # type: ignore[return-value]
        return None

    def update(self, servers: Sequence[Server]) -> list[Member]:
        """Have these servers from now on; those that go are given back.

        Who stays, by its name, keeps what is known of it.  What runs at one that goes runs on.

        Raises:
            ValueError: the servers make no group; nothing was changed.
        """
        _check(servers)
        known = dict(self._named)
        members = []
        for server in servers:
            member = known.pop(server.name, None)
            if member is None:
                member = Member(server, self.now, self._changed)
                member.health.warm_up(self.now())
            else:
                member.adjust(server)
            members.append(member)
        for member in members:  # or newcomers would be given what others are owed
            member.credit = 0.0
        self.members = members
        self._named = {member.name: member for member in members}
        return list(known.values())

    def find(self, name: str) -> Member | None:
        """The member of that name, `host:port`."""
        return self._named.get(name)


def _check(servers: Sequence[Server]) -> None:
    names = [server.name for server in servers]
    if not names or len(names) > MOST_SERVERS:
        raise ValueError(f"a group has 1 to {MOST_SERVERS} servers")
    for place, name in enumerate(names):
        if name in names[:place]:
            raise ValueError(f"{name} is given twice")
    if all(server.backup for server in servers):
        raise ValueError("at least one server must be no backup")
