"""`twistd -n web`: files, handlers, health and metrics over HTTP."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.web.resource import IResource

from proto.config import PATH, TEXT, flag, parsed, seconds, setting, size
from proto.errors import StartError
from proto.tap.crew import CrewSettings, Role, role_of
from proto.tap.crew import check as check_crew
from proto.tap.launch import launch
from proto.tap.options import ENDPOINT, ListenSettings, ProcessSettings, SettingsOptions
from proto.tap.process import Process
from proto.tap.service import DoorService, open_doors
from proto.tap.webdoors import DoorSettings, check_doors, mount_doors
from proto.tap.webfiles import FileSettings, FolderOptions, Folders, check_folder, check_folders
from proto.tap.webgate import GateSettings, put_gate
from proto.tap.webgate import check as check_gate
from proto.tap.webhttp import HttpSettings, open_files, patience_of, spools_of
from proto.web.accesslog import AccessLog
from proto.web.aliases import Aliases
from proto.web.choosing import INDEX_NAMES
from proto.web.connection import WebConnection
from proto.web.handlers import Handlers
from proto.web.mime import DEFAULT_TYPE, MediaTypes
from proto.web.mounts import Mounts
from proto.web.roots import add_handlers, check_script, resource_from_class, resource_from_script
from proto.web.site import IDLE_SECONDS, MAX_BODY, ProtoSite
from proto.web.static import Files
from proto.web.tree import Tree, add_greeting, build_tree
from proto.web.visits import Visits

ALPN = (b"h2", b"http/1.1")


def _mapping(text: str) -> tuple[str, str]:
    match = re.fullmatch(r"(\.[^\s=/]+)=([\w.+-]+/[\w.+-]+(?:; ?[\w-]+=[\w.-]+)*)", text)
    if match is None:
        raise ValueError(f"{text!r} is no mapping")
    return match[1], match[2]


def _media_type(text: str) -> str:
    if not re.fullmatch(r"[\w.+-]+/[\w.+-]+(?:; ?[\w-]+=[\w.-]+)*", text):
        raise ValueError(f"{text!r} is no media type")
    return text


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
        raise ValueError(f"{text!r} is no header")
    if not re.fullmatch(r"[\t\x20-\x7e]*", value):
        raise ValueError(f"{text!r} has characters that a header may not have")
    return name, value.strip(" \t")


def _extension(text: str) -> str:
    if not re.fullmatch(r"\.[^\s/]+|\*", text):
        raise ValueError(f"{text!r} is no extension")
    return text


def _file_name(text: str) -> str:
    if not text or "/" in text or "\0" in text or text in (".", ".."):
        raise ValueError(f"{text!r} is no file name")
    return text


@dataclass(frozen=True, kw_only=True)
class WebSettings(
    CrewSettings, GateSettings, FileSettings, DoorSettings, HttpSettings, ListenSettings
):
    """The web server's settings; those that Twisted's own web has keep its meaning."""

    port: tuple[Any, ...] = setting(
        ENDPOINT,
        "8080",
        "where to listen; may be given more than once",
        also=("p", "listen"),
        many=True,
    )
    path: Path | None = setting(PATH, None, "the folder whose files are served")
    index: tuple[str, ...] = setting(
        parsed("a file name", _file_name),
        list(INDEX_NAMES),
        "the file that stands for its folder; may be given more than once",
        many=True,
    )
    ignore_ext: tuple[str, ...] = setting(
        parsed('an extension such as ".html", or "*"', _extension),
        [],
        "an extension that a request may leave out; may be given more than once",
        many=True,
    )
    allow_ignore_ext: bool = flag("a request may leave out any extension")
    mime_type: str = setting(
        parsed('a media type such as "text/plain"', _media_type),
        DEFAULT_TYPE,
        "the type of files whose extension is unknown",
    )
    type: tuple[tuple[str, str], ...] = setting(
        parsed('an extension and its type, such as ".log=text/plain"', _mapping),
        [],
        "the type of files with an extension; may be given more than once",
        many=True,
    )
    dotfiles: bool = flag("serve files whose name begins with a dot")
    follow_symlinks: bool = flag("serve files that a symlink reaches outside the folder")
    no_listing: bool = flag("do not list folders that have no index file")
    visits: Path | None = setting(PATH, None, "count visits of HTML pages in this file")
    logfile: Path | None = setting(
        PATH, None, "the access log, in nginx's main format; without it twistd's log has it"
    )
    add_header: tuple[tuple[str, str], ...] = setting(
        parsed('a header such as "Cache-Control: no-cache"', _header),
        [],
        "a header for every answer; may be given more than once",
        many=True,
    )
    display_tracebacks: bool = flag("show the traceback of a failure to the browser")
    notracebacks: bool = flag("do not show it (this is the default)")
    max_body: int = setting(
        size(), MAX_BODY, "bytes of the largest request body that is taken; a larger one gets 413"
    )
    keep_alive: float = setting(
        seconds(0.1), IDLE_SECONDS, "seconds that an idle connection is kept for the next request"
    )
    handlers: Path | None = setting(
        PATH, None, "run this Python script, which finds `handlers` and registers its own"
    )
    class_: str | None = setting(TEXT, None, "serve this resource class instead")
    resource_script: Path | None = setting(
        PATH, None, "serve the resource that this .rpy script makes instead"
    )


class Options(SettingsOptions):
    """The options of `twistd -n web`."""

    command = "web"
    groups = (WebSettings, ProcessSettings)
    longdesc = (
        "A web server: the files of a folder, /hello/<name>, /health and /metrics.  "
        "Twisted's own web is here as twisted-web."
    )

    # twistd calls this.
    def parseOptions(self, options: list[str] | None = None) -> None:
        self.arguments = tuple(options or ())
        super().parseOptions(options)


def build(settings: WebSettings, process: Process, role: Role | None = None) -> DoorService:
    """The service, its ports bound; without a `role` it is one of several in this process.

    Raises StartError.
    """
    check(settings, alone=role is not None)
    role = role or Role()
    settings = role.settings(settings)
    visits = Visits(settings.visits.absolute(), process.reactor) if settings.visits else None
    log_path = settings.logfile.absolute() if settings.logfile else None
    access_log = AccessLog(log_path, process.reactor, metrics=process.metrics)
    folders = Folders(settings, _folder_options(settings), process, visits)
    files = folders.resource()
    handlers, mounts = Handlers(), Mounts()
    parts = mount_doors(settings, process, mounts, handlers)
    if settings.handlers:
        add_handlers(settings.handlers, handlers)
    if not mounts.takes_all:
        add_greeting(handlers)
    tree = _tree(process, files, handlers, mounts)
    inner = _other_root(settings) or tree
    root, reload_gate = put_gate(inner, settings, process)
    site = ProtoSite(
        root,
        process.reactor,
        access_log=access_log,
        visits=visits,
        metrics=process.metrics,
        display_tracebacks=settings.display_tracebacks,
        max_body=settings.max_body,
        timeout=settings.keep_alive,
        add_headers=settings.add_header,
        error_pages=folders.error_pages(),
        hsts=settings.hsts,
        parses_multipart=not settings.upload,
        patience=patience_of(settings),
        spools=spools_of(settings),
        open_files=open_files(),
        streams=tree.streams if inner is tree else None,
        body_limit=tree.body_limit if inner is tree else None,
        # Nobody knows what somebody else's root does before it hands out a file.
        repeat_seconds=settings.stat_interval if files else 0.0,
    )
    if not (files or mounts or settings.handlers or settings.class_ or settings.resource_script):
        process.log.warn(
            "web serves no files, as no --path was given: only /hello/<name>, /health and /metrics"
        )
    keeper = process.doorkeeper("web", site, settings.limits())
    opened = open_doors(
        keeper,
        settings,
        process.reactor,
        alpn=ALPN,
        dismiss=WebConnection.dismiss,
        bind=role.bind,
    )

    def reopen() -> None:
        access_log.reopen()
        reload_gate()
        for part in parts:
            part.reopen()

    grace = process.settings.grace
    service = role.made(keeper, opened, process.reactor, grace, settings, reopen=reopen)
    service.parts = parts
    return service


def check(settings: WebSettings, alone: bool = False) -> None:
    """Raises StartError for a folder that cannot be served or options that do not fit together.

    `alone`: no other service is in this process.
    """
    path = settings.path
    if path is not None:
        check_folder("--path ", path)
    check_folders(settings)
    check_doors(settings)
    roots = [
        ("--path", path),
        ("--alias", settings.alias and not path),
        ("--class", settings.class_),
    ]
    given = [
        name for name, value in [*roots, ("--resource-script", settings.resource_script)] if value
    ]
    if len(given) > 1:
        raise StartError(f"{' and '.join(given)}: only one of them can be served; leave out one")
    if settings.handlers and (settings.class_ or settings.resource_script):
        raise StartError("--handlers are for our own tree: leave out --class and --resource-script")
    if settings.handlers:
        check_script(settings.handlers)
    if settings.display_tracebacks and settings.notracebacks:
        raise StartError("--display-tracebacks and --notracebacks: leave out one")
    if settings.try_files and (settings.ignore_ext or settings.allow_ignore_ext):
        raise StartError("--try-files and --ignore-ext: leave out one; $uri.html says the same")
    extensions = settings.ignore_ext or settings.allow_ignore_ext or settings.try_files
    check_gate(settings, settings.index, bool(extensions))
    check_crew(settings, settings.port, alone, settings.visits is not None)


def _folder_options(settings: WebSettings) -> FolderOptions:
    return FolderOptions(
        path=settings.path,
        index=settings.index,
        ignore_ext=("*",) if settings.allow_ignore_ext else settings.ignore_ext,
        types=MediaTypes(dict(settings.type), settings.mime_type),
        dotfiles=settings.dotfiles,
        follow_symlinks=settings.follow_symlinks,
        list_folders=not settings.no_listing,
    )


def _other_root(settings: WebSettings) -> IResource | None:
    if settings.class_:
        return resource_from_class(settings.class_)
    if settings.resource_script:
        return resource_from_script(settings.resource_script)
    return None


def _tree(
    process: Process, files: Files | Aliases | None, handlers: Handlers, mounts: Mounts
) -> Tree:
    apart = bool(process.settings.metrics_port)
    tree = build_tree(
        None,
        process.reactor,
        files=files,
        handlers=handlers,
        mounts=mounts,
        metrics=None if apart else process.metrics,
        ready=None if apart else process.ready,
    )
    if not apart:
        process.overview(handlers)
    for mount in process.mounts:
        mount(tree, handlers)
    return tree


def makeService(options: Options) -> Process:
    """What twistd runs."""

    def build_alone(settings: WebSettings, process: Process) -> DoorService:
        twistd = getattr(options, "parent", None) or {}
        role = role_of(options.command, settings, process, options.arguments, twistd)
        service = build(settings, process, role)
        role.settle(process)
        return service

    return launch(options, WebSettings, build_alone)
