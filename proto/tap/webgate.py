"""What the web service asks of requests below a path: `--rate-limit` and `--auth`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThreadPool
from twisted.web.resource import IResource

from proto.config import parsed, setting
from proto.errors import StartError
from proto.metrics import Metrics
from proto.tap.process import Process
from proto.web.auth import BasicAuth, Verifications
from proto.web.gate import Gate
from proto.web.pacing import Pace, Rate
from proto.web.passwords import Passwords, read_passwords
from proto.web.prefix import Prefix


@dataclass(frozen=True, slots=True)
class Locked:
    """A path, and the file of those who may see what is below it."""

    prefix: Prefix
    file: Path

    @classmethod
    def parse(cls, text: str) -> Locked:
        """`/private=FILE`.  Raises ValueError with the reason."""
        path, equals, file = text.partition("=")
        if not equals or not file or "\0" in file:
            raise ValueError(f"{text!r} is no path with a file")
        return cls(Prefix.parse(path), Path(file))

    def read(self) -> Passwords:
        """The file as it is now.  Raises StartError."""
        try:
            return read_passwords(self.file)
        except StartError as error:
            raise StartError(f"--auth {self.prefix.text}: {error}") from error


@dataclass(frozen=True, kw_only=True)
class GateSettings:
    """What is asked before the tree is."""

    rate_limit: tuple[Rate, ...] = setting(
        parsed('a path and a rate such as "/api=10/s burst=20" (per s, m or h)', Rate.parse),
        [],
        "as /api=10/s: requests that one address may make below a path; more get 429; may be given "
        "more than once, and then each one that covers a path counts",
        many=True,
    )
    auth: tuple[Locked, ...] = setting(
        parsed('a path and a password file such as "/private=FILE"', Locked.parse),
        [],
        "as /private=FILE: ask for a name and a password below a path; the file has lines "
        "NAME:HASH, made by python -m proto.web.passwords NAME; may be given more than once, and "
        "then the longest path counts",
        many=True,
    )


def check(settings: GateSettings, other_names: tuple[str, ...], extensions: bool) -> None:
    """Read the password files, and find paths that cannot be locked.  Raises StartError.

    A URL names a file; what is locked is that name.  `other_names` are those of index files, and
    with `extensions` a request may leave them out: such a file has a second name.
    """
    prefixes = [locked.prefix for locked in settings.auth]
    for place, locked in enumerate(settings.auth):
        prefix = locked.prefix
        if any(prefix.parts == other.parts for other in prefixes[:place]):
            raise StartError(f"--auth {prefix.text}: given twice; leave out one")
        last = prefix.parts[-1] if prefix.parts else ""
        if last in {name.casefold() for name in other_names} or (extensions and "." in last):
            folder = "/" + "/".join(prefix.parts[:-1])
            raise StartError(
                f"--auth {prefix.text}: this file can be asked for by another name too; "
                f"lock its folder: {folder}"
            )
        locked.read()


def put_gate(
    root: IResource, settings: GateSettings, process: Process
) -> tuple[IResource, Callable[[], None]]:
    """The root behind its gate, if it has one, and what reads the password files again.

    Raises StartError.
    """
    if not (settings.rate_limit or settings.auth):
        return root, lambda: None
    clock, metrics = process.reactor, process.metrics
    verifications = Verifications(partial(_in_thread, clock), clock.seconds)
    locks = [
        BasicAuth(
            locked.prefix.text,
            Locked(locked.prefix, locked.file.absolute()).read,
            verifications,
            metrics,
        )
        for locked in settings.auth
    ]

    def reload() -> None:
        for lock in locks:
            lock.reload()

    gate = Gate(
        root,
        every=[(rate.prefix, _pace(rate, clock.seconds, metrics)) for rate in settings.rate_limit],
        nearest=[(one.prefix, lock) for one, lock in zip(settings.auth, locks, strict=True)],
    )
    return gate, reload


def _pace(rate: Rate, now: Callable[[], float], metrics: Metrics) -> Any:
    refused = metrics.tally(
        "web_requests_too_fast", "Requests refused by --rate-limit", path=rate.prefix.text
    )
    return Pace(lambda: rate.bucket(now()), now, refused=refused).check


def _in_thread(reactor: Any, function: Callable[[], bool]) -> Any:
    return deferToThreadPool(reactor, reactor.getThreadPool(), function)
