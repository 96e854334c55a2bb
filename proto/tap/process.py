"""What one process has once, whatever services run in it: signals, metrics, health, log format."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, Final, TextIO, cast

from twisted.application.service import IServiceCollection, MultiService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import FileLogObserver, ILogObserver, Logger
from twisted.python.components import Componentized
from twisted.python.usage import Options
from twisted.web.resource import Resource

from proto.doorkeeper import Doorkeeper, Guarded
from proto.errors import StartError
from proto.limits import Limits
from proto.logs import LogFile, format_json
from proto.metrics import Metrics
from proto.reactor.interfaces import ITurns
from proto.tap.options import ProcessSettings, one_line
from proto.tap.service import DoorService
from proto.web.handlers import Handlers

LAG_EVERY: Final = 0.25
"""Seconds between two looks at how late the reactor is."""


class Process(MultiService):
    """The root of all services in a process."""

    log = Logger()

    def __init__(self, reactor: Any, settings: ProcessSettings, options: Options | None) -> None:
        """`options` are the service's twistd options; their parent knows --logfile."""
        super().__init__()
        self.reactor = reactor
        self.settings = settings
        self.metrics = Metrics()
        self.note: Callable[[bytes], None] | None = None
        """Appends a line to the log receiver's file, where the process has one."""
        self.mounts: list[Callable[[Resource, Handlers], None]] = []
        """What other services show on the web: each puts something into a tree."""
        self.overview: Callable[[Handlers], None] = lambda handlers: None
        """Registers /metrics and /health where they tell of more processes than this one."""
        turns = ITurns(reactor, None)
        self.at_end_of_turn: Callable[..., object] | None = (
            turns.callAtEndOfTurn if turns is not None else None
        )
        """What the lean reactor has for what one turn has to do once."""
        self.reload: Callable[[], None] = lambda: None
        self._options = options
        self._log_file: LogFile | None = None
        self._stopping = False
        self._lag = LoopLag(reactor, self.metrics)

    def ready(self) -> dict[str, bool]:
        """Which services take new peers."""
        return {service.keeper.name: service.ready for service in self.doors()}

    def doors(self) -> list[DoorService]:
        """The services with front doors."""
        return [each for each in self if isinstance(each, DoorService)]

    def doorkeeper(self, name: str, factory: Guarded, limits: Limits) -> Doorkeeper:
        """A doorkeeper for a service of this process."""
        return Doorkeeper(
            name, factory, self.reactor, limits, self.metrics, readers=self.reactor.getReaders
        )

    def add(self, service: DoorService) -> None:
        """Run that service in this process."""
        service.setServiceParent(self)

    def take_over(self, settings: ProcessSettings) -> None:
        """Use those of the settings that can change from now on."""
        self.settings = replace(self.settings, grace=settings.grace)
        for service in self.doors():
            service.grace = settings.grace

    # twistd calls these.
    def setServiceParent(self, parent: IServiceCollection) -> None:
        super().setServiceParent(parent)
        if self.settings.log_format == "json" and isinstance(parent, Componentized):
            with one_line(getattr(self._options, "command", "proto")):
                parent.setComponent(ILogObserver, self._json_observer())

    def startService(self) -> None:
        super().startService()
        self._lag.start()
        self.reactor.callWhenRunning(self._running)

    def stopService(self) -> Deferred[Any]:
        self._stopping = True
        self._lag.stop()
        return cast("Deferred[Any]", super().stopService())

    def _json_observer(self) -> FileLogObserver:
        """To the place where twistd would have logged as text."""
        twistd = getattr(self._options, "parent", None) or {}
        path = twistd.get("logfile") or ("-" if twistd.get("nodaemon", True) else "twistd.log")
        if path == "-":
            return FileLogObserver(sys.stdout, format_json)
        try:
            self._log_file = LogFile(Path(path).absolute())
        except OSError as error:
            raise StartError(
                f"--logfile {path}: {error.strerror}; name a file in a folder that "
                "exists and may be written"
            ) from error
        return FileLogObserver(cast(TextIO, self._log_file), format_json)

    def _running(self) -> None:
        self._take_signals()
        self.log.info(
            "ready: {where}; Ctrl-C or SIGTERM stops",
            where=", ".join(place for service in self.doors() for place in service.places),
        )

    def _take_signals(self) -> None:
        """Twisted's own handlers end the process by the signal; stopping in order is exit code 0.

        They are installed while the reactor starts, and so are ours, after them.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop_signal)
        signal.signal(signal.SIGHUP, self._hangup_signal)

    def _stop_signal(self, number: int, frame: FrameType | None) -> None:
        self.reactor.callFromThread(self._stop, signal.Signals(number).name)

    def _hangup_signal(self, number: int, frame: FrameType | None) -> None:
        self.reactor.callFromThread(self.hangup)

    def _stop(self, name: str) -> None:
        if not self._stopping:
            self.log.info("received {signal}, stopping", signal=name)
            self._stopping = True
            self.reactor.stop()
        elif name == "SIGINT":
            self.log.info("received {signal} again, stopping at once", signal=name)
            for service in self.doors():
                service.hurry()

    def hangup(self) -> None:
        """SIGHUP: reopen the files, look at the certificates, read the configuration again."""
        self.log.info("received SIGHUP, reloading")
        if self._log_file is not None:
            self._reopen("log", self._log_file.reopen)
        for service in self.doors():
            self._reopen(service.keeper.name, service.reopen)
            for certificate in service.certificates:
                certificate.reload()
        self.reload()

    def _reopen(self, name: str, reopen: Callable[[], None]) -> None:
        """Reopen; what comes after is not to suffer from a failure."""
        try:
            reopen()
        except OSError as error:
            self.log.error(
                "{service}: its files stay as they are: {error}", service=name, error=str(error)
            )


class LoopLag:
    """How late the reactor comes to what is due: what a blocking call costs everybody."""

    def __init__(self, clock: IReactorTime, metrics: Metrics) -> None:
        self._clock = clock
        self._due = 0.0
        self._call: IDelayedCall | None = None
        self._latest = 0.0
        self._histogram = metrics.histogram(
            "reactor_lag_seconds", "How late a timer of the reactor fires."
        )
        metrics.gauge("reactor_lag_latest_seconds", "The latest lag seen.", lambda: self._latest)

    def start(self) -> None:
        """Look from now on."""
        self._due = self._clock.seconds() + LAG_EVERY
        self._call = self._clock.callLater(LAG_EVERY, self._look)

    def stop(self) -> None:
        """Look no longer."""
        if self._call is not None and self._call.active():
            self._call.cancel()

    def _look(self) -> None:
        self._latest = max(0.0, self._clock.seconds() - self._due)
        self._histogram.observe(self._latest)
        self.start()
