from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost, ConnectionRefusedError

from proto.web.proxy.connection import Waits
from proto.web.proxy.messages import Ask
from tests.web.proxy.scripted import OK, Client, Proxied, values


def test_the_end_of_the_connection_may_be_the_end_of_an_answer() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.get()
    proxied.servers.last.say(b"HTTP/1.1 200 OK\r\n\r\nsome")
    proxied.servers.last.say(b" more")
    proxied.servers.last.leave()
    told = client.heard
    assert told.endswith(b"\r\n4\r\nsome\r\n5\r\n more\r\n0\r\n\r\n")
    assert not client.is_closed


def test_but_not_when_it_broke() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.get()
    proxied.servers.last.say(b"HTTP/1.1 200 OK\r\n\r\nsome")
    proxied.servers.last.leave(ConnectionLost)
    assert not client.heard.endswith(b"0\r\n\r\n")
    assert client.is_closed


def test_a_client_of_http_1_0_is_cut_off_when_the_answer_breaks() -> None:
    """Whoever reads to the end of the connection sees only by a reset that something is missing."""
    proxied = Proxied()
    client = proxied.client()
    client.say(b"GET /app/x HTTP/1.0\r\n\r\n")
    proxied.servers.last.say(b"HTTP/1.1 200 OK\r\n\r\nsome")
    proxied.servers.last.leave(ConnectionLost)
    assert client.is_cut_off


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_an_answer_without_a_body_ends_with_its_head(status: bytes) -> None:
    proxied = Proxied()
    client = proxied.client()
    client.get()
    proxied.servers.last.say(b"HTTP/1.1 " + status + b"\r\nETag: x\r\n\r\n")
    assert client.heard.endswith(b"\r\n\r\n")
    assert len(proxied.upstreams.pool) == 1


def test_head_has_the_length_and_no_body() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.get(method="HEAD")
    proxied.servers.last.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
    told = client.heard
    assert values(told, b"content-length") == [b"1234"]
    assert told.endswith(b"\r\n\r\n")
    assert len(proxied.upstreams.pool) == 1


def test_interim_answers_are_not_the_answer() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.get()
    proxied.servers.last.say(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK)
    told = client.heard
    assert told.startswith(b"HTTP/1.1 200 OK")
    assert told.endswith(b"ok")


def test_a_reader_that_stalls_holds_the_server() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.get()
    end = proxied.servers.last
    end.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 70_000)
    client.protocol._channel.pauseProducing()  # type: ignore[attr-defined]
    for _ in range(70):
        if end.wire.producerState != "producing":
            break
        end.say(b"x" * 1000)
    assert end.wire.producerState == "paused"
    client.protocol._channel.resumeProducing()  # type: ignore[attr-defined]
    assert end.wire.producerState == "producing"
    client.leave()


def test_an_answer_that_closes_keeps_no_connection() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.get()
    proxied.servers.last.say(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    assert client.heard.startswith(b"HTTP/1.1 200")
    assert proxied.servers.last.is_closed
    assert not client.is_closed


def test_silence_is_504_in_time() -> None:
    proxied = Proxied(waits=Waits(read=3))
    client = proxied.client()
    client.get()
    proxied.clock.advance(2.9)
    assert client.heard == b""
    proxied.clock.advance(0.2)
    assert client.heard.startswith(b"HTTP/1.1 504 Gateway Timeout")
    assert proxied.servers.last.is_closed


def test_silence_in_the_middle_breaks_the_answer_off() -> None:
    proxied = Proxied(waits=Waits(read=3))
    client = proxied.client()
    client.get()
    proxied.servers.last.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    proxied.clock.advance(2)
    proxied.servers.last.say(b"def")
    proxied.clock.advance(2)
    assert not client.is_closed
    proxied.clock.advance(2)
    assert client.heard.endswith(b"abcdef")
    assert client.is_closed


def kept(proxied: Proxied) -> Client:
    """A client behind whom a connection is kept."""
    client = proxied.client()
    client.get()
    proxied.servers.last.say(OK)
    assert client.heard.endswith(b"ok")
    return client


def test_a_kept_connection_that_says_something_or_ends_is_not_used_again() -> None:
    proxied = Proxied()
    client = kept(proxied)
    proxied.servers.last.say(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    assert proxied.servers.last.is_closed
    client.get()
    assert len(proxied.servers.ends) == 2
    proxied.servers.last.say(OK)
    proxied.servers.last.leave()
    client.get()
    assert len(proxied.servers.ends) == 3


def test_a_kept_connection_is_closed_after_a_while() -> None:
    proxied = Proxied(waits=Waits(read=100, idle=10))
    client = kept(proxied)
    proxied.clock.advance(6)
    client.get()
    proxied.servers.last.say(OK)
    proxied.clock.advance(9)
    before = proxied.servers.last.is_closed
    proxied.clock.pump([2, 100])
    assert (before, proxied.servers.last.is_closed) == (False, True)
    assert len(proxied.upstreams.pool) == 0


def test_a_server_that_does_not_say_goodbye_is_cut_off() -> None:
    proxied = Proxied()
    kept(proxied)
    proxied.upstreams.pool.close()
    end = proxied.servers.last
    before = (end.is_closed, end.is_cut_off)
    proxied.clock.advance(10)
    assert (before, end.is_cut_off) == ((True, False), True)


def test_who_reads_slowly_makes_no_server_late() -> None:
    proxied = Proxied(waits=Waits(read=5))
    client = proxied.client()
    client.get()
    end = proxied.servers.last
    end.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nabc")
    client.pause()
    for _ in range(70):
        end.say(b"x" * 1000)
    proxied.clock.pump([4, 4, 4])
    assert not end.is_closed
    client.leave()
    assert proxied.upstreams.group.members[0].failures == 0


def test_a_server_is_checked_over_a_connection_like_any_other() -> None:
    proxied = Proxied()
    server = proxied.upstreams.group.members[0].server
    ask = Ask(b"GET", b"/health", ((b"Host", b"a"),))
    checking = Deferred.fromCoroutine(proxied.upstreams.check(server, ask))
    assert proxied.servers.last.heard == b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
    proxied.servers.last.say(OK)
    checking.addCallback(lambda reply: reply.status)
    assert checking.result == 200
    assert (proxied.active, len(proxied.upstreams.pool)) == (0, 1)


def test_and_what_is_wrong_with_it_is_told() -> None:
    proxied = Proxied()
    server = proxied.upstreams.group.members[0].server
    ask = Ask(b"GET", b"/health", ((b"Host", b"a"),))
    told: list[str] = []
    cases: list[list[Exception]] = [[ConnectionRefusedError()], []]
    for refusals in cases:
        proxied.servers.refusals = refusals
        checking = Deferred.fromCoroutine(proxied.upstreams.check(server, ask))
        if not refusals and proxied.servers.ends:
            proxied.servers.last.say(b"nonsense")
        checking.addErrback(lambda failure: told.append(str(failure.value)))
    assert "cannot be connected to" in told[0]
    assert told[1] == "it does not speak HTTP/1.1"
