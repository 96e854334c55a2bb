"""`twistd -n logfile`: the log receiver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from twisted.internet.threads import deferToThreadPool

from proto.config import PATH, Kind, Unfit, flag, one_of, seconds, setting, size, whole
from proto.doorkeeper import Guarded
from proto.errors import StartError
from proto.limits import Admissions
from proto.logfile.budget import UNFINISHED
from proto.logfile.compressing import Kind as Compression
from proto.logfile.compressing import streams
from proto.logfile.formats import FORMATS
from proto.logfile.framings import FRAMINGS
from proto.logfile.keeping import Rules
from proto.logfile.origin import Origin
from proto.logfile.protocol import LogfileFactory
from proto.logfile.receiver import Receiver
from proto.logfile.relpdoor import RelpFactory, RelpProtocol
from proto.logfile.shelf import LogPerClient, OneLog, Shelf, check_place, file_name
from proto.tap.launch import launch
from proto.tap.options import ENDPOINT, ListenSettings, ProcessSettings, SettingsOptions
from proto.tap.process import Process
from proto.tap.service import DoorService, check_certificates, open_doors, planned
from proto.web.admission import admit
from proto.web.connection import WebConnection
from proto.web.handlers import Handlers
from proto.web.site import ProtoSite
from proto.web.tree import build_tree
from proto.weblog.doors import LogLimits, WebLog
from proto.weblog.stamp import time_in

FILE: Final = Path("log.txt")
FOLDER: Final = Path("logs")
CLIENTS: Final = 10_000
"""Files that clients may have one each; who comes then shares one."""
OTHERS: Final = "others"
TEND_SECONDS: Final = 1.0
"""How often a quiet log is looked at where files end by their age."""


def _seconds_of(value: object) -> float | None:
    """`always` is 0, `never` is None."""
    if value == "never":
        return None
    if value == "always":
        return 0.0
    try:
        given = float(value) if isinstance(value, str | int | float) else -1.0
    except ValueError as error:
        raise Unfit from error
    if isinstance(value, bool) or not 0.001 <= given <= 3600:
        raise Unfit
    return given


SYNC: Final = Kind("always, never, or a number of seconds from 0.001 to 3600", _seconds_of)


@dataclass(frozen=True, kw_only=True)
class LogfileSettings(ListenSettings):
    """The log receiver's settings."""

    port: tuple[Any, ...] = setting(
        ENDPOINT, "1514", "where to listen; may be given more than once", also=("p",), many=True
    )
    file: Path = setting(
        PATH,
        str(FILE),
        "the file that every line is appended to; with --split-by a folder, by default logs",
        also=("f",),
    )
    max_line: int = setting(
        size(1), "64 KiB", "bytes of the longest line; a longer one is cut and marked"
    )
    framing: str = setting(
        one_of(*FRAMINGS),
        "line",
        "what ends a line: line is LF or CRLF, nul a NUL, octet a count before it (RFC 6587), "
        "syslog whichever of these the sender uses",
    )
    format: str = setting(
        one_of(*FORMATS),
        "raw",
        "how a line is written down: raw, prefixed with time, peer and number, as json, or parsed "
        "as syslog into JSON",
    )
    sync: float | None = setting(
        SYNC,
        "always",
        "when what was written is made to survive a power cut: always, each so many seconds, never",
    )
    ack: bool = flag('answer "OK n" when n lines of a connection are on the disk')
    relp: tuple[Any, ...] = setting(
        ENDPOINT, [], "where to listen for RELP, as rsyslog's omrelp speaks it", many=True
    )
    http: tuple[Any, ...] = setting(
        ENDPOINT,
        [],
        "where to listen for POST /log, the live tail and the search; in the suite [web] has them",
        many=True,
    )
    rotate_size: int = setting(size(), 0, "go on in a new file from so many bytes; 0 is never")
    rotate_age: float = setting(
        seconds(), 0.0, "go on in a new file when this one is so many seconds old; 0 is never"
    )
    keep: int = setting(whole(), 0, "full files to keep; 0 is all")
    keep_age: float = setting(seconds(), 0.0, "seconds that full files are kept; 0 is for ever")
    keep_size: int = setting(size(), 0, "bytes that all full files may have; 0 is any number")
    compress: str = setting(
        one_of("none", "gzip", "zstd"), "none", "compress full files: none, gzip or zstd"
    )
    split_by: str = setting(
        one_of("none", "peer", "cn"),
        "none",
        "a file for each client in the folder --file, named by its address (peer) or by the common "
        "name of its certificate (cn)",
    )
    client_ca: Path | None = setting(
        PATH, None, "a PEM file: take TLS clients only with a certificate of these authorities"
    )

    def place(self) -> Path:
        """The file, or with --split-by the folder."""
        default = self.split_by != "none" and self.file == FILE
        # A daemon may be told to live in another folder.
        return (FOLDER if default else self.file).absolute()

    def rules(self) -> Rules:
        """When a file is full, and what becomes of full ones."""
        return Rules(
            rotate_bytes=self.rotate_size or None,
            rotate_seconds=self.rotate_age or None,
            keep_count=self.keep or None,
            keep_seconds=self.keep_age or None,
            keep_bytes=self.keep_size or None,
            compress=None if self.compress == "none" else cast(Compression, self.compress),
            retains=self.sync is not None,
        )


class Options(SettingsOptions):
    """The options of `twistd -n logfile`."""

    command = "logfile"
    groups = (LogfileSettings, ProcessSettings)
    longdesc = (
        "A log receiver: every line that comes over TCP, RELP or HTTP is on the disk before it is "
        "acknowledged."
    )


def build(settings: LogfileSettings, process: Process) -> DoorService:
    """The service, its ports bound.  Raises StartError."""
    check(settings)
    reactor, metrics = process.reactor, process.metrics
    shelf = _shelf(settings)
    receiver = _receiver(settings, process, shelf)
    process.note = receiver.note
    plain = LogfileFactory(
        receiver,
        reactor,
        framing=settings.framing,
        max_line=settings.max_line,
        ack=settings.ack,
        metrics=metrics,
    )
    process.log.info("lines go to {place}", place=str(settings.place()))
    each = doors(settings)
    _tell_who_needs_no_certificate(settings, process)
    others: dict[str, DoorService] = {}

    def reload(changed: LogfileSettings) -> None:
        for name, its in doors(changed).items():
            if name in others:
                others[name].reload(its)

    try:
        service = _service("logfile", plain, each["logfile"], process, receiver, reload)
        web = _on_the_web(settings, receiver, process, service.keeper.admissions)
        process.mounts.append(web.mount)
        if "relp" in each:
            relp = RelpFactory(receiver, reactor, metrics, max_line=settings.max_line)
            others["relp"] = _service("relp", relp, each["relp"], process, receiver)
        if "http" in each:
            others["http"] = _http(each["http"], process, web)
    except StartError:
        shelf.close()
        raise
    for other in others.values():
        process.add(other)
    return service


def doors(settings: LogfileSettings) -> dict[str, LogfileSettings]:
    """The settings of each door.  Where one of all their ports is written `tls:`, the others speak
    TLS only if they are written so too."""
    ports = {"logfile": settings.port, "relp": settings.relp, "http": settings.http}
    written = any(port.tls for some in ports.values() for port in some)
    return {
        name: replace(
            settings,
            port=some,
            tls="" if written and not any(port.tls for port in some) else settings.tls,
        )
        for name, some in ports.items()
        if some or name == "logfile"
    }


def _tell_who_needs_no_certificate(settings: LogfileSettings, process: Process) -> None:
    """A door that is not locked may be meant so; nobody should have to guess."""
    for name, door in doors(settings).items():
        for place in planned(door):
            if settings.client_ca is not None and not place.tls:
                process.log.warn(
                    "{door} on {place} takes anybody: --client-ca holds for TLS, written tls:PORT",
                    door=name,
                    place=str(place),
                )


def _receiver(settings: LogfileSettings, process: Process, shelf: Shelf) -> Receiver:
    return Receiver(
        shelf,
        process.reactor,
        process.reactor.callFromThread,
        process.metrics,
        form=FORMATS[settings.format],
        sync=settings.sync,
        tend=TEND_SECONDS if settings.rotate_age else None,
        deadline=lambda: process.settings.grace,  # it may change while the service runs
        name_of=Names(settings.split_by),
    )


def _shelf(settings: LogfileSettings) -> Shelf:
    if settings.split_by == "none":
        return OneLog(settings.place(), settings.rules())
    return LogPerClient(settings.place(), settings.rules())


def _service(
    name: str,
    factory: Guarded,
    settings: LogfileSettings,
    process: Process,
    receiver: Receiver,
    reload: Callable[[LogfileSettings], None] = lambda changed: None,
) -> DoorService:
    """One of the log's doors, which is closed when all that came through it is on the disk."""
    keeper = process.doorkeeper(name, factory, settings.limits())
    receiver.hold(keeper.hold)
    opened = open_doors(
        keeper,
        settings,
        process.reactor,
        dismiss=lambda protocol: isinstance(protocol, RelpProtocol) and protocol.dismiss(),
        client_ca=settings.client_ca,
    )
    grace = process.settings.grace
    return DoorService(
        keeper,
        opened,
        process.reactor,
        grace,
        settings,
        reopen=receiver.rotate if name == "logfile" else lambda: None,
        apply=reload,
        close=receiver.when_closed,
    )


def _on_the_web(
    settings: LogfileSettings, receiver: Receiver, process: Process, admissions: Admissions
) -> WebLog:
    place = settings.place().resolve()

    def path_of(name: str) -> Path | None:
        if settings.split_by == "none":
            return None if name else place
        path = place / f"{file_name(name)}.log"
        return path if name and path.is_file() else None

    reactor = process.reactor
    return WebLog(
        receiver.intake,
        reactor,
        path_of,
        partial(deferToThreadPool, reactor, reactor.getThreadPool()),
        process.metrics,
        admit=partial(admit, admissions),
        stamp=None if settings.format == "raw" else time_in,
        limits=LogLimits(max_line=settings.max_line),
    )


def _http(settings: LogfileSettings, process: Process, web: WebLog) -> DoorService:
    """The log's doors on the web, with nothing else there."""
    handlers = Handlers()
    tree = build_tree(
        None,
        process.reactor,
        handlers=handlers,
        metrics=process.metrics,
        ready=process.ready,
    )
    web.mount(tree, handlers)
    site = ProtoSite(tree, process.reactor, metrics=process.metrics)
    keeper = process.doorkeeper("http", site, settings.limits())
    opened = open_doors(
        keeper,
        settings,
        process.reactor,
        dismiss=WebConnection.dismiss,
        client_ca=settings.client_ca,
    )
    return DoorService(keeper, opened, process.reactor, process.settings.grace, settings)


class Names:
    """The file of a sender: its address, or what its certificate calls it."""

    def __init__(self, by: str) -> None:
        self._by = by
        self._known: set[str] = set()

    def __call__(self, origin: Origin) -> str:
        if self._by == "none":
            return ""
        host = origin.peer.rpartition(":")[0].strip("[]") or origin.peer
        name = origin.subject or host if self._by == "cn" else host
        if name not in self._known:
            if len(self._known) >= CLIENTS:
                return OTHERS
            self._known.add(name)
        return name


def check(settings: LogfileSettings) -> None:
    """Look at all that can be looked at while there is still a terminal to complain to.

    Raises StartError.  Nothing is locked, since a running receiver may be told to look again.
    """
    each = doors(settings).values()
    places = [place for door in each for place in planned(door)]
    if settings.client_ca is not None:
        if not any(place.tls for place in places):
            raise StartError(f"--client-ca {settings.client_ca}: only TLS has it; add --tls DIR")
        for door in each:
            check_certificates(door, settings.client_ca)
    elif settings.split_by == "cn":
        raise StartError("--split-by cn: names come from client certificates; add --client-ca FILE")
    if settings.max_line > UNFINISHED:
        raise StartError(
            f"--max-line {settings.max_line}: more than {UNFINISHED} is not held; lower it"
        )
    rules = settings.rules()
    if rules.compress is not None:
        streams(rules.compress)
    check_place(settings.place(), folder=settings.split_by != "none")


def makeService(options: Options) -> Process:
    """What twistd runs."""
    return launch(options, LogfileSettings, build)
