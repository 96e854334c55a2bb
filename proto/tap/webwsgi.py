"""`--wsgi`: Python applications in the tree of `twistd -n web`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from proto.config import PATH, parsed, setting, whole
from proto.errors import StartError
from proto.tap.process import Process
from proto.tap.service import Part
from proto.web.handlers import Handlers
from proto.web.mounts import Mounts, names_of
from proto.web.wsgi.loading import CannotLoad, Name, look_in, wrapped
from proto.web.wsgi.resource import Pool, WsgiResource
from proto.web.wsgi.workers import THREADS, WAITING

MOST_THREADS: Final = 1024
MOST_WAITING: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Standing:
    """An application, and the path at which it stands."""

    path: str
    name: Name

    @classmethod
    def parse(cls, text: str) -> Standing:
        """`module:app` or `/path=module:app`.  Raises ValueError with the reason."""
        path, name = "/", text
        if text.startswith("/"):
            path, _, name = text.partition("=")
            names_of(path)
        return cls(path, Name.parse(name))


@dataclass(frozen=True, kw_only=True)
class WsgiSettings:
    """Which applications are served, and by how many threads."""

    wsgi: tuple[Standing, ...] = setting(
        parsed('an application such as "module:app", or "/path=module:app"', Standing.parse),
        [],
        "serve a WSGI application, module:app or module.app, at / or as /path=module:app at a "
        "path; may be given more than once",
        many=True,
    )
    wsgi_path: tuple[Path, ...] = setting(
        PATH,
        [],
        "a folder in which its modules are looked for, before the current one; may be given more "
        "than once",
        many=True,
    )
    wsgi_middleware: tuple[Name, ...] = setting(
        parsed('a callable such as "module:factory"', Name.parse),
        [],
        "module:factory is called with the application and gives what is called instead of it; "
        "may be given more than once, the first one is the outermost",
        many=True,
    )
    wsgi_threads: int = setting(
        whole(1, MOST_THREADS), THREADS, "requests that run in applications at once, each process"
    )
    wsgi_queue: int = setting(
        whole(0, MOST_WAITING), WAITING, "requests that may wait for a thread; more get 503"
    )


def check(settings: WsgiSettings) -> None:
    """Import what is to be served.  Raises StartError."""
    if not settings.wsgi:
        others = [
            name
            for name, value in (
                ("--wsgi-path", settings.wsgi_path),
                ("--wsgi-middleware", settings.wsgi_middleware),
            )
            if value
        ]
        if others:
            raise StartError(f"{others[0]}: there is no --wsgi; add one")
        return
    for folder in settings.wsgi_path:
        if not folder.is_dir():
            raise StartError(f"--wsgi-path {folder}: not a folder; name one with modules in it")
    look_in([*settings.wsgi_path, Path.cwd()])
    for standing in settings.wsgi:
        _load(standing)
    for name in settings.wsgi_middleware:
        try:
            name.load()
        except CannotLoad as error:
            raise _wrong("--wsgi-middleware", name, error) from error


def mount(
    settings: WsgiSettings, process: Process, mounts: Mounts, handlers: Handlers
) -> Sequence[Part]:
    """Put the applications into the tree; one pool of threads is for all.  Raises StartError."""
    if not settings.wsgi:
        return ()
    pool = Pool(
        process.reactor.callFromThread,
        process.reactor,
        process.metrics,
        threads=settings.wsgi_threads,
        waiting=settings.wsgi_queue,
    )
    for standing in settings.wsgi:
        try:
            application = wrapped(_load(standing), settings.wsgi_middleware)
        except CannotLoad as error:
            raise StartError(f"--wsgi-middleware {error}; mend it or leave it out") from error
        is_multiprocess = getattr(settings, "workers", 0) > 1
        resource = WsgiResource(application, pool, is_multiprocess=is_multiprocess)
        mounts.add(standing.path, resource, max_body=0)
    return [Part(close=pool.close)]


def _load(standing: Standing) -> Callable[..., Any]:
    try:
        return standing.name.load()
    except CannotLoad as error:
        raise _wrong("--wsgi", standing.name, error) from error


def _wrong(option: str, name: Name, error: CannotLoad) -> StartError:
    return StartError(
        f"{option} {name.text} cannot be used ({error}): name something that can be called, as "
        "module:name; --wsgi-path says where modules are"
    )
