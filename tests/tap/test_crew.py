from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.testing import MemoryReactorClock

from proto import endpoints
from proto.endpoints import parse
from proto.errors import StartError
from proto.tap.crew import CrewSettings, Role, check, role_of
from proto.tap.options import ListenSettings, ProcessSettings
from proto.tap.process import Process
from proto.tap.service import DoorService
from proto.tap.worker import VARIABLE, Inherited
from proto.tap.workers import Master
from proto.web.handlers import Handlers
from tests.web.wire import ask, site_of


def process() -> Process:
    settings = ProcessSettings(metrics_port=(parse("0"),))
    return Process(MemoryReactorClock(), settings, None)


def role(count: int) -> tuple[Role, Process]:
    here = process()
    return role_of("web", CrewSettings(workers=count), here, ["-p", "0"], {}), here


def test_without_workers_one_process_does_everything() -> None:
    only, here = role(0)
    assert only == Role(endpoints.bind, DoorService, None)
    settings = ListenSettings(max_connections=10)
    assert only.settings(settings) is settings
    only.settle(here)
    assert here.settings.metrics_port
    handlers = Handlers()
    here.overview(handlers)
    assert ask(site_of(handlers=handlers), "/metrics").status == 404


def test_a_master_binds_and_shows_the_figures_of_all() -> None:
    master, here = role(2)
    assert master.bind is endpoints.bind
    made: Any = master.made
    assert made.func is Master
    assert made.keywords["count"] == 2
    settings = ListenSettings(max_connections=10)
    assert master.settings(settings) is settings
    handlers = Handlers()
    here.overview(handlers)
    assert b"proto_reactor_lag" in ask(site_of(handlers=handlers), "/metrics").body
    assert b'"worker 2":false' in ask(site_of(handlers=handlers), "/health").body


def test_a_worker_has_its_part_of_the_limits_and_no_metrics_port() -> None:
    inherited: Any = Inherited(1, 4, None, [])  # type: ignore[arg-type]
    worker = Role(inherited.bind, DoorService, inherited)
    limits = worker.settings(ListenSettings(max_connections=10, accept_rate=0, max_per_address=3))
    assert (limits.max_connections, limits.accept_rate, limits.max_per_address) == (3, 0, 3)
    here = process()
    worker.settle(here)
    assert not here.settings.metrics_port


@pytest.fixture
def misled() -> Iterator[None]:
    os.environ[VARIABLE] = "nonsense"
    yield
    os.environ.pop(VARIABLE, None)


def test_a_variable_that_was_left_behind_is_told(misled: None) -> None:
    with pytest.raises(StartError, match="there is no master; unset it"):
        role(0)
    assert VARIABLE not in os.environ


def test_where_there_can_be_no_workers_it_is_said() -> None:
    two, tcp = CrewSettings(workers=2), [parse("0"), parse("tcp6:0")]
    check(two, tcp, alone=True, visits=False)
    check(CrewSettings(), [parse("unix:x")], alone=False, visits=True)
    with pytest.raises(StartError, match="only for twistd web"):
        check(two, tcp, alone=False, visits=False)
    with pytest.raises(StartError, match="--visits"):
        check(two, tcp, alone=True, visits=True)
    for place in ("unix:x.sock", "systemd:domain=INET:index=0"):
        with pytest.raises(StartError, match="cannot be shared; listen on a TCP port"):
            check(two, [*tcp, parse(place)], alone=True, visits=False)
