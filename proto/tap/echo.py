"""`twistd -n echo`: the small services."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from proto.config import TEXT, flag, one_of, parsed, seconds, setting, size
from proto.echo.services import SERVICES, SmallServiceOptions, Surroundings
from proto.errors import StartError
from proto.tap.launch import launch
from proto.tap.options import ENDPOINT, ListenSettings, ProcessSettings, SettingsOptions
from proto.tap.process import Process
from proto.tap.service import DoorService, open_doors

_DEFAULTS = SmallServiceOptions()


def _delimiter(text: str) -> bytes:
    """Text with the escapes \\n, \\r, \\t and \\xNN."""
    if not text:
        raise ValueError("empty")
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape").encode()


@dataclass(frozen=True, kw_only=True)
class EchoSettings(ListenSettings):
    """The small service that runs, and how."""

    port: tuple[Any, ...] = setting(
        ENDPOINT, "8007", "where to listen; may be given more than once", also=("p",), many=True
    )
    service: str = setting(
        one_of(*SERVICES),
        "echo",
        "; ".join(f"{name}: {service.summary}" for name, service in SERVICES.items()),
    )
    udp: bool = flag("answer datagrams on the same ports too")
    quote: str = setting(TEXT, _DEFAULTS.quote, "what quote and qotd send")
    message: str = setting(TEXT, _DEFAULTS.message, "what greeting sends")
    delimiter: bytes = setting(
        parsed('text that ends a request, such as "!" or "\\n"', _delimiter),
        "!",
        "what ends a request to reverse; \\n, \\r, \\t and \\xNN are understood",
    )
    delay: float = setting(seconds(), 0.0, "seconds until reverse answers")
    text: bool = flag("reverse by character instead of by byte")
    max_request: int = setting(
        size(1), _DEFAULTS.max_request, "bytes of a request to reverse or a line to reverse-lines"
    )

    @cached_property
    def options(self) -> SmallServiceOptions:
        """The same as the services take them."""
        names = [each.name for each in fields(SmallServiceOptions)]
        return SmallServiceOptions(**{name: getattr(self, name) for name in names})


class Options(SettingsOptions):
    """The options of `twistd -n echo`."""

    command = "echo"
    groups = (EchoSettings, ProcessSettings)
    longdesc = "Echo and its small siblings: quote, greeting, reverse, discard, daytime and more."


def build(settings: EchoSettings, process: Process) -> DoorService:
    """The service, its ports bound.  Raises StartError."""
    service = SERVICES[settings.service]
    surroundings = Surroundings(settings.options, process.reactor, time.time, process.metrics)
    check(settings)
    keeper = process.doorkeeper("echo", service.tcp(surroundings), settings.limits())
    answer = service.udp
    opened = open_doors(
        keeper,
        settings,
        process.reactor,
        datagrams=(lambda: answer(surroundings)) if settings.udp and answer else None,
    )
    return DoorService(keeper, opened, process.reactor, process.settings.grace, settings)


def check(settings: EchoSettings) -> None:
    """Raises StartError for settings that do not fit together."""
    if re.search(r"[\r\n]", settings.message):
        raise StartError("--message: greeting sends one line; leave out the line ends")
    if settings.udp and SERVICES[settings.service].udp is None:
        with_udp = ", ".join(name for name, each in SERVICES.items() if each.udp)
        raise StartError(
            f"--udp: {settings.service} has no UDP form; those that have one are {with_udp}"
        )


def makeService(options: Options) -> Process:
    """What twistd runs."""
    return launch(options, EchoSettings, build)
