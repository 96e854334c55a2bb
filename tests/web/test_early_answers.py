"""Answers over HTTP/2 that are whole before their requests are."""

from __future__ import annotations

import pytest
from h2.errors import ErrorCodes
from twisted.internet.defer import Deferred

from tests.web.h2client import Client, House, request


@pytest.fixture
def house() -> House:
    return House()


def glance(client: Client, number: int, size: int, **fields: str) -> None:
    """Begin a request whose handler does not read its body, and send some of that."""
    client.ask(number, *request("/glance", "POST", **fields), ended=False)
    while size:
        piece = min(size, 16_000, client.room(number))
        assert piece > 0, "the peer may not send"
        client.h2.send_data(number, bytes(piece))
        size -= piece
        client.send()
        client.read(2)


def test_an_answer_ends_when_a_body_that_nobody_reads_is_whole() -> None:
    client = House(max_body=1 << 24).client()
    glance(client, 1, 1 << 20)
    client.read()
    assert client.status(1) == 200
    assert 1 not in client.bodies  # who has read all of it would not hear of the windows
    client.h2.end_stream(1)
    client.send()
    client.read()
    assert client.answer(1).body == b"seen"
    assert not client.resets


def test_a_body_that_was_held_goes_on_when_the_answer_ends() -> None:
    house = House(max_body=1 << 24)
    house.hold = Deferred()
    client = house.client()
    client.ask(1, *request("/glance", "POST"), ended=False)
    client.read()
    while room := client.room(1):
        client.h2.send_data(1, bytes(min(room, 16_000)))
        client.send()
        client.read(2)
    house.hold.callback(None)
    client.read()
    assert client.room(1) > 0
    client.h2.end_stream(1)
    client.send()
    client.read()
    assert client.answer(1).body == b"seen"


def test_a_peer_that_stops_sending_is_answered_all_the_same(house: House) -> None:
    client = house.client()
    glance(client, 1, 10)
    house.clock.advance(1)
    glance(client, 3, 10)
    house.clock.advance(1)
    client.read()
    assert client.ended == {1}
    house.clock.advance(1)
    client.read()
    assert client.ended == {1, 3}
    house.clock.advance(2)
    client.read()
    assert client.resets == {1: ErrorCodes.NO_ERROR, 3: ErrorCodes.NO_ERROR}
    assert not client.is_closing()


def test_a_body_without_end_does_not_put_off_its_answer_for_ever(house: House) -> None:
    client = house.client()
    glance(client, 1, 1)
    client.read()
    client.h2.send_data(1, bytes(10_000))  # now it is one more than a body may have
    client.send()
    client.read()
    assert client.answer(1).body == b"seen"


def test_who_waits_to_be_told_to_send_a_body_is_answered_at_once(house: House) -> None:
    client = house.client()
    glance(client, 1, 0, expect="100-continue")
    client.read()
    assert client.answer(1).body == b"seen"
    assert client.told_to_go_on == set()


def test_bodies_that_were_never_read_leave_room_for_others() -> None:
    house = House(max_body=1 << 24)
    client = house.client()
    for number in range(1, 197, 2):
        house.hold = Deferred()
        client.ask(number, *request("/glance", "POST"), ended=False)
        client.read(2)
        while room := client.room(number):
            client.h2.send_data(number, bytes(min(room, 16_000)))
            client.send()
            client.read(2)
        client.h2.reset_stream(number)
        client.send()
    client.read()
    assert client.h2.outbound_flow_control_window > 3_000_000
