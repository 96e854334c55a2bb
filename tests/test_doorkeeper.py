"""Who is inside a service: counted, limited, and known to have left."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import ITransport
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from proto.doorkeeper import (
    ACCEPT_BATCH,
    BACKLOG,
    RESERVED_DESCRIPTORS,
    REST,
    TELL_AGAIN,
    Doorkeeper,
)
from proto.errors import PeerError
from proto.limits import Limits, TooMany
from proto.metrics import Metrics
from tests.guarded import Port, Service, Wire, address, counted, make_keeper

MANY = 10**9


class Guest:
    """A connection as its doorkeeper sees it; says what it was told."""

    def __init__(self, keeper: Doorkeeper) -> None:
        self.transport: ITransport | None = Wire(address())
        self.last_heard = keeper.clock.seconds()
        self.hung_up = False
        self.told: list[str] = []
        keeper.admissions.enter()
        keeper.entered(self, 3)

    def heed(self) -> None:
        self.told.append("heed")

    def hang_up(self, why: str) -> None:
        self.told.append("abort" if self.hung_up else why)
        self.hung_up = True

    def abort(self) -> None:
        self.told.append("abort")


def with_ports(keeper: Doorkeeper, count: int = 2) -> list[Port]:
    ports = [Port() for _ in range(count)]
    for port in ports:
        keeper.watch(port)
    return ports


def come_with(keeper: Doorkeeper, descriptor: int) -> Guest:
    guest = Guest(keeper)
    keeper.entered(guest, descriptor)
    return guest


@contextmanager
def descriptors_up_to(limit: int) -> Iterator[None]:
    """Whoever looks now sees that descriptors from `limit` up are too many."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit + RESERVED_DESCRIPTORS, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


# --- counting ------------------------------------------------------------------------------


def test_who_is_in_and_who_was_let_in_is_counted() -> None:
    metrics = Metrics()
    keeper = make_keeper(Clock(), metrics=metrics)
    guests = [Guest(keeper) for _ in range(3)]
    keeper.left(guests[0])
    assert counted(metrics, 'connections_total{service="talk"}') == "3.0"
    assert counted(metrics, 'connections_open{service="talk"}') == "2.0"


def test_a_refusal_is_counted_by_its_reason_and_told_in_the_words_of_the_service() -> None:
    metrics = Metrics()
    keeper = make_keeper(Clock(), metrics=metrics)
    assert keeper.refused(TooMany("no room", "full", 30), "192.0.2.1:1") == b"! no room\r\n"
    assert keeper.refused(TooMany("no room", "full", 30), "192.0.2.1:1") == b"! no room\r\n"
    keeper.refused(PeerError("not a proxy"), "192.0.2.1:1")
    name = 'connections_refused_total{reason="%s",service="talk"}'
    assert counted(metrics, name % "full") == "2.0"
    assert counted(metrics, name % "proxy") == "1.0"


# --- being empty ---------------------------------------------------------------------------


def test_when_empty_fires_when_the_last_one_left() -> None:
    keeper = make_keeper(Clock())
    fired: list[None] = []
    keeper.when_empty().addCallback(fired.append)
    assert len(fired) == 1
    one, other = Guest(keeper), Guest(keeper)
    for _ in range(2):
        keeper.when_empty().addCallback(fired.append)
    keeper.left(one)
    assert len(fired) == 1
    keeper.left(other)
    assert len(fired) == 3


def test_one_who_waits_no_longer_does_no_harm() -> None:
    keeper = make_keeper(Clock())
    guest = Guest(keeper)
    waiting: Deferred[None] = keeper.when_empty()
    waiting.addErrback(lambda failure: None)
    waiting.cancel()
    keeper.left(guest)
    assert keeper.when_empty().called


def test_abort_cuts_off_guests_and_those_that_were_turned_away() -> None:
    keeper = make_keeper(Clock())
    guests = [Guest(keeper), Guest(keeper)]
    keeper.lingering.add(Guest(keeper))
    (refused,) = keeper.lingering
    keeper.abort()
    assert [guest.told for guest in guests] == [["abort"], ["abort"]]
    assert isinstance(refused, Guest)
    assert "abort" in refused.told


# --- silence -------------------------------------------------------------------------------


def test_a_silent_guest_is_hung_up_on_and_one_that_is_heard_is_not() -> None:
    clock = Clock()
    keeper = make_keeper(clock, limits=Limits(idle=8))
    silent, talking = Guest(keeper), Guest(keeper)
    for _ in range(7):
        clock.advance(1)
        talking.last_heard = clock.seconds()
    assert silent.told == []
    clock.advance(1)
    talking.last_heard = clock.seconds()
    assert (silent.told, talking.told) == (["silent for 8 s"], [])


def test_one_that_does_not_go_is_cut_off_a_quarter_later() -> None:
    clock = Clock()
    reading: list[ITransport] = []
    keeper = make_keeper(clock, limits=Limits(idle=8), reading=reading)
    guest = Guest(keeper)
    assert guest.transport is not None
    reading.append(guest.transport)
    clock.pump([2] * 4)
    assert guest.told == ["silent for 8 s"]
    reading.clear()  # a transport that is closing is not read any more
    clock.advance(2)
    assert guest.told == ["silent for 8 s", "abort"]


def test_a_transport_that_we_do_not_read_ourselves_is_not_idle() -> None:
    clock = Clock()
    reading: list[ITransport] = []
    keeper = make_keeper(clock, limits=Limits(idle=4), reading=reading)
    paused, read = Guest(keeper), Guest(keeper)
    assert read.transport is not None
    reading.append(read.transport)
    clock.pump([1] * 4)
    assert (paused.told, read.told) == ([], ["silent for 4 s"])


def test_a_limit_on_silence_that_comes_while_running_counts_from_now() -> None:
    clock = Clock()
    keeper = make_keeper(clock)
    guest = Guest(keeper)
    clock.advance(1000)
    keeper.set_limits(Limits(idle=4))
    assert guest.told == ["heed"]
    keeper.set_limits(Limits(idle=8))
    assert guest.told == ["heed"]


def test_a_shorter_limit_is_held_at_once_and_none_ends_the_looking() -> None:
    clock = Clock()
    keeper = make_keeper(clock, limits=Limits(idle=4000))
    guest = Guest(keeper)
    keeper.set_limits(Limits(idle=4))
    clock.pump([1] * 4)
    assert guest.told == ["silent for 4 s"]
    keeper.set_limits(Limits())
    assert clock.getDelayedCalls() == []
    clock.advance(100)
    assert guest.told == ["silent for 4 s"]


# --- listeners -----------------------------------------------------------------------------


def test_a_port_takes_a_small_batch_however_busy_it_is() -> None:
    keeper = make_keeper(Clock())
    (port,) = with_ports(keeper, 1)
    assert port.numberAccepts == ACCEPT_BATCH
    port.numberAccepts += 20  # as Twisted does
    Guest(keeper)
    assert port.numberAccepts == ACCEPT_BATCH


def test_listeners_rest_when_descriptors_run_short_and_come_back() -> None:
    clock = Clock()
    keeper = make_keeper(clock)
    ports = with_ports(keeper)
    with capturedLogs() as events:
        come_with(keeper, MANY)
    assert [port.reads() for port in ports] == [False, False]
    assert [event["log_level"].name for event in events] == ["warn"]
    clock.advance(REST - 0.1)
    assert [port.reads() for port in ports] == [False, False]
    clock.advance(0.1)
    assert [port.reads() for port in ports] == [True, True]


def test_listeners_come_back_as_soon_as_somebody_leaves() -> None:
    clock = Clock()
    keeper = make_keeper(clock)
    (port,) = with_ports(keeper, 1)
    guest = come_with(keeper, MANY)
    assert not port.reads()
    keeper.left(guest)
    assert port.reads()
    assert clock.getDelayedCalls() == []


def test_listeners_rest_on_while_descriptors_are_short() -> None:
    clock = Clock()
    with descriptors_up_to(0):
        keeper = make_keeper(clock)
    (port,) = with_ports(keeper, 1)
    with capturedLogs() as events:
        guest = come_with(keeper, 3)
        clock.pump([REST] * 5)
        keeper.left(guest)
        assert not port.reads()
    assert len(events) == 1


def test_the_complaint_about_descriptors_is_not_repeated_within_a_minute() -> None:
    clock = Clock()
    keeper = make_keeper(clock)
    (port,) = with_ports(keeper, 1)
    with capturedLogs() as events:
        for _ in range(int(TELL_AGAIN)):
            come_with(keeper, MANY)
            clock.advance(REST)
            assert port.reads()
        assert len(events) == 1
        come_with(keeper, MANY)
    assert len(events) == 2


def test_descriptors_below_the_limit_are_no_reason_to_rest() -> None:
    with descriptors_up_to(50):
        keeper = make_keeper(Clock())
    (port,) = with_ports(keeper, 1)
    come_with(keeper, 49)
    assert port.reads()
    come_with(keeper, 50)
    assert not port.reads()


def test_the_accept_rate_makes_newcomers_wait() -> None:
    clock = Clock()
    keeper = make_keeper(clock, limits=Limits(accept_rate=2))
    (port,) = with_ports(keeper, 1)
    Guest(keeper)
    assert port.reads()
    Guest(keeper)
    assert not port.reads()
    clock.advance(0.4)
    assert not port.reads()
    clock.advance(0.1)
    assert port.reads()
    Guest(keeper)
    assert not port.reads()


def test_somebody_who_leaves_does_not_end_the_wait_for_the_accept_rate() -> None:
    clock = Clock()
    keeper = make_keeper(clock, limits=Limits(accept_rate=1))
    (port,) = with_ports(keeper, 1)
    guest = Guest(keeper)
    assert not port.reads()
    keeper.left(guest)
    assert not port.reads()
    clock.advance(1)
    assert port.reads()


def test_a_whole_batch_above_the_rate_is_paid_back() -> None:
    clock = Clock()
    keeper = make_keeper(clock, limits=Limits(accept_rate=4))
    (port,) = with_ports(keeper, 1)
    let_in, seconds = 0, 10
    while clock.seconds() < seconds:
        if port.reads():
            for _ in range(ACCEPT_BATCH):
                Guest(keeper)
                let_in += 1
        clock.advance(0.25)
    assert let_in <= 4 + 4 * seconds + ACCEPT_BATCH


def test_listeners_rest_while_the_service_holds_them_whoever_else_would_wake_them() -> None:
    clock = Clock()
    keeper = make_keeper(clock, limits=Limits(accept_rate=1))
    (port,) = with_ports(keeper, 1)
    keeper.hold(True)
    assert not port.reads()
    Guest(keeper)
    clock.advance(2)
    assert not port.reads()
    (later,) = with_ports(keeper, 1)
    assert not later.reads()
    Guest(keeper)
    keeper.hold(False)
    assert not port.reads()  # the rate is not paid back yet
    clock.advance(2)
    assert port.reads()
    assert later.reads()
    keeper.hold(True)
    keeper.hold(False)
    assert port.reads()


# --- closing -------------------------------------------------------------------------------


def test_doors_that_close_take_whom_the_kernel_has_and_stay_closed() -> None:
    clock = Clock()
    keeper = make_keeper(clock)
    (port,) = with_ports(keeper, 1)
    guest = come_with(keeper, MANY)
    keeper.close_doors()
    assert port.read == [BACKLOG]
    assert not port.reads()
    keeper.left(guest)
    clock.advance(10 * REST)
    assert not port.reads()
    assert port.read == [BACKLOG]


def test_nothing_ticks_when_the_service_is_over() -> None:
    clock = Clock()
    keeper = make_keeper(clock, limits=Limits(idle=4, accept_rate=1))
    with_ports(keeper)
    Guest(keeper)
    assert len(clock.getDelayedCalls()) == 2
    keeper.close()
    assert clock.getDelayedCalls() == []


def test_the_service_is_told_nothing_by_its_doorkeeper() -> None:
    service = Service()
    keeper = make_keeper(Clock(), service)
    keeper.abort()
    keeper.close()
    assert service.history == []
