from __future__ import annotations

import socket

import pytest
from twisted.internet.error import ConnectionLost, ConnectionRefusedError

from proto.web.proxy.connection import Waits
from proto.web.proxy.health import State
from proto.web.shares import Shares
from tests.web.proxy.scripted import OK, Client, Proxied, values

POST = b"POST /app/x HTTP/1.1\r\nHost: site\r\n"


def refused(count: int) -> list[Exception]:
    return [ConnectionRefusedError() for _ in range(count)]


THREE = "/app=http://a:1,http://b:2,http://c:3"


def test_another_server_is_asked_when_one_refuses_whatever_the_method() -> None:
    proxied = Proxied(THREE)
    proxied.servers.refusals = refused(2)
    client = proxied.client()
    client.say(b"POST /app HTTP/1.1\r\nHost: s\r\nContent-Length: 3\r\n\r\nabc")
    assert [server.host for server in proxied.servers.tries] == ["a", "b", "c"]
    told = proxied.servers.last.heard
    assert told.endswith(b"\r\n\r\nabc")
    assert values(told, b"host") == [b"c:3"]


def test_each_server_is_asked_once() -> None:
    proxied = Proxied(THREE)
    proxied.servers.refusals = refused(9)
    client = proxied.client()
    client.get()
    assert client.heard.startswith(b"HTTP/1.1 502 ")
    assert len(proxied.servers.tries) == 3
    assert proxied.active == 0


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
def test_a_request_that_can_be_repeated_goes_to_another_server(method: str) -> None:
    proxied = Proxied(THREE)
    client = proxied.client()
    client.get(method=method)
    proxied.servers.last.leave(ConnectionLost)
    assert [server.host for server in proxied.servers.tries] == ["a", "b"]
    proxied.servers.last.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert client.heard.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("request_", [POST + b"\r\n", POST + b"Content-Length: 3\r\n\r\nabc"])
def test_one_that_may_have_been_done_does_not(request_: bytes) -> None:
    proxied = Proxied(THREE)
    client = proxied.client()
    client.say(request_)
    proxied.servers.last.leave(ConnectionLost)
    assert len(proxied.servers.tries) == 1
    assert client.heard.startswith(b"HTTP/1.1 502 ")


def test_nor_one_whose_body_is_gone() -> None:
    proxied = Proxied(THREE)
    client = proxied.client()
    client.say(b"PUT /app/x HTTP/1.1\r\nHost: s\r\nContent-Length: 3\r\n\r\nabc")
    proxied.servers.last.leave(ConnectionLost)
    assert client.heard.startswith(b"HTTP/1.1 502 ")


def kept(proxied: Proxied) -> Client:
    """A client behind whom a connection is kept."""
    client = proxied.client()
    client.get()
    proxied.servers.last.say(OK)
    assert client.heard.endswith(b"ok")
    return client


def test_a_kept_connection_that_has_died_is_no_failure_of_the_server() -> None:
    proxied = Proxied()
    client = kept(proxied)
    client.get()
    proxied.servers.last.leave()
    assert len(proxied.servers.ends) == 2
    proxied.servers.last.say(OK)
    assert client.heard.endswith(b"ok")
    assert proxied.upstreams.group.members[0].failures == 0


def test_a_body_that_was_not_begun_goes_over_a_new_one() -> None:
    proxied = Proxied()
    client = kept(proxied)
    client.say(POST + b"Content-Length: 3\r\n\r\n")
    proxied.servers.last.leave()
    assert len(proxied.servers.ends) == 2
    client.say(b"abc")
    assert proxied.servers.last.heard.endswith(b"\r\n\r\nabc")


def test_a_post_that_a_kept_connection_may_have_taken_is_not_sent_again() -> None:
    proxied = Proxied()
    client = kept(proxied)
    client.say(POST + b"Content-Length: 3\r\n\r\nabc")
    proxied.servers.last.leave()
    assert len(proxied.servers.ends) == 1
    assert client.heard.startswith(b"HTTP/1.1 502 ")


def test_a_connection_that_is_not_made_in_time_is_504() -> None:
    proxied = Proxied(waits=Waits(connect=2))
    proxied.servers.is_silent = True
    client = proxied.client()
    client.get()
    proxied.clock.advance(2)
    assert client.heard.startswith(b"HTTP/1.1 504 ")


def test_a_server_with_no_room_is_503() -> None:
    proxied = Proxied("/app=http://a:1 max_conns=1")
    first, second = proxied.client(), proxied.client()
    first.get()
    second.get()
    told = second.heard
    assert told.startswith(b"HTTP/1.1 503 ")
    assert values(told, b"retry-after") == [b"5"]


def test_one_address_has_half_of_all_requests_under_way_at_most() -> None:
    proxied = Proxied()
    proxied.upstreams.shares = Shares(4)
    clients = [proxied.client() for _ in range(3)]
    for client in clients:
        client.get()
    assert clients[2].heard.startswith(b"HTTP/1.1 503 ")
    proxied.client("192.0.2.2").get()
    assert len(proxied.servers.ends) == 3
    assert proxied.upstreams.group.members[0].failures == 0
    clients[0].leave()
    proxied.servers.ends[1].say(OK)
    proxied.servers.ends[2].leave(ConnectionLost)
    assert proxied.upstreams.shares.all == 0
    clients[2].get()
    proxied.servers.ends[1].say(OK)
    assert clients[2].heard.endswith(b"ok")


def test_a_post_goes_over_no_connection_that_has_ended_unseen() -> None:
    proxied = Proxied()
    client = kept(proxied)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        vars(proxied.servers.last.wire)["getHandle"] = lambda: ours
        client.say(POST + b"\r\n")
        proxied.servers.last.say(OK)
        assert client.heard.endswith(b"ok")
        assert len(proxied.servers.ends) == 1
        theirs.close()
        client.say(POST + b"\r\n")
        assert len(proxied.servers.ends) == 2
        assert proxied.servers.ends[0].is_closed


def test_the_head_of_an_answer_ends_a_trial_and_its_body_may_take_long() -> None:
    proxied = Proxied("/app=http://a:1 fail_timeout=10s,http://b:2 backup")
    proxied.servers.refusals = refused(1)
    proxied.client().get()
    member = proxied.upstreams.group.members[0]
    assert member.state is State.DOWN
    proxied.clock.advance(10)
    proxied.client().get()
    seen = [member.state]
    proxied.servers.last.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
    assert [*seen, member.state] == [State.TRIAL, State.UP]
    assert member.active == 1
    proxied.servers.last.leave(ConnectionLost)
    assert (member.state, member.active, member.failures) == (State.DOWN, 0, 2)
