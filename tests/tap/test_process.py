"""What one process has once: signals, health, loop lag, and the form of its log."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.application.service import Application
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import FileLogObserver, ILogObserver, Logger, LogPublisher, capturedLogs
from twisted.python.components import Componentized
from twisted.python.usage import Options

from proto.limits import Limits
from proto.metrics import Metrics
from proto.tap.options import ListenSettings, ProcessSettings
from proto.tap.process import LAG_EVERY, LoopLag, Process
from proto.tap.service import DoorService, Opened
from proto.tls import Certificates
from tests.guarded import Service, counted

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Reactor(MemoryReactorClock):
    """A reactor in memory; counts its stops, and runs at once what a signal hands to it."""

    def __init__(self) -> None:
        super().__init__()
        self.stops = 0

    def callFromThread(self, call: Callable[..., object], *arguments: object) -> None:
        call(*arguments)

    def stop(self) -> None:
        super().stop()
        self.stops += 1


class Shop(DoorService):
    """A service that says what it was told."""

    def __init__(self, process: Process, name: str, told: list[str]) -> None:
        keeper = process.doorkeeper(name, Service(), Limits())
        opened = Opened()
        super().__init__(
            keeper,
            opened,
            process.reactor,
            process.settings.grace,
            ListenSettings(),
            reopen=lambda: told.append(f"{name} reopens"),
        )
        self._told = told

    def hurry(self) -> None:
        self._told.append(f"{self.name} hurries")


class Certificate:
    def __init__(self, told: list[str]) -> None:
        self._told = told

    def reload(self) -> None:
        self._told.append("certificate")


def make(
    told: list[str] | None = None, options: Options | None = None, **settings: Any
) -> tuple[Process, Reactor, list[str]]:
    """A process with two services."""
    reactor, told = Reactor(), [] if told is None else told
    process = Process(reactor, ProcessSettings(**settings), options)
    for name in ("chat", "web"):
        process.add(Shop(process, name, told))
    return process, reactor, told


@pytest.fixture(name="deliver")
def fixture_deliver() -> Iterator[Callable[[signal.Signals], None]]:
    """Calls what is installed for a signal, without sending one; afterwards all is as it was."""
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def deliver(number: signal.Signals) -> None:
        installed = signal.getsignal(number)
        assert installed is not before[number]
        assert callable(installed)
        installed(number, None)

    yield deliver
    for number, installed in before.items():
        signal.signal(number, installed)


def running(process: Process, reactor: Reactor) -> None:
    process.privilegedStartService()
    process.startService()
    reactor.run()


# --- signals -------------------------------------------------------------------------------


def test_signals_are_taken_only_when_the_reactor_runs() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    process, reactor, _ = make()
    process.startService()
    assert [signal.getsignal(number) for number in SIGNALS] == before
    assert [hook[0] for hook in reactor.whenRunningHooks] == [process._running]


def test_sigterm_stops_once(deliver: Callable[[signal.Signals], None]) -> None:
    process, reactor, told = make()
    running(process, reactor)
    reactor.stops = 0
    with capturedLogs() as events:
        deliver(signal.SIGTERM)
        deliver(signal.SIGTERM)
    assert reactor.stops == 1
    assert told == []
    assert [event["signal"] for event in events] == ["SIGTERM"]


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_sigint_while_stopping_stops_at_once(
    first: signal.Signals, deliver: Callable[[signal.Signals], None]
) -> None:
    process, reactor, told = make()
    running(process, reactor)
    reactor.stops = 0
    deliver(first)
    assert told == []
    deliver(signal.SIGINT)
    assert reactor.stops == 1
    assert told == ["chat hurries", "web hurries"]


def test_sigint_during_a_stop_that_no_signal_began_stops_at_once(
    deliver: Callable[[signal.Signals], None],
) -> None:
    process, reactor, told = make()
    running(process, reactor)
    reactor.stops = 0
    process.stopService()
    deliver(signal.SIGINT)
    assert reactor.stops == 0
    assert told == ["chat hurries", "web hurries"]


def test_sighup_reopens_files_looks_at_certificates_and_reads_the_configuration(
    deliver: Callable[[signal.Signals], None],
) -> None:
    process, reactor, told = make()
    for service in process.doors():
        service.certificates.append(cast(Certificates, Certificate(told)))
    process.reload = lambda: told.append("configuration")
    running(process, reactor)
    deliver(signal.SIGHUP)
    assert told == [
        "chat reopens",
        "certificate",
        "web reopens",
        "certificate",
        "configuration",
    ]


def test_a_file_that_cannot_be_opened_again_does_not_keep_the_others_from_it() -> None:
    process, _, told = make()

    def fail() -> None:
        raise PermissionError(13, "Permission denied", "/var/log/x")

    process.doors()[0].reopen = fail
    process.reload = lambda: told.append("configuration")
    with capturedLogs() as events:
        process.hangup()
    assert told == ["web reopens", "configuration"]
    assert [event["error"] for event in events if "error" in event] == [
        "[Errno 13] Permission denied: '/var/log/x'"
    ]


def test_a_process_without_a_configuration_has_nothing_to_read_again() -> None:
    process, _, told = make()
    process.hangup()
    assert told == ["chat reopens", "web reopens"]


# --- health and settings -------------------------------------------------------------------


def test_a_service_is_ready_between_its_start_and_its_stop() -> None:
    process, _, _ = make()
    assert process.ready() == {"chat": False, "web": False}
    process.privilegedStartService()
    assert process.ready() == {"chat": False, "web": False}
    process.startService()
    assert process.ready() == {"chat": True, "web": True}
    process.stopService()
    assert process.ready() == {"chat": False, "web": False}


def test_a_stop_waits_for_every_service_and_leaves_nothing_ticking() -> None:
    process, reactor, _ = make()
    process.privilegedStartService()
    process.startService()
    assert len(reactor.getDelayedCalls()) == 1
    stopped: list[object] = []
    process.stopService().addCallback(stopped.append)
    assert len(stopped) == 1
    assert reactor.getDelayedCalls() == []
    for service in process.doors():
        assert cast(Service, service.keeper.factory).history == [
            "started",
            "farewell",
            "stopped with 0 present",
        ]


def test_a_new_grace_is_taken_over_and_the_rest_stays() -> None:
    process, _, _ = make(grace=5.0)
    process.take_over(ProcessSettings(grace=7.0, log_format="json"))
    assert process.settings == ProcessSettings(grace=7.0, log_format="text")
    assert [service.grace for service in process.doors()] == [7.0, 7.0]


def test_only_transports_that_the_reactor_reads_count_as_idle() -> None:
    process, reactor, _ = make()
    keeper = process.doorkeeper("x", Service(), Limits())
    assert keeper._readers == reactor.getReaders
    assert keeper.clock is reactor


# --- loop lag ------------------------------------------------------------------------------


def test_loop_lag_is_how_late_a_timer_fires() -> None:
    clock, metrics = Clock(), Metrics()
    lag = LoopLag(cast(IReactorTime, clock), metrics)
    lag.start()
    clock.advance(LAG_EVERY)
    assert counted(metrics, "reactor_lag_latest_seconds") == "0.0"
    clock.advance(LAG_EVERY + 2.0)  # somebody blocked for two seconds
    assert counted(metrics, "reactor_lag_latest_seconds") == "2.0"
    clock.advance(LAG_EVERY)
    assert counted(metrics, "reactor_lag_latest_seconds") == "0.0"
    assert counted(metrics, "reactor_lag_seconds_count") == "3.0"
    assert counted(metrics, "reactor_lag_seconds_sum") == "2.0"
    lag.stop()
    lag.stop()
    assert clock.getDelayedCalls() == []


def test_a_clock_that_was_set_back_is_no_lag() -> None:
    clock, metrics = Clock(), Metrics()
    lag = LoopLag(cast(IReactorTime, clock), metrics)
    lag.start()
    clock.rightNow = -100.0
    lag._look()
    assert counted(metrics, "reactor_lag_latest_seconds") == "0.0"


# --- the log -------------------------------------------------------------------------------


def command(**twistd: object) -> Options:
    """The options of a service below those of twistd."""
    options = Options()
    cast(Any, options).parent = twistd
    cast(Any, options).command = "chat"
    return options


def observer_of(process: Process) -> FileLogObserver | None:
    application: Componentized = Application("x")
    process.setServiceParent(cast(Any, application))
    return cast("FileLogObserver | None", application.getComponent(ILogObserver, None))


def test_a_text_log_is_left_to_twistd(tmp_path: Path) -> None:
    process, _, _ = make(options=command(logfile=str(tmp_path / "x.log")))
    assert observer_of(process) is None
    assert not (tmp_path / "x.log").exists()


def test_a_json_log_goes_to_the_file_that_twistd_was_given(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("before\n")
    process, _, _ = make(options=command(logfile=str(path), nodaemon=1), log_format="json")
    observer = observer_of(process)
    assert observer is not None
    Logger("proto.x", observer=LogPublisher(observer)).info("{who} said\n{what}", who="bob", what=1)
    first, line = path.read_text().splitlines()
    assert first == "before"
    record = json.loads(line)
    assert (record["message"], record["who"]) == ("bob said\n1", "bob")
    cast(Any, observer)._outFile.close()


@pytest.mark.parametrize("twistd", [{"nodaemon": 1}, {"logfile": "-"}, {"logfile": None}, {}])
def test_a_json_log_goes_to_the_terminal_where_there_is_one(
    twistd: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    process, _, _ = make(options=command(**twistd), log_format="json")
    observer = observer_of(process)
    assert observer is not None
    Logger("proto.x", observer=LogPublisher(observer)).info("here")
    assert json.loads(capsys.readouterr().out)["message"] == "here"


def test_a_json_log_of_a_daemon_goes_to_the_file_that_twistd_would_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    process, _, _ = make(options=command(nodaemon=0), log_format="json")
    observer = observer_of(process)
    cast(Any, observer)._outFile.close()
    assert (tmp_path / "twistd.log").exists()


def test_a_json_log_that_cannot_be_written_ends_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "none" / "x.log"
    process, _, _ = make(options=command(logfile=str(path)), log_format="json")
    with pytest.raises(SystemExit) as ended:
        observer_of(process)
    assert ended.value.code == (
        f"twistd chat: --logfile {path}: No such file or directory; "
        "name a file in a folder that exists and may be written"
    )
