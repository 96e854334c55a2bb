"""What waits of an answer: a producer is asked for no more than its peer takes."""

from __future__ import annotations

from typing import Any

import pytest
from h2.settings import SettingCodes
from twisted.internet.interfaces import IPushProducer
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from proto.web.h2sending import MAX_QUEUE
from proto.web.request import WebRequest
from proto.web.site import ProtoSite
from tests.web.h2client import Client, request
from tests.web.wire import clock_now

CHUNK = 10_000
ALL = 1_000_000


@implementer(IPushProducer)
class Source(Resource):
    """An answer of 1 MB from a producer that writes whenever it may."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.made = 0
        self.stopped = False
        self._paused = True

    def render(self, request: WebRequest) -> int:
        self._request: Any = request
        request.registerProducer(self, True)
        self.resumeProducing()
        return NOT_DONE_YET

    def resumeProducing(self) -> None:
        self._paused = False
        while not self._paused and self.made < ALL:
            self.made += CHUNK
            self._request.write(bytes(CHUNK))
        if self.made == ALL and not self._request.finished:
            self._request.unregisterProducer()
            self._request.finish()

    def pauseProducing(self) -> None:
        self._paused = True

    def stopProducing(self) -> None:
        self.stopped = True


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def client(source: Source) -> Client:
    clock = clock_now()
    return Client(ProtoSite(source, clock), clock)


def with_window(client: Client, size: int) -> None:
    client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: size})
    client.h2.increment_flow_control_window(1 << 24)


def test_a_wide_window_is_no_reason_to_keep_much_in_memory(client: Client, source: Source) -> None:
    with_window(client, 1 << 24)
    client.ask(1)
    while 1 not in client.ended:
        client.read(1)
        assert source.made - len(client.bodies[1]) <= MAX_QUEUE + CHUNK
    assert len(client.bodies[1]) == ALL


def test_a_producer_waits_for_the_transport(client: Client, source: Source) -> None:
    with_window(client, 1 << 24)
    client.ask(1)
    client.wire.fill()
    client.read()
    assert source.made <= 2 * MAX_QUEUE + CHUNK
    client.wire.drain()
    client.read()
    assert len(client.bodies[1]) == ALL


def test_a_producer_waits_for_a_small_window(client: Client, source: Source) -> None:
    with_window(client, CHUNK // 2)
    client.ask(1)
    client.read()
    assert source.made == CHUNK
    for _ in range(2 * ALL // CHUNK):
        client.h2.increment_flow_control_window(CHUNK // 2, 1)
        client.send()
        client.read(3)
    assert len(client.bodies[1]) == ALL


def test_a_window_that_shrinks_below_nothing_is_waited_for(client: Client, source: Source) -> None:
    with_window(client, CHUNK)
    client.ask(1)
    client.read()
    client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
    client.send()
    client.h2.increment_flow_control_window(CHUNK - 1, 1)
    client.send()
    client.read()
    assert len(client.bodies[1]) == CHUNK
    client.h2.increment_flow_control_window(2, 1)
    client.send()
    client.read()
    assert len(client.bodies[1]) == CHUNK + 1


def test_an_end_needs_no_window(client: Client, source: Source) -> None:
    with_window(client, ALL)
    source.made = ALL - CHUNK
    client.ask(1, *request())
    client.read()
    assert len(client.answer(1).body) == CHUNK
    assert client.status(1) == 200
