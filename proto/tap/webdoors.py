"""What stands in the web's tree besides files and handlers: other programs, other servers.

A door is a module `web<name>` with its settings, `check` and `mount`, and a row of DOORS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from proto.errors import StartError
from proto.tap import webapi, webcgi, webdav, webecho, webproxy, webrpc, webwsgi
from proto.tap.process import Process
from proto.tap.service import Part
from proto.web.handlers import Handlers
from proto.web.mounts import Mounts


@dataclass(frozen=True, kw_only=True)
class DoorSettings(
    webapi.ApiSettings,
    webcgi.CgiSettings,
    webdav.DavSettings,
    webecho.EchoSocketSettings,
    webproxy.ProxySettings,
    webrpc.RpcSettings,
    webwsgi.WsgiSettings,
):
    """The settings of all doors."""


@dataclass(frozen=True, slots=True)
class WebDoor:
    """How a door is checked and mounted."""

    check: Callable[[Any], None]
    """Given the settings; raises StartError.  Nothing is left behind."""
    mount: Callable[[Any, Process, Mounts, Handlers], Sequence[Part]]
    """Puts it into the tree, if the settings want it; gives what starts and ends with it."""


DOORS: Final[Sequence[WebDoor]] = (
    WebDoor(webapi.check, webapi.mount),
    WebDoor(webcgi.check, webcgi.mount),
    WebDoor(webproxy.check, webproxy.mount),
    WebDoor(webwsgi.check, webwsgi.mount),
    WebDoor(webecho.check, webecho.mount),
    WebDoor(webdav.check, webdav.mount),
    WebDoor(webrpc.check, webrpc.mount),
)


def check_doors(settings: DoorSettings) -> None:
    """Raises StartError for what cannot be mounted."""
    for door in DOORS:
        door.check(settings)


def mount_doors(
    settings: DoorSettings,
    process: Process,
    mounts: Mounts,
    handlers: Handlers,
    doors: Sequence[WebDoor] = DOORS,
) -> list[Part]:
    """Mount what the settings want.  Raises StartError, also when two want the same path."""
    parts: list[Part] = []
    for door in doors:
        try:
            parts.extend(door.mount(settings, process, mounts, handlers))
        except ValueError as error:
            raise StartError(f"{error}; mount each at a path of its own") from error
    return parts
