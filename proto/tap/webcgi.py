"""`--cgi`: programs that answer by the Common Gateway Interface, as the command line names them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred

from proto.config import flag, parsed, seconds, setting, size, whole
from proto.errors import StartError
from proto.tap.process import Process
from proto.tap.service import Part
from proto.tap.webfiles import check_folder
from proto.web.aliases import Prefixes
from proto.web.aside import DiskThreads
from proto.web.auth import credentials_of
from proto.web.cgi.door import CgiFolder, Rules, Scene, Translate, UserOf
from proto.web.cgi.environ import parse_addition
from proto.web.cgi.running import Deadlines
from proto.web.cgi.scripts import Scripts
from proto.web.handlers import Handlers
from proto.web.mounts import Mounts, names_of
from proto.web.prefix import Prefix, parts_of
from proto.web.request import WebRequest

GIB: Final = 1024**3
AT_ONCE: Final = 100
SECONDS: Final = 60.0
OTHER_NAME: Final = "htbin"
"""A folder of this name stands at a path of this name; every other one at /cgi-bin."""
_THREADS: Final = 8
_SHARE: Final = 6


@dataclass(frozen=True, slots=True)
class CgiPlace:
    """A folder of scripts, and where it stands."""

    path: str
    folder: Path

    @classmethod
    def parse(cls, text: str) -> CgiPlace:
        """`DIR` or `/path=DIR`.  Raises ValueError with the reason."""
        path, equals, folder = text.partition("=")
        if not equals or not path.startswith("/"):
            last = os.path.basename(os.path.normpath(text))
            path, folder = "/" + (OTHER_NAME if last == OTHER_NAME else "cgi-bin"), text
        if not folder or "\0" in text:
            raise ValueError(f"{text!r} names no folder")
        if not names_of(path):
            raise ValueError("programs need a path of their own, not /")
        return cls(path, Path(folder))


@dataclass(frozen=True, kw_only=True)
class CgiSettings:
    """Which programs answer, and what they may take."""

    cgi: tuple[CgiPlace, ...] = setting(
        parsed('a folder, or a path and a folder such as "/tools=/srv/tools"', CgiPlace.parse),
        [],
        "run the programs in this folder (CGI): at /htbin for a folder of that name, else at "
        "/cgi-bin, or as /path=DIR; may be given more than once",
        many=True,
    )
    cgi_env: tuple[tuple[bytes, bytes], ...] = setting(
        parsed('a variable such as "LANG=C.UTF-8"', parse_addition),
        [],
        "a variable that these programs find in their environment; may be given more than once",
        many=True,
    )
    cgi_pass_authorization: bool = flag("tell these programs the Authorization of requests")
    cgi_timeout: float = setting(
        seconds(0.1), SECONDS, "seconds that such a program may take in all"
    )
    cgi_silence: float = setting(
        seconds(0.1), SECONDS, "seconds that such a program may say nothing while it is waited for"
    )
    cgi_max_output: int = setting(size(1), GIB, "bytes of the largest document of such a program")
    cgi_max: int = setting(
        whole(1), AT_ONCE, "such programs that run at once; more wait, and then get 503"
    )


def check(settings: CgiSettings) -> None:
    """Raises StartError for a folder that is none."""
    if not settings.cgi and (settings.cgi_env or settings.cgi_pass_authorization):
        option = "--cgi-env" if settings.cgi_env else "--cgi-pass-authorization"
        raise StartError(f"{option}: there is no --cgi; add one")
    for place in settings.cgi:
        check_folder("--cgi ", place.folder)
    if settings.cgi and not hasattr(os, "pidfd_open"):
        raise StartError("--cgi needs Linux 5.3 or newer, for pidfd_open: leave it out here")


def mount(settings: Any, process: Process, mounts: Mounts, handlers: Handlers) -> Sequence[Part]:
    """Put the folders into the tree; `settings` are those of the whole web service."""
    if not settings.cgi:
        return ()
    reactor = process.reactor
    threads = DiskThreads(reactor.callFromThread, name="cgi", size=_THREADS, share=_SHARE)
    rules = Rules(
        deadlines=Deadlines(settings.cgi_timeout, settings.cgi_silence),
        max_output=settings.cgi_max_output,
        at_once=settings.cgi_max,
        extra=settings.cgi_env,
        pass_authorization=settings.cgi_pass_authorization,
        translate=translation(settings.path, settings.alias),
        user_of=users([locked.prefix for locked in settings.auth]),
    )
    scene = Scene(rules, reactor, threads, process.metrics)
    for place in settings.cgi:
        mounts.add(place.path, CgiFolder(Scripts(place.folder), scene), max_body=0)

    def close() -> Deferred[None]:
        threads.stop()
        return Deferred.fromCoroutine(scene.close())

    return [Part(close=close)]


def translation(path: Path | None, aliases: Sequence[tuple[tuple[bytes, ...], Path]]) -> Translate:
    """Which file the segments of a path stand for: what PATH_TRANSLATED tells."""
    given = [((), path)] if path is not None else []
    roots = Prefixes((base, os.fsencode(each.absolute())) for base, each in (*given, *aliases))

    def translate(names: tuple[bytes, ...]) -> bytes | None:
        found = roots.find(names)
        return None if found is None else b"/".join((found[1], *names[len(found[0]) :]))

    return translate


def users(locked: Sequence[Prefix]) -> UserOf:
    """Who has shown a password, as the gate before the tree has asked for one below these."""

    def user_of(request: WebRequest) -> bytes | None:
        parts = parts_of(request.target.segments)
        if not any(prefix.covers(parts) for prefix in locked):
            return None
        credentials = credentials_of(request)
        return None if credentials is None else credentials[0].encode("utf-8", "surrogateescape")

    return user_of
