from __future__ import annotations

from proto.web.proxy.connection import Waits
from tests.web.h2client import Client, request
from tests.web.proxy.scripted import OK, Proxied, values

POST = b"POST /app/x HTTP/1.1\r\nHost: site\r\n"


def test_a_body_goes_on_as_it_comes_and_keeps_its_length() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.say(POST + b"Content-Length: 6\r\n\r\nabc")
    end = proxied.servers.last
    told = end.heard
    assert told.endswith(b"\r\n\r\nabc")
    assert values(told, b"content-length") == [b"6"]
    client.say(b"def")
    assert end.heard == b"def"
    end.say(OK)
    assert client.heard.endswith(b"ok")
    assert len(proxied.upstreams.pool) == 1


def test_a_body_of_unknown_length_goes_on_in_chunks() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.say(POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    end = proxied.servers.last
    told = end.heard
    assert told.endswith(b"\r\n\r\n3\r\nabc\r\n")
    assert values(told, b"transfer-encoding") == [b"chunked"]
    client.say(b"0\r\nA: trailer\r\n\r\n")
    assert end.heard == b"0\r\n\r\n"


def test_an_empty_frame_of_http_2_does_not_end_the_body() -> None:
    proxied = Proxied()
    client = Client(proxied.site, proxied.clock)
    client.ask(1, *request("/app/x", "POST"), ended=False)
    for data in (b"abc", b"", b"GET / HTTP/1.1"):
        client.h2.send_data(1, data)
        client.send()
        client.read()
    client.h2.end_stream(1)
    client.send()
    client.read()
    body = proxied.servers.last.heard.partition(b"\r\n\r\n")[2]
    assert body == b"3\r\nabc\r\ne\r\nGET / HTTP/1.1\r\n0\r\n\r\n"


def test_an_empty_body_says_so() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.say(POST + b"Content-Length: 0\r\n\r\n")
    assert values(proxied.servers.last.heard, b"content-length") == [b"0"]


def test_a_body_that_is_malformed_ends_the_request() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.say(POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
    assert client.heard.startswith(b"HTTP/1.1 400 ")
    assert proxied.servers.last.is_closed
    assert proxied.active == 0
    assert proxied.upstreams.group.members[0].failures == 0


def test_a_body_that_is_too_long_is_413() -> None:
    proxied = Proxied(max_body=5)
    client = proxied.client()
    client.say(POST + b"Transfer-Encoding: chunked\r\n\r\n9\r\nabcdefghi\r\n")
    assert client.heard.startswith(b"HTTP/1.1 413 ")
    assert all(end.is_closed for end in proxied.servers.ends)


def test_a_server_that_takes_nothing_holds_the_client() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.say(POST + b"Content-Length: 1000000\r\n\r\nabc")
    end = proxied.servers.last
    end.pause()
    for _ in range(100):
        client.say(b"x" * 1000)
    assert client.wire.producerState == "paused"
    assert len(end.heard) < 3000
    end.resume()
    assert len(end.heard) > 60_000
    proxied.clock.advance(0)
    assert client.wire.producerState == "producing"


EXPECTING = POST + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"


def test_the_client_is_asked_for_its_body_when_the_server_wants_it() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.say(EXPECTING)
    end = proxied.servers.last
    assert values(end.heard, b"expect") == [b"100-continue"]
    assert client.heard == b""
    end.say(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert client.heard == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.say(b"abc")
    assert end.heard == b"abc"
    end.say(OK)
    assert client.heard.endswith(b"ok")
    assert len(proxied.upstreams.pool) == 1


def test_and_when_the_server_does_not_know_that_word() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.say(EXPECTING)
    proxied.clock.advance(1)
    assert client.heard == b"HTTP/1.1 100 Continue\r\n\r\n"


def test_and_not_when_the_server_wants_none() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.say(EXPECTING)
    proxied.servers.last.say(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
    proxied.clock.advance(2)
    assert client.heard.startswith(b"HTTP/1.1 413 No\r\n")
    assert proxied.servers.last.is_closed


def test_a_server_that_takes_nothing_of_a_body_is_504() -> None:
    proxied = Proxied(waits=Waits(send=2, read=9))
    client = proxied.client()
    client.say(POST + b"Content-Length: 1000\r\n\r\nabc")
    proxied.servers.last.pause()
    proxied.clock.advance(1.9)
    assert client.heard == b""
    proxied.clock.pump([0.2, 2])
    assert client.heard.startswith(b"HTTP/1.1 504 ")


def test_who_sends_slowly_makes_no_server_late() -> None:
    proxied = Proxied(waits=Waits(read=2, send=2))
    client = proxied.client()
    client.say(POST + b"Content-Length: 6\r\n\r\nabc")
    proxied.clock.pump([1.5, 1.5, 1.5])
    client.say(b"def")
    proxied.clock.advance(1.5)
    proxied.servers.last.say(OK)
    assert client.heard.endswith(b"ok")


def test_a_client_that_breaks_off_its_body_breaks_off_the_answer() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.say(POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    proxied.servers.last.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    client.say(b"nonsense\r\n")
    assert proxied.servers.last.is_closed
    assert client.is_closed
    assert proxied.active == 0


def test_an_answer_before_the_end_of_the_body_ends_the_connection_to_the_server() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.say(POST + b"Content-Length: 6\r\n\r\nabc")
    proxied.servers.last.say(OK)
    assert client.heard.endswith(b"ok")
    assert proxied.servers.last.is_closed
    assert proxied.active == 0
