"""Which process of a service this is: the only one, the master of others, or one of these.

twistd web                 everything in one process
twistd web --workers 4     the master (`workers`), which starts four workers (`worker`)
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeVar

from proto import endpoints
from proto.config import setting, whole
from proto.endpoints import Endpoint
from proto.errors import StartError
from proto.tap.options import ListenSettings
from proto.tap.pool import Pool, show
from proto.tap.process import Process
from proto.tap.service import DoorService
from proto.tap.worker import Inherited, Station
from proto.tap.workers import Command, Master

MOST: Final = 128

S = TypeVar("S", bound=ListenSettings)


@dataclass(frozen=True, kw_only=True)
class CrewSettings:
    """How many processes there are."""

    workers: int = setting(
        whole(0, MOST),
        0,
        "serve with so many processes, which share the ports; 0 is one process for everything",
    )


@dataclass(frozen=True, slots=True)
class Role:
    """How a service is built in this process."""

    bind: Callable[[Endpoint], socket.socket] = endpoints.bind
    made: Callable[..., DoorService] = DoorService
    inherited: Inherited | None = None

    def settings(self, whole: S) -> S:
        """The settings in this process.  What is held by all together is shared out evenly."""
        if self.inherited is None:
            return whole
        return replace(
            whole,
            max_connections=self.inherited.share(whole.max_connections),
            accept_rate=self.inherited.share(whole.accept_rate),
        )

    def settle(self, process: Process) -> None:
        """Leave to the master what is there once: its metrics port."""
        if self.inherited is not None:
            process.settings = replace(process.settings, metrics_port=())


def role_of(
    name: str,
    settings: CrewSettings,
    process: Process,
    arguments: Sequence[str],
    twistd: Mapping[str, Any],
) -> Role:
    """What this process is, as its environment says.

    `arguments` are those of the service `name`, `twistd` the options of twistd.  Raises StartError.
    """
    inherited = Inherited.take()
    if inherited is not None:
        station = Station(inherited, process)
        process.overview = partial(show, station.ask)
        made = partial(DoorService, start=station.start, close=station.close)
        return Role(inherited.bind, made, inherited)
    if not settings.workers:
        return Role()
    pool = Pool(settings.workers, process.reactor, process.metrics, process.ready)
    process.overview = partial(show, pool.ask)
    command = Command.of(name, arguments, twistd)
    return Role(made=partial(Master, count=settings.workers, command=command, pool=pool))


def check(settings: CrewSettings, places: Sequence[Endpoint], alone: bool, visits: bool) -> None:
    """Raises StartError where there can be no workers; `alone`: no other service is here."""
    if not settings.workers:
        return
    if not alone:
        raise StartError("workers: only for twistd web, and not together with other services")
    for place in places:
        if place.kind != "tcp":
            raise StartError(f"--workers: {place.text} cannot be shared; listen on a TCP port")
    if visits:
        raise StartError("--workers and --visits, which counts in one process: leave out one")
