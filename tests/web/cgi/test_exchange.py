from __future__ import annotations

import http.client
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from proto.metrics import Tally
from proto.web.cgi.exchange import Counts, Exchange
from proto.web.cgi.pipes import NotRead
from proto.web.cgi.running import Running
from proto.web.request import WebRequest
from proto.web.response import HTTPError
from tests.support import connect
from tests.web.cgi.stage import Played, logged, parse
from tests.web.wire import hang_up, request_bytes, site_for

MOST = 100_000
PLAIN = b"Content-Type: text/plain\n"


class Playing(Resource):
    """Answers each request with what one script says."""

    isLeaf = True

    def __init__(self, running: Played, body: Sequence[bytes] | None, most: int) -> None:
        super().__init__()
        self.running = running
        self.counts = Counts(Tally(), Tally())
        self.local: bytes | None = None
        self.taken: list[bytes] = []
        self._body = body
        self._most = most

    def render(self, request: WebRequest) -> int:
        running = cast(Running, self.running)
        exchange = Exchange(request, running, self._most, self.counts)
        done = Deferred.fromCoroutine(exchange.run(None if self._body is None else self._pieces()))

        def over(local: bytes | None) -> None:
            self.local = local

        done.addCallback(over).addErrback(request.fail)
        return NOT_DONE_YET

    async def _pieces(self) -> AsyncIterator[bytes]:
        for piece in self._body or ():
            self.taken.append(piece)
            yield piece


class Talk:
    """A request, and the script that answers it."""

    def __init__(
        self,
        *output: bytes,
        method: str = "GET",
        running: Played | None = None,
        body: Sequence[bytes] | None = None,
        most: int = MOST,
    ) -> None:
        self.method = method
        self.place = Playing(running or Played(output), body, most)
        self.protocol, self.wire = connect(site_for(self.place))
        self.protocol.dataReceived(request_bytes("/", method, {"Connection": "close"}, b""))

    def answer(self) -> http.client.HTTPResponse:
        assert self.wire.disconnecting
        hang_up(self.protocol)
        return parse(self.wire.value(), self.method)


def answer(*output: bytes, method: str = "GET") -> http.client.HTTPResponse:
    return Talk(*output, method=method).answer()


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    with logged("what") as told:
        yield told


def test_a_document_without_a_length_goes_out_in_chunks_as_it_comes() -> None:
    got = answer(PLAIN + b"X-A: 1\nSet-Cookie: a\nSet-Cookie: b\n\nab", b"cd")
    assert (got.status, got.reason, got.read()) == (200, "OK", b"abcd")
    assert got.headers["Content-Type"] == "text/plain"
    assert got.headers["Transfer-Encoding"] == "chunked"
    assert got.headers.get_all("Set-Cookie") == ["a", "b"]
    assert got.headers["X-A"] == "1"


def test_what_the_script_says_of_itself_replaces_what_we_always_say() -> None:
    got = answer(PLAIN + b"referrer-policy: origin\nServer: x\nDate: y\n\n")
    assert got.headers.get_all("Referrer-Policy") == ["origin"]
    assert got.headers.get_all("Server") == ["proto"]
    assert len(got.headers.get_all("Date") or ()) == 1
    assert got.headers["Date"] != "y"


def test_a_length_is_kept() -> None:
    got = answer(PLAIN + b"Content-Length: 4\n\nab", b"cd")
    assert got.headers["Content-Length"] == "4"
    assert "Transfer-Encoding" not in got.headers
    assert got.read() == b"abcd"


def test_more_than_the_length_is_not_sent_and_told(warnings: list[str]) -> None:
    for output in ((b"abcde",), (b"abcd", b"e"), (b"abc", b"de")):
        got = answer(PLAIN + b"Content-Length: 4\n\n", *output)
        assert got.read() == b"abcd"
    assert warnings == ["its document is longer than its Content-Length"] * 3


def test_less_than_the_length_is_broken_off(warnings: list[str]) -> None:
    got = answer(PLAIN + b"Content-Length: 4\n\nabc")
    with pytest.raises(http.client.IncompleteRead):
        got.read()
    assert warnings == ["its document is shorter than its Content-Length"]


def test_an_empty_document_of_length_nothing() -> None:
    got = answer(PLAIN + b"Content-Length: 0\n\n")
    assert (got.headers["Content-Length"], got.read()) == ("0", b"")


@pytest.mark.parametrize(("method", "status"), [("HEAD", b"200"), ("GET", b"204"), ("GET", b"304")])
def test_a_document_that_may_not_be_there_is_dropped(method: str, status: bytes) -> None:
    talk = Talk(b"Status: " + status + b"\n" + PLAIN + b"Content-Length: 4\n\nabcd", method=method)
    assert talk.wire.value().endswith(b"\r\n\r\n")
    got = talk.answer()
    assert got.status == int(status)
    assert got.headers["Content-Length"] == ("4" if method == "HEAD" else None)
    assert talk.place.running.output == []


@pytest.mark.parametrize(
    ("output", "status", "location"),
    [
        (b"Location: http://a/b\n\n", 302, "http://a/b"),
        (b"Location: http://a/b\n\nignored", 302, "http://a/b"),
        (b"Status: 303 See Other\nLocation: /x\n\n\n", 303, "/x"),
        (b"Status: 201 Created\nLocation: /x\n\n", 201, "/x"),
        (b"Status: 404 Gone\n\n", 404, None),
    ],
)
def test_an_answer_without_a_document(output: bytes, status: int, location: str | None) -> None:
    got = answer(output)
    assert (got.status, got.headers["Location"], got.read()) == (status, location, b"")
    assert got.headers["Content-Length"] == "0"
    assert "Content-Type" not in got.headers


def test_a_local_redirect_is_given_back_when_the_script_has_said_all() -> None:
    talk = Talk(b"Location: /x?y\n\nignored", b"too")
    assert talk.place.local == b"/x?y"
    assert talk.place.running.output == []
    assert talk.wire.value() == b""
    hang_up(talk.protocol)


@pytest.mark.parametrize(
    "output",
    [
        [],
        [b"\n"],
        [b"hello\n\n"],
        [PLAIN],
        [PLAIN + b"Status: 101\n\n"],
        [b"Status: 200 OK\n\na document without a type"],
        [b"A: \rSet-Cookie: secret\n\n"],
        [b"HTTP/1.1 200 OK\r\nSet-Cookie: secret\r\n\r\n"],
        [PLAIN + b"Set-Cookie: secret\nTransfer-Encoding: chunked\n\n0\n\n"],
        [b"Set-Cookie: secret\n" * 101 + b"\n"],
        [b"Set-Cookie: secret" + b"x" * 40_000],
        [PLAIN + b"Set-Cookie: secret\nContent-Length: 100001\n\n"],
        [PLAIN + b"\n" + b"secret" * 20_000],
        [b"Status: 404\n\n" + b"secret" * 20_000],
    ],
)
def test_what_is_no_answer_is_told_and_nothing_of_it_is_passed_on(
    output: list[bytes], warnings: list[str]
) -> None:
    talk = Talk(*output)
    got = talk.answer()
    assert got.status == 502
    assert talk.place.counts.malformed.value == 1
    assert talk.place.running.is_stopped
    assert len(warnings) == 1
    assert b"secret" not in talk.wire.value()
    assert "Set-Cookie" not in got.headers


def test_a_document_that_is_too_long_is_broken_off() -> None:
    talk = Talk(PLAIN + b"\n", *[b"x" * 10_000] * 20)
    assert talk.place.running.is_stopped
    with pytest.raises(http.client.IncompleteRead) as caught:
        talk.answer().read()
    assert len(caught.value.partial) == MOST


class Paused(Played):
    """A script that says no more until it is told to."""

    async def read(self) -> bytes:
        if self.output:
            return self.output.pop(0)
        return await Deferred()


def test_one_that_is_late_with_its_head_is_a_504() -> None:
    talk = Talk(running=Paused([PLAIN]))
    assert talk.wire.value() == b""
    talk.place.running.late("it took too long")
    assert talk.answer().status == 504
    assert talk.place.counts.late.value == 1
    assert talk.place.running.is_stopped


def test_one_that_is_late_with_its_document_is_broken_off() -> None:
    talk = Talk(running=Paused([PLAIN + b"\nabc"]))
    assert talk.wire.value().endswith(b"\r\n\r\n3\r\nabc\r\n")
    talk.place.running.late("it took too long")
    with pytest.raises(http.client.IncompleteRead):
        talk.answer().read()


def test_one_that_is_late_when_all_is_answered_is_stopped() -> None:
    talk = Talk(running=Paused([PLAIN + b"\nabc"]), method="HEAD")
    talk.place.running.late("it took too long")
    assert talk.place.running.is_stopped
    assert talk.answer().status == 200


def test_the_head_does_not_wait_for_the_document() -> None:
    talk = Talk(running=Paused([PLAIN + b"\n"]))
    assert talk.wire.value().startswith(b"HTTP/1.1 200 OK\r\n")
    assert talk.wire.value().endswith(b"\r\n\r\n")
    hang_up(talk.protocol)


def test_the_body_goes_in_while_the_answer_comes_out() -> None:
    talk = Talk(running=Paused([PLAIN]), body=[b"ab", b"cd"])
    assert talk.place.running.given == b"abcd"
    hang_up(talk.protocol)


@pytest.mark.parametrize(
    ("error", "status"),
    [(HTTPError(400, "The body is malformed."), 400), (OSError("the disk failed"), 500)],
)
def test_of_a_body_that_is_not_whole_nothing_is_made(error: Exception, status: int) -> None:
    class Broken(Paused):
        async def write(self, data: bytes) -> None:
            raise error

    talk = Talk(running=Broken([PLAIN]), body=[b"x"])
    assert talk.answer().status == status
    assert talk.place.running.is_stopped


def test_a_script_that_does_not_read_is_answered_for_all_the_same() -> None:
    class Deaf(Played):
        async def write(self, data: bytes) -> None:
            raise NotRead

    talk = Talk(running=Deaf([PLAIN + b"\nabc"]), body=[b"x", b"y"])
    got = talk.answer()
    assert (got.status, got.read()) == (200, b"abc")
    assert talk.place.taken == [b"x", b"y"]  # or a client that sends first would wait


class Fed(Played):
    """A script that says what the test tells it to."""

    waiting: Deferred[bytes] | None = None

    async def read(self) -> bytes:
        self.waiting = Deferred()
        return await self.waiting

    def say(self, data: bytes) -> None:
        assert self.waiting is not None
        waiting, self.waiting = self.waiting, None
        waiting.callback(data)


def test_a_script_is_not_read_while_the_client_does_not_read() -> None:
    running = Fed([])
    talk = Talk(running=running)
    running.say(PLAIN + b"\n")
    producer = cast(IPushProducer, talk.wire.producer)
    producer.pauseProducing()
    running.say(b"abc")
    assert talk.wire.value().endswith(b"3\r\nabc\r\n")
    assert running.waiting is None
    producer.resumeProducing()
    running.say(b"def")
    assert talk.wire.value().endswith(b"3\r\ndef\r\n")
    hang_up(talk.protocol)


def test_one_that_is_late_while_its_client_does_not_read_is_broken_off() -> None:
    running = Fed([])
    talk = Talk(running=running)
    running.say(PLAIN + b"\n")
    cast(IPushProducer, talk.wire.producer).pauseProducing()
    running.say(b"abc")
    running.late("it took too long")
    assert running.is_stopped
    with pytest.raises(http.client.IncompleteRead):
        talk.answer().read()


def test_a_client_that_leaves_while_it_does_not_read_stops_the_script() -> None:
    running = Fed([])
    talk = Talk(running=running)
    running.say(PLAIN + b"\n")
    cast(IPushProducer, talk.wire.producer).pauseProducing()
    running.say(b"abc")
    hang_up(talk.protocol)
    assert running.is_stopped


LIKELY = st.sampled_from(
    [PLAIN, b"Status: 404 No\n", b"Location: http://a/\n", b"A: b\n", b"\n", b"Content-Length: 3\n"]
)


def seen(pieces: Sequence[bytes]) -> tuple[object, ...]:
    """What a client makes of it."""
    talk = Talk(*pieces)
    if talk.place.local is not None:
        hang_up(talk.protocol)
        return (talk.place.local,)
    got = talk.answer()
    try:
        body: object = got.read()
    except http.client.IncompleteRead:
        body = "broken off"
    return (got.status, got.reason, got.headers.items(), body)


@given(
    st.lists(st.one_of(st.binary(max_size=40), LIKELY), max_size=12).map(b"".join),
    st.lists(st.integers(0, 300), max_size=8),
)
def test_whatever_a_script_says_is_an_answer_however_it_comes(
    raw: bytes, places: list[int]
) -> None:
    cuts = [0, *sorted({min(place, len(raw)) for place in places} - {0, len(raw)}), len(raw)]
    pieces = [piece for piece in (raw[a:b] for a, b in pairwise(cuts)) if piece]
    whole = seen([raw] if raw else [])
    assert seen(pieces) == whole
    status = whole[0]
    assert isinstance(status, bytes) or 200 <= int(str(status)) <= 599
