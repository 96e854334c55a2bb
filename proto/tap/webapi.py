"""What `--api` puts below /api: tasks and users as JSON, and the document of all that is there.

Databases and the API itself are imported when they are wanted: a web service without them starts in
half the time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from proto.config import PATH, Unfit, flag, parsed, setting
from proto.errors import StartError
from proto.tap.process import Process
from proto.tap.service import Part
from proto.web.auth import Verifications
from proto.web.handlers import Handlers
from proto.web.handshake import parse_origin
from proto.web.mounts import Mounts
from proto.web.passwords import Passwords, read_passwords

if TYPE_CHECKING:
    from proto.tasks.store import Store
    from proto.webapi.declared import Operation
    from proto.webapi.tokens import Tokens

STATE: Final = "api-state"
TAGS: Final = {
    "tasks": "Things to be done, perhaps by a user.",
    "users": "Whom tasks belong to.",
    "chat": "What is said in the chat's rooms.",
    "log": "What the log receiver has stored.",
}


def _place(text: str) -> str:
    if not text or "\0" in text:
        raise Unfit
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        from proto.storage.opening import is_url

        if not is_url(text):
            raise Unfit
    return text


def _origin(text: str) -> str:
    parse_origin(text.lower())
    return text


@dataclass(frozen=True, kw_only=True)
class ApiSettings:
    """The settings of the API."""

    api: bool = flag("serve tasks and users as JSON below /api, with a page that tells how")
    api_db: str = setting(
        parsed("a folder or a postgresql:// URL", _place),
        STATE,
        "where --api keeps them: a folder (SQLite) or a postgresql:// URL",
    )
    api_tokens: Path | None = setting(
        PATH,
        None,
        "who may use --api, as Authorization: Bearer NAME.SECRET; the file has lines NAME:HASH, "
        "made by python -m proto.web.passwords NAME; without it everybody may",
    )
    api_origin: tuple[str, ...] = setting(
        parsed('an origin such as "https://example.org"', _origin),
        [],
        "whose web pages may use --api besides those of this server; may be given more than once",
        many=True,
    )


def check(settings: ApiSettings) -> None:
    """Raises StartError for a store or a file that cannot be used; makes nothing."""
    if not settings.api:
        given = {
            "--api-db": settings.api_db != STATE,
            "--api-tokens": settings.api_tokens,
            "--api-origin": settings.api_origin,
        }
        for option, value in given.items():
            if value:
                raise StartError(f"{option}: this is for --api, which is off; add --api")
        return
    from proto.storage.tasks_opening import check as check_store

    try:
        check_store(_where(settings), connect=False)  # a reload must not wait
    except StartError as error:
        raise StartError(f"--api-db: {error}") from error
    if settings.api_tokens is not None:
        read_tokens(settings.api_tokens)


def read_tokens(path: Path) -> Passwords:
    """The file as it is now.  Raises StartError."""
    try:
        return read_passwords(path)
    except StartError as error:
        raise StartError(f"--api-tokens: {error}") from error


def mount(
    settings: ApiSettings, process: Process, mounts: Mounts, handlers: Handlers
) -> Sequence[Part]:
    """Put the API below /api, if it is wanted; its store is open while the service runs.

    Raises StartError.
    """
    if not settings.api:
        return ()
    from proto.webapi.answers import answers_from
    from proto.webapi.operations import OPERATIONS
    from proto.webapi.origins import Origins
    from proto.webapi.page import Pages
    from proto.webapi.resource import ANY_LENGTH, ApiResource
    from proto.webapi.resource import PATH as API_PATH

    store = _store(settings, process)
    tokens = _tokens(settings, process)
    api = ApiResource(
        OPERATIONS,
        answers_from(store),
        Pages(_document(process, tokens is not None)),
        Origins(settings.api_origin),
        process.metrics,
        check=None if tokens is None else tokens.check,
    )
    mounts.add(API_PATH, api, max_body=ANY_LENGTH)
    process.mounts.append(api.adopt)
    if tokens is None:
        process.log.info("everybody may use the API: there is no --api-tokens")
        return [Part(start=store.start, close=store.close)]
    return [Part(start=store.start, close=store.close, reopen=tokens.reload)]


def _store(settings: ApiSettings, process: Process) -> Store:
    from proto.storage.tasks_opening import open_tasks

    try:
        return open_tasks(
            _where(settings),
            process.reactor.callFromThread,
            at_end_of_turn=process.at_end_of_turn,
            metrics=process.metrics,
        )
    except StartError as error:
        raise StartError(f"--api-db: {error}") from error


def _document(process: Process, tokens: bool) -> dict[str, Any]:
    from proto.webapi import others
    from proto.webapi.openapi import document
    from proto.webapi.operations import OPERATIONS

    return document(
        OPERATIONS,
        title="proto API",
        version=_version(),
        tags=TAGS,
        tokens=tokens,
        others=_others(process),
        others_problem=others.PlainProblem,
    )


def _where(settings: ApiSettings) -> str:
    """A daemon may be told to live in another folder."""
    from proto.storage.opening import is_url

    return settings.api_db if is_url(settings.api_db) else str(Path(settings.api_db).absolute())


def _tokens(settings: ApiSettings, process: Process) -> Tokens | None:
    if settings.api_tokens is None:
        return None
    from proto.webapi.tokens import Tokens

    reactor: Any = process.reactor

    def in_thread(function: Any) -> Deferred[bool]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), function)

    path = settings.api_tokens.absolute()
    verifications = Verifications(in_thread, reactor.seconds)
    return Tokens(partial(read_tokens, path), verifications, process.metrics)


def _others(process: Process) -> list[Operation]:
    """What the other services of the process have on the web."""
    from proto.webapi import others
    from proto.webchat.doors import WebChat
    from proto.weblog.doors import WebLog

    found: list[Operation] = []
    for each in process.mounts:
        owner = getattr(each, "__self__", None)
        if isinstance(owner, WebChat):
            found += others.CHAT
        elif isinstance(owner, WebLog):
            found += others.LOG
    return found


def _version() -> str:
    try:
        return version_of("proto")
    except PackageNotFoundError:  # a checkout that was never installed
        return "0"
