"""`--dav`: a folder for WebDAV clients in the tree of `twistd -n web`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from twisted.internet.threads import deferToThreadPool

from proto.config import PATH, flag, parsed, setting, size
from proto.errors import StartError
from proto.tap.process import Process
from proto.tap.service import Part
from proto.tap.webfiles import MAX_UPLOAD, check_folder
from proto.tap.webgate import Locked
from proto.web.auth import BasicAuth, Verifications
from proto.web.handlers import Handlers
from proto.web.mounts import Mounts, names_of
from proto.web.passwords import Passwords, read_passwords
from proto.web.prefix import Prefix
from proto.web.wsgi.resource import Pool

THREADS: Final = 8
WAITING: Final = 64


@dataclass(frozen=True, slots=True)
class Shared:
    """A folder, and the path at which it stands."""

    path: str
    folder: Path

    @classmethod
    def parse(cls, text: str) -> Shared:
        """`DIR` or `/path=DIR`.  Raises ValueError with the reason."""
        path, equals, folder = text.partition("=")
        if not equals or not text.startswith("/"):
            path, folder = "/dav", text
        if not folder or "\0" in folder:
            raise ValueError(f"{text!r} names no folder")
        names_of(path)
        return cls(path.rstrip("/") or "/", Path(folder))


@dataclass(frozen=True, kw_only=True)
class DavSettings:
    """Which folder is there for WebDAV clients, and for whom."""

    dav: Shared | None = setting(
        parsed('a folder, or a path and a folder such as "/files=DIR"', Shared.parse),
        None,
        "let WebDAV clients read and write this folder at /dav, or as /files=DIR at a path",
    )
    dav_users: Path | None = setting(
        PATH,
        None,
        "who may do so: a file of lines NAME:HASH, made by python -m proto.web.passwords NAME",
    )
    dav_open: bool = flag("everybody may do so, without a password")
    dav_read_only: bool = flag("they may only read")
    dav_max_upload: int = setting(
        size(1), MAX_UPLOAD, "bytes of the largest file that they may put there"
    )


def check(settings: DavSettings) -> None:
    """Raises StartError for a folder that cannot be shared, or shared with nobody knows whom."""
    shared = settings.dav
    if shared is None:
        given = {
            "--dav-users": settings.dav_users,
            "--dav-open": settings.dav_open,
            "--dav-read-only": settings.dav_read_only,
        }
        for option, value in given.items():
            if value:
                raise StartError(f"{option}: there is no --dav; add one")
        return
    if find_spec("wsgidav") is None:
        raise StartError("--dav: wsgidav is not installed; run pip install 'proto[dav]'")
    check_folder("--dav ", shared.folder)
    if settings.dav_users is not None and settings.dav_open:
        raise StartError("--dav-users and --dav-open: leave out one")
    if settings.dav_users is None and not settings.dav_open:
        raise StartError(
            "--dav: who may use it? name them by --dav-users FILE, or say --dav-open to let "
            "everybody in"
        )
    if getattr(settings, "workers", 0) > 1 and not settings.dav_read_only:
        raise StartError(
            "--dav: its locks are in the memory of one process; leave out --workers, or add "
            "--dav-read-only"
        )
    if not settings.dav_read_only:
        _check_locks(shared, getattr(settings, "auth", ()))
    if settings.dav_users is not None:
        _read(settings.dav_users)


def _check_locks(shared: Shared, locks: Sequence[Locked]) -> None:
    whole = Prefix.parse(shared.path)
    for prefix in (locked.prefix for locked in locks):
        if whole.covers(prefix.parts) and prefix.parts != whole.parts:
            raise StartError(
                f"--auth {prefix.text}: COPY and MOVE from elsewhere in {shared.path} would pass "
                f"by it; lock {shared.path}, or add --dav-read-only"
            )


def mount(
    settings: DavSettings, process: Process, mounts: Mounts, handlers: Handlers
) -> Sequence[Part]:
    """Put the folder into the tree.  Raises StartError."""
    shared = settings.dav
    if shared is None:
        return ()
    from proto.web.dav import DavResource, Relay, dav_application

    reactor = process.reactor
    pool = Pool(
        reactor.callFromThread,
        reactor,
        process.metrics,
        threads=THREADS,
        waiting=WAITING,
        name="dav",
    )
    folder = shared.folder.absolute()
    application = dav_application(folder, shared.path, read_only=settings.dav_read_only)
    lock = None if settings.dav_users is None else _lock(shared, settings.dav_users, process)
    mounts.add(shared.path, DavResource(application, pool, lock), max_body=settings.dav_max_upload)
    relay = Relay(pool.handover.post)

    def close() -> Any:
        return pool.close().addCallback(lambda _: relay.stop())

    reopen: Callable[[], None] = (lambda: None) if lock is None else lock.reload
    return [Part(start=relay.start, close=close, reopen=reopen)]


def _lock(shared: Shared, users: Path, process: Process) -> BasicAuth:
    reactor = process.reactor
    in_thread = partial(deferToThreadPool, reactor, reactor.getThreadPool())
    verifications = Verifications(in_thread, reactor.seconds)
    return BasicAuth(shared.path, partial(_read, users.absolute()), verifications, process.metrics)


def _read(users: Path) -> Passwords:
    try:
        return read_passwords(users)
    except StartError as error:
        raise StartError(f"--dav-users: {error}") from error
