from __future__ import annotations

import pytest
from twisted.internet.error import ConnectionLost

from proto.web.proxy.connection import Waits
from tests.web.proxy.scripted import OK, Client, End, Proxied, values

UPGRADE = ("Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: abc")
YES = (
    b"HTTP/1.1 101 Go on\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: xyz\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n"
)


def opened(proxied: Proxied, early: bytes = b"") -> tuple[Client, End]:
    client = proxied.client()
    client.get("/app/socket", *UPGRADE)
    end = proxied.servers.last
    told = end.heard
    assert values(told, b"connection") == [b"upgrade"]
    assert values(told, b"upgrade") == [b"websocket"]
    assert values(told, b"sec-websocket-key") == [b"abc"]
    end.say(YES + early)
    return client, end


def test_a_connection_becomes_a_tunnel() -> None:
    proxied = Proxied()
    client, end = opened(proxied, b"early")
    told = client.heard
    assert told.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert told.endswith(b"\r\n\r\nearly")
    assert values(told, b"upgrade") == [b"websocket"]
    assert values(told, b"sec-websocket-accept") == [b"xyz"]
    assert values(told, b"set-cookie") == [b"a=1", b"b=2"]
    client.say(b"\x81\x00there")
    assert end.heard == b"\x81\x00there"
    end.say(b"back\xff")
    assert client.heard == b"back\xff"
    assert len(proxied.resource.tunnels) == proxied.active == 1


def test_what_the_client_said_before_goes_through_it_too() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.get("/app/socket", *UPGRADE)
    client.say(b"early")
    assert not proxied.servers.last.heard.endswith(b"early")
    proxied.servers.last.say(YES)
    assert proxied.servers.last.heard == b"early"
    client.leave()


def test_either_side_ends_it_for_both() -> None:
    proxied = Proxied()
    client, end = opened(proxied)
    client.leave()
    assert end.is_closed
    end.leave()
    client, end = opened(proxied)
    end.leave(ConnectionLost)
    assert client.is_closed
    client.leave()
    assert len(proxied.resource.tunnels) == proxied.active == 0
    assert len(proxied.upstreams.pool) == 0


def test_no_side_is_read_faster_than_the_other_one_takes_it() -> None:
    proxied = Proxied()
    client, end = opened(proxied)
    client.pause()
    assert end.wire.producerState == "paused"
    client.resume()
    assert end.wire.producerState == "producing"
    end.pause()
    assert client.wire.producerState == "paused"
    end.leave()
    assert client.is_closed
    assert client.wire.producerState == "producing"


def test_silence_ends_it() -> None:
    proxied = Proxied(waits=Waits(tunnel=10))
    client, end = opened(proxied)
    proxied.clock.advance(9)
    end.say(b"x")
    proxied.clock.advance(9)
    before = client.is_closed
    proxied.clock.advance(2)
    assert (before, client.is_closed, end.is_closed) == (False, True, True)


def test_whoever_takes_nothing_is_cut_off_when_the_other_side_has_left() -> None:
    proxied = Proxied(waits=Waits(tunnel=100))
    client, end = opened(proxied)
    end.leave()
    before = client.is_cut_off
    proxied.clock.advance(100)
    assert (before, client.is_cut_off) == (False, True)


def test_it_ends_when_the_server_stops() -> None:
    proxied = Proxied()
    client, end = opened(proxied)
    proxied.site.farewell()
    assert client.is_closed
    assert end.is_closed


def test_a_server_that_wants_no_upgrade_answers_as_ever() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.get("/app/socket", *UPGRADE)
    proxied.servers.last.say(OK)
    assert client.heard.endswith(b"ok")
    assert len(proxied.upstreams.pool) == 1


def test_a_server_that_speaks_something_else_then_is_refused() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.get("/app/socket", *UPGRADE)
    proxied.servers.last.say(YES.replace(b"websocket", b"h2c"))
    assert client.heard.startswith(b"HTTP/1.1 502 ")
    assert proxied.servers.last.is_cut_off
    proxied.servers.last.leave()
    assert proxied.active == len(proxied.resource.tunnels) == 0


def test_a_client_of_http_1_0_has_no_upgrade() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.say("\r\n".join(["GET /app/socket HTTP/1.0", "Host: s", *UPGRADE, "", ""]).encode())
    assert values(proxied.servers.last.heard, b"upgrade") == []


def test_a_client_that_leaves_before_takes_its_request_with_it() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.get("/app/socket", *UPGRADE)
    client.leave()
    assert proxied.servers.last.is_closed
    assert proxied.active == 0


@pytest.mark.parametrize("name", ["h2c", "HTTP/2.0", "TLS/1.2", "websocket, h2c"])
def test_what_would_hide_requests_from_us_is_no_upgrade(name: str) -> None:
    proxied = Proxied()
    client = proxied.client()
    client.get(
        "/app/x", "Connection: Upgrade, HTTP2-Settings", f"Upgrade: {name}", "HTTP2-Settings: x"
    )
    told = proxied.servers.last.heard
    assert (
        not values(told, b"upgrade") + values(told, b"connection") + values(told, b"http2-settings")
    )
