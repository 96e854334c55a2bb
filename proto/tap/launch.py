"""What every service on its own has in common: a process around it, and perhaps a metrics port."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proto.tap.options import (
    ListenSettings,
    ProcessSettings,
    SettingsOptions,
    check_twistd,
    one_line,
)
from proto.tap.process import Process
from proto.tap.service import DoorService, open_doors
from proto.web.handlers import Handlers
from proto.web.site import ProtoSite
from proto.web.tree import build_tree


def launch(
    options: SettingsOptions,
    settings: type[ListenSettings],
    build: Callable[[Any, Process], DoorService],
) -> Process:
    """A process with one service, from its command line; or one line on stderr and exit code 1."""
    from twisted.internet import reactor

    with one_line(options.command):
        check_twistd(options)
        process = Process(reactor, options.read(ProcessSettings), options)
        process.add(build(options.read(settings), process))
        add_status(process)
    return process


def add_status(process: Process) -> None:
    """Serve /health and /metrics on --metrics-port, if there is one.  Raises StartError."""
    port = process.settings.metrics_port
    if not port:
        return
    handlers = Handlers()
    process.overview(handlers)
    tree = build_tree(
        None,
        process.reactor,
        handlers=handlers,
        metrics=process.metrics,
        ready=process.ready,
    )
    settings = ListenSettings(port=port)
    keeper = process.doorkeeper("metrics", ProtoSite(tree, process.reactor), settings.limits())
    opened = open_doors(keeper, settings, process.reactor)
    process.add(DoorService(keeper, opened, process.reactor, process.settings.grace, settings))
