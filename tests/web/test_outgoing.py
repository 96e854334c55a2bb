from __future__ import annotations

from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from proto.web.outgoing import Outgoing, PeerLeft
from proto.web.request import WebRequest
from tests.support import connect
from tests.web.wire import hang_up, site_for


class Slow(Resource):
    """Hands its requests to the test."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[WebRequest] = []

    def render(self, request: WebRequest) -> int:
        self.requests.append(request)
        return NOT_DONE_YET


class Talk:
    """A request that waits for its answer."""

    def __init__(self) -> None:
        place = Slow()
        self.protocol, self.wire = connect(site_for(place))
        self.protocol.dataReceived(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.request = place.requests[0]
        self.outgoing = Outgoing(self.request)
        self.failures: list[BaseException] = []

    @property
    def producer(self) -> IPushProducer:
        """Whom the transport tells to pause."""
        assert self.wire.producer is not None
        return cast(IPushProducer, self.wire.producer)

    def write(self, data: bytes) -> Deferred[None]:
        return Deferred.fromCoroutine(self._write(data))

    async def _write(self, data: bytes) -> None:
        try:
            await self.outgoing.write(data)
        except (PeerLeft, RuntimeError) as failure:
            self.failures.append(failure)


def is_done(written: Deferred[None]) -> bool:
    return written.called


def test_a_writer_goes_on_while_the_peer_reads() -> None:
    talk = Talk()
    assert is_done(talk.write(b"one"))
    assert is_done(talk.write(b"two"))
    talk.outgoing.finish()
    assert talk.wire.value().endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
    hang_up(talk.protocol)


def test_a_writer_waits_for_a_peer_that_does_not_read() -> None:
    talk = Talk()
    talk.producer.pauseProducing()
    written = talk.write(b"one")
    assert not is_done(written)
    talk.producer.resumeProducing()
    assert is_done(written)
    hang_up(talk.protocol)


def test_a_writer_learns_that_the_peer_has_left() -> None:
    talk = Talk()
    talk.producer.pauseProducing()
    talk.write(b"one")
    hang_up(talk.protocol)
    assert [type(each) for each in talk.failures] == [PeerLeft]
    talk.write(b"two")
    assert [type(each) for each in talk.failures] == [PeerLeft, PeerLeft]
    talk.outgoing.finish()
    talk.outgoing.break_off()


def test_nobody_is_written_to_whose_peer_left_before() -> None:
    talk = Talk()
    hang_up(talk.protocol)
    talk.outgoing = Outgoing(talk.request)
    talk.write(b"x")
    assert [type(each) for each in talk.failures] == [PeerLeft]


def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one() -> None:
    talk = Talk()
    talk.write(b"one")
    talk.outgoing.break_off()
    assert talk.wire.disconnecting
    assert not talk.wire.value().endswith(b"0\r\n\r\n")
    hang_up(talk.protocol)


def test_two_cannot_wait_at_once_and_one_that_was_cancelled_does_not() -> None:
    talk = Talk()
    talk.producer.pauseProducing()
    first = Deferred.fromCoroutine(talk.outgoing.write(b"one"))
    talk.write(b"two")
    assert [type(each) for each in talk.failures] == [RuntimeError]
    first.addErrback(lambda failure: None)
    first.cancel()
    third = talk.write(b"three")
    talk.producer.resumeProducing()
    assert is_done(third)
    hang_up(talk.protocol)
