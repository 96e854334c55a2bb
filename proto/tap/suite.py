"""`twistd -n proto` and `serve.tac`: any set of the services on one reactor, from one TOML file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast

from twisted.application.service import Application, IServiceCollection
from twisted.python.components import Componentized
from twisted.python.usage import Options as TwistedOptions
from twisted.python.usage import UsageError
from twisted.scripts._twistd_unix import ServerOptions

from proto.config import PATH, Source, differences, flag, key_of, setting
from proto.errors import StartError
from proto.tap import chat, echo, logfile, web
from proto.tap.launch import add_status
from proto.tap.options import (
    ListenSettings,
    ProcessSettings,
    SettingsOptions,
    check_twistd,
    one_line,
)
from proto.tap.process import Process
from proto.tap.service import DoorService, check_certificates, planned

PROCESS: Final = "proto"
"""The table of what belongs to the whole process."""
SHOWS: Final = "web"
"""The service that shows others, and is built when they are."""
DEFAULT_CONFIG: Final = Path("proto.toml")


@dataclass(frozen=True, slots=True)
class Kind:
    """A service that the suite can run."""

    settings: type[ListenSettings]
    check: Callable[[Any], None]
    build: Callable[[Any, Process], DoorService]


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "chat": Kind(chat.ChatSettings, chat.check, chat.build),
        "web": Kind(web.WebSettings, web.check, web.build),
        "logfile": Kind(logfile.LogfileSettings, logfile.check, logfile.build),
        "echo": Kind(echo.EchoSettings, echo.check, echo.build),
    }
)


@dataclass(frozen=True, kw_only=True)
class SuiteSettings:
    """What is asked on the command line; everything else stands in the file."""

    config: Path = setting(
        PATH,
        None,
        "the TOML file; without it proto.toml of this folder if there is one, or every service "
        "with its defaults",
        also=("c",),
    )
    check: bool = flag("check the file, say what would listen where, and exit")


@dataclass(frozen=True)
class Plan:
    """A configuration that was read and found right."""

    path: Path | None
    process: ProcessSettings
    services: Mapping[str, ListenSettings]

    @classmethod
    def read(cls, path: Path | None) -> Plan:
        """The plan in that file, or every service with its defaults.  Raises StartError."""
        if path is None and not DEFAULT_CONFIG.exists():
            services = {name: kind.settings() for name, kind in KINDS.items()}
            return cls(None, ProcessSettings(), services)
        path = path or DEFAULT_CONFIG
        source = Source(path)
        source.check_tables([PROCESS, *KINDS])
        present = [name for name in KINDS if name in source.tables]
        if not present:
            raise StartError(f"{path}: no service in it; add a table: [{'], ['.join(KINDS)}]")
        return cls(
            path.absolute(),
            source.read(PROCESS, ProcessSettings),
            {name: source.read(name, KINDS[name].settings) for name in present},
        )

    def check(self) -> None:
        """Look at files, folders and certificates.  Raises StartError."""
        for name, settings in self.services.items():
            try:
                KINDS[name].check(settings)
                check_certificates(settings)
            except StartError as error:
                raise StartError(f"[{name}] {error}") from error
        talk = self.services.get("chat")
        copies = isinstance(talk, chat.ChatSettings) and talk.copy_to_logfile
        if copies and "logfile" not in self.services:
            raise StartError("[chat] copy-to-logfile: no [logfile] in the file; add it")

    def told(self) -> str:
        """What would listen where, a line each."""
        lines = [
            f"{name} would listen on {', '.join(map(str, planned(settings)))}"
            for name, settings in self.services.items()
        ]
        return "\n".join([*lines, f"{self.path or 'the default configuration'}: no mistake found"])


class Options(SettingsOptions):
    """The options of `twistd -n proto`."""

    command = "proto"
    groups = (SuiteSettings,)
    longdesc = "Chat, web, logfile and echo on one reactor, as a TOML file says."

    def postOptions(self) -> None:
        with one_line(self.command):
            settings: SuiteSettings = self.read(SuiteSettings)
            self.plan = Plan.read(settings.config)
            if settings.check:
                self.plan.check()
                print(self.plan.told())  # noqa: T201  # this is what was asked for
                raise SystemExit(0)


def build(plan: Plan, reactor: Any, options: TwistedOptions | None = None) -> Process:
    """All the services of a plan, bound.  Raises StartError."""
    if options is not None:
        check_twistd(options)
    plan.check()
    process = Process(reactor, plan.process, options)
    built = {}
    for name in sorted(plan.services, key=SHOWS.__eq__):
        try:
            built[name] = KINDS[name].build(plan.services[name], process)
        except StartError as error:
            raise StartError(f"[{name}] {error}") from error
    for name in plan.services:
        process.add(built[name])
    add_status(process)
    process.reload = lambda: reload(process, plan.path)
    return process


def reload(process: Process, path: Path | None) -> None:
    """Read the file again: take over what can change, say what cannot; keep all if it is wrong."""
    if path is None:
        process.log.info("there is no configuration file to read again")
        return
    try:
        plan = Plan.read(path)
        plan.check()
    except StartError as error:
        process.log.error("the configuration stays as it was: {error}", error=str(error))
        return
    running = {service.keeper.name: service for service in process.doors()}
    for name in sorted({*plan.services} ^ ({*running} & {*KINDS})):
        process.log.warn("[{service}] comes or goes with a restart only", service=name)
    _tell(process, PROCESS, *differences(process.settings, plan.process))
    process.take_over(plan.process)
    for name, settings in plan.services.items():
        if name in running:
            now, restart = differences(running[name].settings, settings)
            _tell(process, name, now, restart)
            running[name].reload(_with(running[name].settings, settings, now))


def _with(old: Any, new: Any, keys: list[str]) -> Any:
    """The old settings with those keys of the new ones: what is true from now on."""
    values = {
        each.name: getattr(new if key_of(each.name) in keys else old, each.name)
        for each in fields(old)
    }
    return type(old)(**values)


def _tell(process: Process, name: str, now: list[str], restart: list[str]) -> None:
    if now:
        process.log.info("[{table}] reloaded: {keys}", table=name, keys=", ".join(now))
    if restart:
        process.log.warn(
            "[{table}] needs a restart for: {keys}", table=name, keys=", ".join(restart)
        )


def makeService(options: Options) -> Process:
    """What `twistd -n proto` runs."""
    from twisted.internet import reactor

    with one_line(options.command):
        return build(options.plan, reactor, options)


def application(config: Path) -> Componentized:
    """What `serve.tac` runs: the suite from that file, or with its defaults if there is none."""
    from twisted.internet import reactor

    with one_line("-y serve.tac"):
        plan = Plan.read(config if config.exists() else None)
        whole: Componentized = Application("proto")
        build(plan, reactor, _options_of_this_twistd()).setServiceParent(
            cast(IServiceCollection, whole)
        )
    return whole


def _options_of_this_twistd() -> Options:
    """As `twistd -n proto` would have them: their parent knows --logfile and --nodaemon."""
    options = Options()
    options.parent = ServerOptions()
    with suppress(UsageError):  # not run by twistd but by another program that loads serve.tac
        options.parent.parseOptions()
    return options
