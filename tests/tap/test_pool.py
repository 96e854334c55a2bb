from __future__ import annotations

import json
from dataclasses import dataclass, field

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from proto.metrics import Metrics
from proto.tap.control import Message
from proto.tap.pool import PATIENCE, Member, Overview, Pool, show
from proto.web.handlers import Handlers
from tests.tap.test_summing import text, value
from tests.web.wire import ask, site_of


@dataclass
class Wire:
    """What was said to a worker."""

    said: list[Message] = field(default_factory=list)

    def say(self, message: Message) -> None:
        self.said.append(message)


@dataclass
class Crew:
    """A pool and its workers, whose figures are one counter."""

    count: int = 2
    clock: Clock = field(default_factory=Clock)
    metrics: Metrics = field(default_factory=Metrics)
    members: list[Member] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pool = Pool(self.count, self.clock, self.metrics, lambda: {"web": True})
        for number in range(1, self.count + 1):
            self.join(number)

    def join(self, number: int) -> Member:
        member = Member(number, Wire())
        self.members.append(member)
        self.pool.add(member)
        self.pool.hear(member, Message("ready"))
        return member

    def told(self, member: Member) -> list[Message]:
        assert isinstance(member.line, Wire)
        return member.line.said

    def tell(self, member: Member, requests: int, is_ready: bool = True) -> None:
        figures = Metrics()
        figures.tally("requests", "Requests.").value = requests
        self.pool.hear(member, Message("told", text(figures), {"web": is_ready}))


def result(waiting: Deferred[Overview]) -> list[Overview]:
    got: list[Overview] = []
    waiting.addCallback(got.append)
    return got


def requests(overview: Overview) -> float:
    return value(overview.metrics, "proto_requests_total")


def test_all_are_asked_and_their_sum_is_told_when_the_last_has_answered() -> None:
    crew = Crew()
    one, two = crew.members
    got = result(crew.pool.ask())
    assert crew.told(one) == crew.told(two) == [Message("tell")]
    crew.tell(one, 3)
    assert got == []
    crew.tell(two, 4)
    assert requests(got[0]) == 7
    assert got[0].services == {"web": True, "worker 1": True, "worker 2": True}
    assert not crew.clock.getDelayedCalls()


def test_what_the_master_counts_itself_is_in_the_sum() -> None:
    crew = Crew(count=1)
    crew.metrics.tally("requests", "Requests.").value = 10
    got = result(crew.pool.ask())
    crew.tell(crew.members[0], 1)
    assert requests(got[0]) == 11


def test_who_asks_meanwhile_gets_the_same_and_nobody_is_asked_twice() -> None:
    crew = Crew(count=1)
    (one,) = crew.members
    first, second = result(crew.pool.ask()), result(crew.pool.ask())
    assert crew.told(one) == [Message("tell")]
    crew.tell(one, 3)
    assert first == second
    third = result(crew.pool.ask())
    assert len(crew.told(one)) == 2
    crew.tell(one, 4)
    assert requests(third[0]) == 4


def test_a_worker_that_does_not_answer_counts_with_what_it_told_last() -> None:
    crew = Crew()
    one, stuck = crew.members
    first = result(crew.pool.ask())
    crew.tell(one, 1)
    crew.tell(stuck, 10)
    assert requests(first[0]) == 11
    second = result(crew.pool.ask())
    crew.tell(one, 2)
    crew.clock.advance(PATIENCE)
    assert requests(second[0]) == 12
    assert second[0].services == {"web": True, "worker 1": True, "worker 2": False}
    third = result(crew.pool.ask())
    crew.tell(one, 3)
    crew.clock.advance(PATIENCE)
    assert requests(third[0]) == 13
    assert len(crew.told(stuck)) == 2  # it still owes the second answer, and is not asked again
    crew.tell(stuck, 20)
    fourth = result(crew.pool.ask())
    crew.tell(one, 4)
    crew.tell(stuck, 21)
    assert requests(fourth[0]) == 25
    assert fourth[0].services["worker 2"] is True


def test_what_a_worker_has_counted_stays_when_it_is_gone() -> None:
    crew = Crew()
    one, two = crew.members
    first = result(crew.pool.ask())
    crew.tell(one, 1)
    crew.tell(two, 10)
    crew.pool.remove(two)
    second = result(crew.pool.ask())
    crew.tell(one, 2)
    assert requests(first[0]) == 11
    assert requests(second[0]) == 12
    assert second[0].services["worker 2"] is False
    again = crew.join(2)
    third = result(crew.pool.ask())
    crew.tell(one, 3)
    crew.tell(again, 1)
    assert requests(third[0]) == 14
    assert third[0].services["worker 2"] is True


def test_the_last_words_of_a_worker_count() -> None:
    crew = Crew(count=1)
    (one,) = crew.members
    crew.tell(one, 5, is_ready=False)
    crew.pool.remove(one)
    assert requests(result(crew.pool.ask())[0]) == 5


def test_nobody_waits_for_a_worker_that_goes_before_it_answers() -> None:
    crew = Crew()
    one, two = crew.members
    got = result(crew.pool.ask())
    crew.tell(one, 1)
    crew.pool.remove(two)
    assert requests(got[0]) == 1


def test_a_worker_that_says_it_is_not_ready_is_not() -> None:
    crew = Crew(count=1)
    got = result(crew.pool.ask())
    crew.tell(crew.members[0], 1, is_ready=False)
    assert got[0].services == {"web": True, "worker 1": False}


def test_a_worker_that_asks_is_answered() -> None:
    crew = Crew()
    one, two = crew.members
    crew.pool.hear(one, Message("ask"))
    crew.tell(one, 1)
    crew.tell(two, 2)
    asked, answer = crew.told(one)
    assert (asked.kind, answer.kind, crew.told(two)) == ("tell", "answer", [Message("tell")])
    assert value(answer.metrics, "proto_requests_total") == 3
    assert answer.services["worker 2"] is True


def test_a_worker_that_asks_and_goes_is_not_answered() -> None:
    crew = Crew()
    one, two = crew.members
    crew.pool.hear(one, Message("ask"))
    crew.pool.remove(one)
    crew.tell(two, 2)
    assert crew.told(two) == [Message("tell")]


def test_one_who_no_longer_waits_is_in_nobodys_way() -> None:
    crew = Crew(count=1)
    left = crew.pool.ask()
    failed: list[object] = []
    left.addErrback(lambda failure: failed.append(failure.trap(CancelledError)))
    stays = result(crew.pool.ask())
    left.cancel()
    crew.tell(crew.members[0], 1)
    assert (failed, len(stays)) == ([CancelledError], 1)


def test_what_all_have_is_shown_in_place_of_ones_own() -> None:
    ready = {"web": True, "worker 1": True}

    async def overview() -> Overview:
        return Overview("all of them\n", ready)

    handlers = Handlers()
    show(overview, handlers)
    metrics = Metrics()
    site = site_of(handlers=handlers, metrics=metrics, ready=lambda: {"web": True})
    told = ask(site, "/metrics")
    assert told.body == b"all of them\n"
    assert told.headers["Content-Type"].startswith("text/plain; version=")
    for path in ("/health", "/health/ready"):
        answer = ask(site, path)
        assert answer.status == 200
        assert json.loads(answer.body) == {"live": True, "ready": True, "services": ready}
        assert answer.headers["Cache-Control"] == "no-store"
    ready["worker 1"] = False
    assert ask(site, "/health/ready").status == 503
    assert json.loads(ask(site, "/health/live").body) == {"live": True}
