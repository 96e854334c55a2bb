"""Many who ask for the same at the same time."""

from __future__ import annotations

from typing import Final

import pytest
from twisted.internet.defer import CancelledError, Deferred

from proto.web.proxy.cache.flights import UNSHARED_FOR
from proto.web.proxy.messages import Ask, Reply, ReplyLost
from proto.web.response import HTTPError
from tests.web.proxy.cache.origin import LOST, Client, Held, Street, answer, ask, lines

MINUTE: Final = "Cache-Control: max-age=60"
CROWD: Final = 100


class Crowd(Street):
    """A cache whose origin answers when the test says so."""

    def __init__(self, **limits: float) -> None:
        super().__init__(**limits)
        self.coming: list[Deferred[Reply]] = []
        self.answering = self._later

    def _later(self, _: Ask) -> Deferred[Reply]:
        self.coming.append(Deferred())
        return self.coming[-1]

    def come(self, count: int = CROWD, *fields: str) -> list[Client]:
        return [self.get(*fields) for _ in range(count)]

    def say(self, reply: Reply | Exception, which: int = -1) -> None:
        if isinstance(reply, Exception):
            self.coming[which].errback(reply)
        else:
            self.coming[which].callback(reply)


def held(*fields: str) -> tuple[Reply, Held]:
    """An answer whose body comes when the test says so."""
    body = Held()
    return Reply(200, b"OK", lines(*fields), body, body.close), body


@pytest.mark.parametrize("length", [[], ["Content-Length: 5"]])
def test_a_crowd_is_one_fetch(length: list[str]) -> None:
    street = Crowd()
    clients = street.come()
    assert len(street.coming) == 1
    street.say(answer(MINUTE, *length))
    assert all(each.body == b"hello" and each.is_done for each in clients)
    assert {each.told for each in clients[1:]} == {"proto; fwd=uri-miss; collapsed"}
    assert {each.value("Age") for each in clients[1:]} == {"0"}
    assert len(street.asked) == 1


def test_of_a_known_length_each_reads_as_it_comes() -> None:
    street = Crowd()
    clients = street.come(3)
    reply, body = held(MINUTE, "Content-Length: 6")
    street.say(reply)
    body.send(b"one")
    assert [each.body for each in clients] == [b"one"] * 3
    late = street.get()
    assert late.body == b"one"
    body.send(b"two")
    body.send(None)
    assert [each.body for each in (*clients, late)] == [b"onetwo"] * 4
    assert {each.value("Content-Length") for each in clients} == {"6"}


def test_of_an_unknown_length_the_first_reads_as_it_comes_and_others_when_it_is_whole() -> None:
    street = Crowd()
    clients = street.come(3)
    reply, body = held(MINUTE)
    street.say(reply)
    body.send(b"one")
    assert [each.body for each in clients] == [b"one", b"", b""]
    body.send(None)
    assert [each.body for each in clients] == [b"one"] * 3


def test_what_grows_too_large_sends_the_others_to_the_origin() -> None:
    street = Crowd(max_object=4)
    clients = street.come(3)
    reply, body = held(MINUTE)
    street.say(reply)
    body.send(b"12345")
    assert len(street.coming) == 3
    body.send(None)
    assert clients[0].body == b"12345"


def test_a_first_client_that_reads_nothing_delays_nobody() -> None:
    street = Crowd()
    slow = street.client(ask(), reads=False)
    others = street.come(3)
    reply, body = held(MINUTE)
    street.say(reply)
    body.send(b"one")
    body.send(None)
    assert [each.body for each in others] == [b"one"] * 3
    slow.leave()


def test_what_is_for_one_alone_is_fetched_by_each() -> None:
    street = Crowd()
    clients = street.come()
    street.say(answer("Cache-Control: private"))
    assert len(street.coming) == CROWD
    for which in range(1, CROWD):
        street.say(answer("Cache-Control: private"), which)
    assert all(each.is_done for each in clients)


def test_then_nobody_waits_for_others_for_a_while() -> None:
    street = Crowd()
    street.come(1)
    street.say(answer("Cache-Control: private"))
    street.come(3)
    assert len(street.coming) == 4
    street.clock.advance(UNSHARED_FOR)
    street.come(3)
    assert len(street.coming) == 5


def test_nobody_waits_longer_than_patience() -> None:
    street = Crowd(patience=5.0)
    clients = street.come(3)
    street.clock.advance(4.9)
    assert len(street.coming) == 1
    street.clock.advance(0.1)
    assert len(street.coming) == 3
    for which in (2, 1, 0):
        street.say(answer(MINUTE), which)
    assert all(each.is_done for each in clients)
    assert not street.clock.getDelayedCalls()


def test_nor_for_a_body_that_does_not_come() -> None:
    street = Crowd(patience=5.0)
    street.come(3)
    reply, body = held(MINUTE)
    street.say(reply)
    body.send(b"one")
    street.clock.advance(5)
    assert len(street.coming) == 3


def test_when_the_first_leaves_the_others_are_answered_all_the_same() -> None:
    street = Crowd()
    first, second, third = street.come(3)
    first.leave()
    assert isinstance(first.failure, CancelledError)
    reply, body = held(MINUTE, "Content-Length: 3")
    street.say(reply)
    second.leave()
    body.send(b"one")
    body.send(None)
    assert third.body == b"one"
    assert len(street.coming) == 1


def test_when_all_have_left_nobody_fetches() -> None:
    street = Crowd()
    for client in street.come(3):
        client.leave()
    assert street.coming[0].called
    assert len(street.coming) == 1
    street.come(1)
    assert len(street.coming) == 2


def test_when_all_leave_in_the_middle_the_origin_is_told() -> None:
    street = Crowd()
    clients = street.come(3)
    reply, body = held(MINUTE, "Content-Length: 6")
    street.say(reply)
    body.send(b"one")
    for client in clients:
        assert not body.is_closed
        client.leave()
    assert body.is_closed
    street.come(1)
    assert len(street.coming) == 2


def test_without_an_answer_each_asks_alone() -> None:
    street = Crowd()
    clients = street.come(3)
    street.say(HTTPError(502))
    assert len(street.coming) == 3
    street.say(answer(MINUTE), 1)
    street.say(HTTPError(504), 2)
    assert [type(each.failure) for each in clients] == [HTTPError, type(None), HTTPError]


def test_what_is_kept_helps_the_whole_crowd() -> None:
    street = Crowd()
    street.answering = lambda _: answer("Cache-Control: max-age=60, stale-if-error=600")
    street.get()
    street.clock.advance(100)
    street.answering = street._later
    clients = street.come()
    street.say(HTTPError(502))
    assert [each.body for each in clients] == [b"hello"] * CROWD
    assert len(street.coming) == 1


def test_a_body_that_breaks_off_breaks_off_for_who_reads_it_and_is_fetched_again() -> None:
    street = Crowd()
    clients = street.come(3)
    reply, body = held(MINUTE, "Content-Length: 6")
    street.say(reply)
    body.send(b"one")
    body.send(LOST)
    assert [type(each.failure) for each in clients] == [ReplyLost] * 3
    street.come(1)
    assert len(street.coming) == 2
    street.say(answer(MINUTE))
    more = street.come(3)
    assert [each.body for each in more] == [b"hello"] * 3


def test_one_304_answers_the_whole_crowd() -> None:
    street = Crowd()
    street.answering = lambda _: answer(MINUTE, 'ETag: "a"')
    street.get()
    street.clock.advance(100)
    street.answering = street._later
    clients = street.come()
    street.say(answer(MINUTE, status=304, body=b""))
    assert [each.body for each in clients] == [b"hello"] * CROWD
    assert len(street.coming) == 1


def test_variants_are_fetched_once_each() -> None:
    street = Crowd()
    clients = {foo: street.come(50, f"Foo: {foo}") for foo in ("1", "2")}
    street.say(answer(MINUTE, "Vary: Foo", body=b"1"))
    assert len(street.coming) == 2
    street.say(answer(MINUTE, "Vary: Foo", body=b"2"))
    for foo, crowd in clients.items():
        assert {each.body for each in crowd} == {foo.encode()}
    assert street.get("Foo: 1").told.startswith("proto; hit")
    assert street.get("Foo: 2").told.startswith("proto; hit")


def test_each_is_given_only_what_may_answer_it() -> None:
    street = Crowd()
    plain, picky = street.get(), street.get("Cache-Control: min-fresh=100")
    street.say(answer(MINUTE))
    assert plain.is_done
    assert not picky.is_done
    assert len(street.coming) == 2


@pytest.mark.parametrize("control", ["no-cache", "no-store"])
def test_who_wants_an_answer_of_their_own_gets_one(control: str) -> None:
    street = Crowd()
    street.come(1)
    street.come(1, f"Cache-Control: {control}")
    assert len(street.coming) == 2


def test_fields_that_are_for_the_first_alone_reach_nobody_else() -> None:
    street = Crowd()
    first, second = street.come(2)
    street.say(answer('Cache-Control: max-age=60, private="X-Me"', "X-Me: 1", "Content-Length: 5"))
    assert (first.value("X-Me"), second.value("X-Me")) == ("1", None)


def test_who_comes_after_a_change_is_not_given_what_was_under_way() -> None:
    street = Crowd()
    first = street.get()
    reply, body = held(MINUTE, "Content-Length: 3")
    street.say(reply)
    changing = street.get(method="PUT")
    street.say(answer())
    assert changing.is_done
    street.get()
    assert len(street.coming) == 3
    body.send(b"old")
    body.send(None)
    assert first.body == b"old"
    street.say(answer(MINUTE, body=b"new"))
    assert street.get().body == b"new"


def test_who_waits_for_the_whole_of_what_has_changed_asks_anew() -> None:
    street = Crowd()
    _, waiting = street.come(2)
    reply, body = held(MINUTE)
    street.say(reply)
    street.get(method="PUT")
    street.say(answer())
    body.send(b"old")
    body.send(None)
    assert len(street.coming) == 3
    street.say(answer(MINUTE, body=b"new"))
    assert waiting.body == b"new"


def test_a_bug_in_the_origin_reaches_who_asked() -> None:
    street = Crowd()
    first, second = street.come(2)
    street.say(RuntimeError("a bug"))
    assert isinstance(first.failure, RuntimeError)
    street.say(answer(MINUTE))
    assert second.is_done


def test_there_is_room_for_so_many_bodies_at_one_time() -> None:
    street = Crowd(max_gathered=10)
    street.get(target="/a")
    street.say(held(MINUTE, "Content-Length: 8")[0])
    second = street.get(target="/b")
    street.say(answer(MINUTE, "Content-Length: 5"))
    assert (second.body, second.told) == (b"hello", "proto; fwd=uri-miss")
    assert street.store.entries == 0
