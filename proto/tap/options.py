"""Settings as twistd options, and start-up errors as one line."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from twisted.python import usage

from proto import endpoints
from proto.config import (
    NETWORK,
    TEXT,
    Kind,
    Setting,
    Unfit,
    nearest,
    one_of,
    parsed,
    read_text,
    seconds,
    setting,
    settings_of,
    shown_default,
    whole,
)
from proto.errors import StartError
from proto.limits import Limits


def _endpoint(value: object) -> endpoints.Endpoint:
    """A port may be written as a number in TOML."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise Unfit
    return endpoints.parse(value)


ENDPOINT: Kind[endpoints.Endpoint] = Kind(endpoints.EXPECTED, _endpoint)
INTERFACE = parsed("an IP address of this machine", endpoints.interface)


@contextmanager
def one_line(name: str) -> Iterator[None]:
    """End the process with a line on stderr and exit code 1 where it cannot start."""
    try:
        yield
    except (StartError, usage.UsageError) as error:
        text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(error))
        raise SystemExit(f"twistd {name}: {text}") from None


def check_twistd(options: usage.Options) -> None:
    """Look at the files that twistd itself will write, which it would tell as a traceback.

    Raises StartError.
    """
    twistd = getattr(options, "parent", None) or {}
    pidfile = twistd.get("pidfile")
    if pidfile:
        _check_writable("--pidfile", Path(twistd.get("rundir") or ".") / pidfile, ", or none")
    if twistd.get("syslog") or twistd.get("logger"):
        return  # twistd then opens no file for its log, even if one is named
    logfile = twistd.get("logfile") or ("-" if twistd.get("nodaemon", True) else "twistd.log")
    if logfile != "-":
        _check_writable("--logfile", Path(logfile))


def _check_writable(option: str, path: Path, instead: str = "") -> None:
    folder = path.absolute().parent
    if not folder.is_dir():
        raise StartError(f"{option} {path}: no such folder; create it: mkdir -p {folder}")
    if path.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise StartError(f"{option} {path}: cannot be written; name another file{instead}")


@dataclass(frozen=True, kw_only=True)
class ListenSettings:
    """Where a service listens and what its peers may take; the same for every service."""

    port: tuple[endpoints.Endpoint, ...] = setting(
        ENDPOINT, "0", "where to listen; may be given more than once", also=("p",), many=True
    )
    interface: str = setting(INTERFACE, None, "the address to listen on, for ports without one")
    tls: str = setting(
        TEXT,
        None,
        "a folder with fullchain.pem and privkey.pem, or CERT,KEY; for ports written tls:PORT, "
        "or for all ports if none is written so",
    )
    proxy_protocol: tuple[Any, ...] = setting(
        NETWORK,
        [],
        "expect a PROXY header, and take it from this address or network only; "
        "may be given more than once",
        many=True,
    )
    max_connections: int = setting(
        whole(), 10_000, "connections open at once; 0 is no limit", reloads=True
    )
    max_per_address: int = setting(
        whole(), 0, "connections open at once from one address; 0 is no limit", reloads=True
    )
    max_per_minute: int = setting(
        whole(), 0, "new connections a minute from one address; 0 is no limit", reloads=True
    )
    accept_rate: int = setting(
        whole(), 0, "new connections a second in all, the others wait; 0 is no limit", reloads=True
    )
    idle: float = setting(
        seconds(), 0.0, "seconds of silence until a peer is hung up on; 0 is never", reloads=True
    )

    def limits(self) -> Limits:
        """The same as the doorkeeper takes them."""
        return Limits(
            connections=self.max_connections,
            per_address=self.max_per_address,
            per_minute=self.max_per_minute,
            accept_rate=self.accept_rate,
            idle=self.idle,
        )


@dataclass(frozen=True, kw_only=True)
class ProcessSettings:
    """What belongs to the whole process, whatever runs in it."""

    grace: float = setting(
        seconds(), 10.0, "seconds that peers have to finish when the server stops", reloads=True
    )
    log_format: str = setting(
        one_of("text", "json"),
        "text",
        "how log lines are written: text or json",
    )
    metrics_port: tuple[endpoints.Endpoint, ...] = setting(
        ENDPOINT, [], "serve /metrics and /health here, and no longer on the web service", many=True
    )


class SettingsOptions(usage.Options):
    """twistd options made from settings dataclasses; `optMap` is not used, `read()` is.

    A subclass names its `command` and its `groups`; each group becomes one settings value.
    """

    command: ClassVar[str]
    groups: ClassVar[tuple[type, ...]]

    def __init_subclass__(cls) -> None:
        for group in cls.groups:
            for key, (declared, what) in settings_of(group).items():
                function = _option(declared.name, key, what, shown_default(declared))
                for name in (key, *what.also):
                    takes = function
                    if name != key and len(name) > 1:
                        # usage.Options cannot write the help of two long names of one function
                        takes = _option(declared.name, key, what, "")
                        takes.__doc__ = f"the same as --{key}"
                    setattr(cls, f"opt_{name.replace('-', '_')}", takes)

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}
        super().__init__()

    def parseOptions(self, options: list[str] | None = None) -> None:
        with one_line(self.command):
            try:
                super().parseOptions(options)
            except usage.UsageError as error:
                raise usage.UsageError(self._explain(str(error))) from error

    def parseArgs(self, *args: str) -> None:
        if args:
            raise usage.UsageError(
                f"{args[0]!r} is no option; options begin with --, see twistd {self.command} --help"
            )

    def read(self, group: type) -> Any:
        """The settings of one of the groups, as the command line gave them."""
        names = {declared.name for declared, _ in settings_of(group).values()}
        return group(**{name: value for name, value in self.given.items() if name in names})

    def _explain(self, error: str) -> str:
        """Getopt's complaint, with the nearest option or the way to the list."""
        if not error.endswith(" not recognized"):
            return error
        option = error.removeprefix("option ").removesuffix(" not recognized")
        known = [key for group in self.groups for key in settings_of(group)]
        remedy = nearest(option.lstrip("-"), known, "--") or f"; see twistd {self.command} --help"
        return f"{option}: no such option{remedy}"


def _option(name: str, key: str, what: Setting, default: str) -> Callable[..., None]:
    """An `opt_` method; usage.Options reads its arguments and its docstring."""

    def take(self: SettingsOptions, text: str) -> None:
        try:
            value = read_text(what, text)
        except ValueError as error:
            raise usage.UsageError(f"--{key} {text}: {error}") from error
        if what.many:
            self.given[name] = (*self.given.get(name, ()), value)
        else:
            self.given[name] = value

    def switch(self: SettingsOptions) -> None:
        self.given[name] = True

    function: Callable[..., None] = switch if what.kind.expected == "true or false" else take
    function.__doc__ = f"{what.help} [default: {default}]" if default else what.help
    assert inspect.isfunction(function)
    return function
