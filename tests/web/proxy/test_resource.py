"""A whole proxy in memory: what a server is asked, and what a client reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from ipaddress import ip_network

from proto.web.proxy.forwarding import Trust
from proto.web.proxy.messages import Ask, Fetch, Reply
from tests.web.proxy.scripted import OK, Proxied, values


def test_a_request_goes_to_the_server_and_its_answer_comes_back() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.get("/app/x%2Fy?q=%7e")
    end = proxied.servers.last
    assert end.heard.split(b"\r\n") == [
        b"GET /base/x%2Fy?q=%7e HTTP/1.1",
        b"Host: a:8000",
        b"X-Forwarded-For: 192.0.2.1",
        b"X-Forwarded-Proto: http",
        b"X-Forwarded-Host: site",
        b"X-Real-IP: 192.0.2.1",
        b"Forwarded: for=192.0.2.1;proto=http;host=site",
        b"Via: 1.1 proto",
        b"",
        b"",
    ]
    end.say(b"HTTP/1.1 200 Fine\r\nServer: theirs\r\nContent-Length: 2\r\n\r\nok")
    told = client.heard
    assert told.startswith(b"HTTP/1.1 200 Fine\r\n")
    assert told.endswith(b"\r\n\r\nok")
    assert values(told, b"server") == [b"theirs"]
    assert values(told, b"x-content-type-options") == [b"nosniff"]
    assert proxied.active == 0


def test_the_next_request_goes_over_the_connection_that_was_kept() -> None:
    proxied = Proxied()
    client = proxied.client()
    for _ in range(3):
        client.get()
        proxied.servers.last.say(OK)
        assert client.heard.endswith(b"ok")
    assert len(proxied.servers.ends) == 1


def test_what_a_server_says_takes_the_place_of_what_we_would() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.get()
    proxied.servers.last.say(
        b"HTTP/1.1 200 OK\r\nDate: then\r\nX-CONTENT-TYPE-OPTIONS: none\r\nContent-Length: 0\r\n"
        b"Set-Cookie: a=1\r\nset-cookie: b=2\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n"
    )
    told = client.heard
    assert values(told, b"date") == [b"then"]
    assert values(told, b"x-content-type-options") == [b"none"]
    assert values(told, b"set-cookie") == [b"a=1", b"b=2"]
    assert not values(told, b"x-hop") + values(told, b"connection") + values(told, b"content-type")


def test_a_location_leads_back_here() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.get()
    proxied.servers.last.say(
        b"HTTP/1.1 302 Found\r\nLocation: http://a:8000/base/y\r\nContent-Length: 0\r\n\r\n"
    )
    assert values(client.heard, b"location") == [b"/app/y"]


def test_a_client_that_leaves_takes_its_request_with_it() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.get()
    client.leave()
    assert proxied.servers.last.is_closed
    assert proxied.active == 0
    assert proxied.upstreams.group.members[0].failures == 0


def test_and_its_answer() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.get()
    proxied.servers.last.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    client.leave()
    assert proxied.servers.last.is_closed
    assert proxied.active == 0
    assert proxied.upstreams.group.members[0].failures == 0


def test_a_client_that_leaves_gives_up_a_connection_that_is_not_made() -> None:
    proxied = Proxied()
    proxied.servers.is_silent = True
    client = proxied.client()
    client.get()
    client.leave()
    assert proxied.servers.given_up == 1
    assert proxied.active == 0
    assert proxied.clock.getDelayedCalls() == []


def test_what_is_trusted_is_believed() -> None:
    proxied = Proxied(trust=Trust([ip_network("192.0.2.0/24")]))
    client = proxied.client()
    client.get("/app/x", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https")
    told = proxied.servers.last.heard
    assert values(told, b"x-forwarded-for") == [b"203.0.113.9, 192.0.2.1"]
    assert values(told, b"x-forwarded-proto") == [b"https"]
    assert values(told, b"x-real-ip") == [b"203.0.113.9"]


def test_the_host_of_the_client_may_be_kept() -> None:
    proxied = Proxied(keeps_host=True)
    client = proxied.client()
    client.get()
    assert values(proxied.servers.last.heard, b"host") == [b"site"]


def test_trace_is_refused_and_what_we_do_not_know_goes_on() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.get(method="TRACE")
    assert client.heard.startswith(b"HTTP/1.1 405 ")
    client.get(method="PROPFIND")
    assert proxied.servers.last.heard.startswith(b"PROPFIND /base/x HTTP/1.1\r\n")


def test_what_a_server_might_cut_off_a_target_is_refused() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.get("/app/private#x")
    assert client.heard.startswith(b"HTTP/1.1 400 ")
    assert proxied.servers.ends == []


def test_a_cache_may_answer_and_may_ask() -> None:
    proxied = Proxied()

    async def first(ask: Ask, fetch: Fetch) -> Reply:
        if ask.target == b"/base/kept":
            return Reply(200, b"OK", ((b"Content-Length", b"4"),), pieces(b"ke", b"pt"))
        return await fetch(ask)

    proxied.resource.answer_from(first)
    client = proxied.client()
    client.get("/app/kept")
    assert client.heard.endswith(b"\r\n\r\nkept")
    assert proxied.servers.ends == []
    client.get("/app/new")
    proxied.servers.last.say(OK)
    assert client.heard.endswith(b"\r\n\r\nok")


async def pieces(*all_: bytes) -> AsyncIterator[bytes]:
    for each in all_:
        yield each
