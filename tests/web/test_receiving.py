from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.web import server

from proto.web.handlers import Handlers
from proto.web.incoming import FULL, BodyLost
from proto.web.receiving import FORM_BYTES, FORM_FIELDS, FORM_LINES
from proto.web.request import WebRequest
from proto.web.response import HTTPError
from proto.web.site import PATIENT, ProtoSite
from proto.web.spool import Spools
from proto.web.tree import build_tree
from tests.support import connect
from tests.web.wire import clock_now, hang_up, read_answer, split_answer

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def post(fields: str, body: bytes = b"", path: str = "/") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n".encode() + body


class Talk:
    """A connection to a site with one handler that reads bodies as they come."""

    def __init__(self, handler: Any, *, spools: Spools | None = None, **options: Any) -> None:
        handlers = Handlers()
        handlers.register("/", handler, methods=["POST"], streaming=True, **options)
        handlers.register("/whole", lambda request: request.content.read(), methods=["POST"])
        self.clock = clock_now()
        self.site = ProtoSite(
            build_tree(None, self.clock, handlers=handlers),
            self.clock,
            max_body=1 << 20,
            spools=spools,
            streams=handlers.streams,
        )
        self.protocol: Any
        self.protocol, self.wire = connect(self.site)

    def say(self, data: bytes) -> None:
        self.protocol.dataReceived(data)
        self.clock.advance(0)

    @property
    def said(self) -> bytes:
        return bytes(self.wire.value())

    def ends_without_a_trace(self) -> bool:
        hang_up(self.protocol)
        kept = self.site.spools
        return not self.clock.getDelayedCalls() and (kept.memory, kept.files) == (0, 0)


class Reader:
    """A handler that notes what comes."""

    def __init__(self, until: Deferred[None] | None = None) -> None:
        self.got: list[bytes] = []
        self.lost: list[BaseException] = []
        self._until = until

    async def __call__(self, request: Any) -> bytes:
        if self._until is not None:
            await self._until
        try:
            async for chunk in request.body:
                self.got.append(chunk)
        except (BodyLost, HTTPError) as error:
            self.lost.append(error)
            raise
        return b"%d" % len(b"".join(self.got))


def test_a_handler_is_called_before_the_body_is_whole() -> None:
    reader = Reader()
    talk = Talk(reader)
    talk.say(post("Content-Length: 6"))
    talk.say(b"abc")
    assert reader.got == [b"abc"]
    talk.say(b"def" + post("Transfer-Encoding: chunked", b"2\r\ngh\r\n"))
    first, rest = read_answer(talk.wire)
    assert (first.body, rest) == (b"6", b"")
    assert reader.got == [b"abc", b"def", b"gh"]
    talk.say(b"1\r\ni\r\n0\r\n\r\n")
    second, rest = split_answer(read_answer(talk.wire)[1])
    assert (second.body, rest) == (b"9", b"")
    assert talk.ends_without_a_trace()


def test_a_request_without_a_body_has_an_empty_one() -> None:
    talk = Talk(Reader())
    talk.say(post("A: b"))
    assert read_answer(talk.wire)[0].body == b"0"


def test_the_peer_is_held_while_nobody_reads() -> None:
    until: Deferred[None] = Deferred()
    reader = Reader(until)
    talk = Talk(reader)
    size = 2 * FULL + 2
    talk.say(post(f"Content-Length: {size}", b"x" * (FULL + 1)))
    assert talk.wire.producerState == "paused"
    talk.clock.pump([10] * 100)  # that is not the peer's fault
    assert not talk.wire.disconnecting
    until.callback(None)
    talk.clock.advance(0)
    assert talk.wire.producerState == "producing"
    talk.say(b"y" * (FULL + 1))
    assert read_answer(talk.wire)[0].body == str(size).encode()


def test_a_continue_is_sent_when_the_handler_wants_the_body() -> None:
    until: Deferred[None] = Deferred()
    talk = Talk(Reader(until))
    talk.say(post("Content-Length: 3\r\nExpect: 100-continue"))
    assert talk.said == b""
    until.callback(None)
    assert talk.said == CONTINUE
    talk.say(b"abc")
    assert split_answer(talk.said.removeprefix(CONTINUE))[0].body == b"3"


@pytest.mark.parametrize(
    "fields", ["Content-Length: 3\r\nExpect: 100-continue", "Content-Length: 9"]
)
def test_who_refuses_a_body_need_not_read_it(fields: str) -> None:
    def refuse(request: Any) -> None:
        raise HTTPError(403)

    talk = Talk(refuse)
    talk.say(post(fields))
    answer, rest = read_answer(talk.wire)
    assert (answer.status, answer.headers["Connection"], rest) == (403, "close", b"")
    talk.say(b"x" * 3)
    talk.clock.advance(PATIENT.linger)
    assert talk.wire.disconnecting
    assert talk.ends_without_a_trace()


def test_a_body_may_have_a_bound_of_its_own() -> None:
    reader = Reader()
    talk = Talk(reader, max_body=5)
    talk.say(post("Content-Length: 6"))
    assert read_answer(talk.wire)[0].status == 413
    assert reader.got == []


def test_a_body_that_grows_too_long_is_told_to_its_reader() -> None:
    reader = Reader()
    talk = Talk(reader, max_body=5)
    talk.say(post("Transfer-Encoding: chunked", b"3\r\nabc\r\n"))
    talk.say(b"3\r\n")
    answer, _ = read_answer(talk.wire)
    assert (answer.status, answer.headers["Connection"]) == (413, "close")
    assert [type(error) for error in reader.lost] == [HTTPError]
    assert reader.got == [b"abc"]


def test_a_malformed_body_is_told_to_its_reader() -> None:
    reader = Reader()
    talk = Talk(reader)
    talk.say(post("Transfer-Encoding: chunked", b"3\r\nabcd"))
    answer, _ = read_answer(talk.wire)
    assert (answer.status, answer.headers["Connection"]) == (400, "close")
    assert reader.got == []
    assert len(reader.lost) == 1


def test_a_peer_that_leaves_in_the_middle_is_told_to_its_reader() -> None:
    reader = Reader()
    talk = Talk(reader)
    talk.say(post("Content-Length: 6", b"abc"))
    assert talk.ends_without_a_trace()
    assert reader.got == [b"abc"]
    assert talk.said == b""


def test_a_body_that_nobody_streams_is_whole_before_it_is_answered() -> None:
    talk = Talk(Reader(), spools=Spools(in_memory=2))
    talk.say(post("Content-Length: 6", b"abc", "/whole"))
    assert talk.site.spools.files == 1
    talk.say(b"def")
    assert read_answer(talk.wire)[0].body == b"abcdef"
    assert talk.ends_without_a_trace()


@pytest.mark.parametrize("fields", ["Content-Length: 600000", "Transfer-Encoding: chunked"])
def test_a_peer_that_leaves_takes_its_spooled_body_along(fields: str) -> None:
    talk = Talk(Reader(), spools=Spools(in_memory=4))
    talk.say(post(fields, b"5\r\nabcde\r\n", "/whole"))
    assert talk.site.spools.files == 1
    assert talk.ends_without_a_trace()


def test_without_room_a_body_is_refused_before_it_comes(tmp_path: Path) -> None:
    talk = Talk(Reader(), spools=Spools(tmp_path, files=0))
    talk.say(post("Content-Length: 100000\r\nExpect: 100-continue", path="/whole"))
    answer, rest = read_answer(talk.wire)
    assert (answer.status, answer.headers["Retry-After"], rest) == (503, "5", b"")
    assert talk.ends_without_a_trace()


def test_without_room_a_body_is_refused_as_soon_as_it_needs_it() -> None:
    talk = Talk(Reader(), spools=Spools(in_memory=4, files=0))
    talk.say(post("Transfer-Encoding: chunked", b"3\r\nabc\r\n", "/whole"))
    assert talk.said == b""
    talk.say(b"3\r\ndef\r\n")
    answer, _ = read_answer(talk.wire)
    assert (answer.status, answer.headers["Connection"]) == (503, "close")
    assert talk.ends_without_a_trace()


FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n'


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        (FORM, b"a=&" * (FORM_FIELDS + 1)),
        (FORM, b"a=" + b"x" * FORM_BYTES),
        (PARTS, PART * FORM_LINES),
        (PARTS, b"--b\r\n" + b"X: y\r\n" * (FORM_LINES + 1)),
        (PARTS, b"--b\r\n\r\n" + b"\n" * (FORM_LINES + 1) + b"\r\n--b--\r\n"),
    ],
)
def test_a_form_that_takes_long_to_parse_is_left_to_who_reads_it(kind: str, form: bytes) -> None:
    handlers = Handlers()
    handlers.register(
        "/", lambda request: f"{request.args} {len(request.content.read())}", methods=["POST"]
    )
    clock = clock_now()
    protocol, wire = connect(ProtoSite(build_tree(None, clock, handlers=handlers), clock))
    protocol.dataReceived(post(f"Content-Type: {kind}\r\nContent-Length: {len(form)}", form))
    assert read_answer(wire)[0].body == b"{} %d" % len(form)
    hang_up(protocol)


def test_a_form_in_a_large_body_is_read() -> None:
    handlers = Handlers()
    handlers.register("/", lambda request: request.args[b"a"][0], methods=["POST"])
    clock = clock_now()
    root = build_tree(None, clock, handlers=handlers)
    protocol, wire = connect(ProtoSite(root, clock, spools=Spools(in_memory=4)))
    form = b"a=" + b"x" * 100
    fields = f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}"
    protocol.dataReceived(post(fields, form))
    assert read_answer(wire)[0].body == b"x" * 100
    hang_up(protocol)


def test_a_request_has_all_that_twisteds_own_has() -> None:
    clock = clock_now()
    site = ProtoSite(build_tree(None, clock), clock)
    protocol, _ = connect(site)
    channel: Any = protocol
    stock, ours = server.Request(channel._channel), WebRequest(channel._channel)
    missing = {name for name in vars(stock) if not hasattr(ours, name)}
    assert missing == set()
    shared = vars(stock).keys() & vars(ours).keys() - {"responseHeaders"}
    assert {name: vars(stock)[name] for name in shared} == {
        name: vars(ours)[name] for name in shared
    }
    assert ours.requestHeaders == stock.requestHeaders
    assert ours.responseHeaders == stock.responseHeaders


def test_the_fields_of_a_query_are_there() -> None:
    handlers = Handlers()
    handlers.register("/", lambda request: repr(request.args))
    clock = clock_now()
    protocol, wire = connect(ProtoSite(build_tree(None, clock, handlers=handlers), clock))
    protocol.dataReceived(b"GET /?a=1&b=&a=%20 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert read_answer(wire)[0].body == b"{b'a': [b'1', b' '], b'b': [b'']}"


def test_a_part_of_a_body_without_a_byte_is_none() -> None:
    given: list[bytes] = []

    async def read(request: Any) -> bytes:
        request.handleContentChunk(b"")  # as HTTP/2 has it
        given.extend([chunk async for chunk in request.body])
        return b""

    talk = Talk(read)
    talk.say(post("Content-Length: 3", b"abc"))
    assert given == [b"abc"]
    assert talk.ends_without_a_trace()
