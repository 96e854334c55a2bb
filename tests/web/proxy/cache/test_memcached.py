from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionLost, ConnectionRefusedError
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from proto.web.proxy.cache import memcached
from proto.web.proxy.cache.codec import encode
from proto.web.proxy.cache.entry import Entry, Terms
from proto.web.proxy.cache.memcached import MOST_VALUE, MemcachedStore
from tests.web.proxy.cache.origin import Street, answer
from tests.web.proxy.cache.results import results_of

KEYS: Final = [b"%064x" % n for n in range(5)]
RECORD: Final = Entry(200, b"OK", ((b"A", b"b"),), b"hello\r\nEND\r\n", 0, 0, Terms(1))


class Wire(StringTransport):
    """A connection that can be cut."""

    def setTcpNoDelay(self, _: bool) -> None:
        """It waits for nothing anyway."""

    def abortConnection(self) -> None:
        self.loseConnection()

    def take(self) -> bytes:
        data: bytes = self.value()
        self.clear()
        return data


class Server:
    """A memcached in memory; it is away until `is_there`, and silent while `is_silent`."""

    def __init__(self, is_there: bool = True) -> None:
        self.clock = Clock()
        self.is_there = is_there
        self.is_silent = False
        self.values: dict[bytes, bytes] = {}
        self.wires: list[Wire] = []
        self.protocols: list[Protocol] = []
        self.commands: list[bytes] = []
        self.tries = 0
        self.store = MemcachedStore(self._connect, self.clock, name="the memcached")
        self.store.start()

    def _connect(self, protocol: Protocol) -> Deferred[Protocol]:
        self.tries += 1
        if not self.is_there:
            return fail(ConnectionRefusedError())
        self.wires.append(Wire())
        self.protocols.append(protocol)
        protocol.makeConnection(self.wires[-1])
        return succeed(protocol)

    @property
    def cuts(self) -> int:
        """Connections that were cut."""
        return sum(wire.disconnecting for wire in self.wires)

    def serve(self) -> None:
        """Answer what was asked, until nothing more is."""
        while self.wires and (data := self.wires[-1].take()):
            if self.is_silent:
                return
            self.protocols[-1].dataReceived(self._answers(data))

    def die(self) -> None:
        self.is_there = False
        self.values.clear()
        self.protocols[-1].connectionLost(Failure(ConnectionLost()))

    def _answers(self, data: bytes) -> bytes:
        told = b""
        while data:
            line, _, data = data.partition(b"\r\n")
            command, key, *rest = line.split(b" ")
            self.commands.append(command)
            if command == b"get":
                value = self.values.get(key)
                found = (
                    b"" if value is None else b"VALUE %b 0 %d\r\n%b\r\n" % (key, len(value), value)
                )
                told += found + b"END\r\n"
            elif command == b"set":
                size = int(rest[2])
                self.values[key], data = data[:size], data[size + 2 :]
                told += b"STORED\r\n"
            else:
                told += b"DELETED\r\n" if self.values.pop(key, None) else b"NOT_FOUND\r\n"
        return told


def test_records_come_and_go() -> None:
    server = Server()
    put = results_of(server.store.put(KEYS[0], RECORD))
    assert put == []
    server.serve()
    got = results_of(server.store.get(KEYS[0]))
    server.serve()
    removed = results_of(server.store.remove(KEYS[0]))
    gone = results_of(server.store.get(KEYS[0]))
    server.serve()
    assert (put, got, removed, gone) == ([True], [RECORD], [None], [None])
    server.clock.advance(1)
    assert len(server.wires) == 1


def test_commands_are_sent_without_waiting_for_answers() -> None:
    server = Server()
    asked = [results_of(server.store.get(key)) for key in KEYS]
    assert server.wires[0].value().count(b"get ") == 5
    server.serve()
    assert asked == [[None]] * 5


def test_what_is_no_record_of_that_key_is_a_miss() -> None:
    server = Server()
    server.values[b"proto:" + KEYS[0]] = encode(KEYS[1], RECORD)
    server.values[b"proto:" + KEYS[1]] = b"foreign"
    server.values[b"proto:" + KEYS[2]] = b""
    asked = [results_of(server.store.get(key)) for key in KEYS[:3]]
    server.serve()
    assert asked == [[None]] * 3


def test_what_is_too_large_is_not_even_sent() -> None:
    server = Server()
    large = Entry(200, b"OK", (), bytes(MOST_VALUE), 0, 0, Terms(1))
    assert results_of(server.store.put(KEYS[0], large)) == [False]
    assert server.wires[0].value() == b""


@pytest.mark.parametrize("told", [b"NOT_STORED", b"SERVER_ERROR out of memory", b"ERROR"])
def test_what_a_server_does_not_take_is_not_kept(told: bytes) -> None:
    server = Server()
    put = results_of(server.store.put(KEYS[0], RECORD))
    server.protocols[0].dataReceived(told + b"\r\n")
    assert put == [False]
    assert not server.wires[0].disconnecting


def test_while_the_server_is_away_everything_is_a_miss_at_once() -> None:
    server = Server(is_there=False)
    assert results_of(server.store.get(KEYS[0])) == [None]
    assert results_of(server.store.put(KEYS[0], RECORD)) == [False]
    assert results_of(server.store.remove(KEYS[0])) == [None]


def test_it_is_tried_again_less_and_less_often() -> None:
    server = Server(is_there=False)
    assert server.tries == 1
    server.clock.pump([0.1, 0.2, 0.4, 0.8])
    assert server.tries == 5
    for _ in range(100):
        server.clock.advance(1)
    assert 13 < server.tries < 20
    server.is_there = True
    server.clock.advance(memcached.LONGEST_PAUSE)
    asked = results_of(server.store.get(KEYS[0]))
    server.serve()
    assert asked == [None]
    assert server.commands == [b"get"] or server.commands[-1] == b"get"


def test_a_server_that_dies_gives_a_miss_to_all_who_wait() -> None:
    server = Server()
    asked = [results_of(server.store.get(key)) for key in KEYS]
    server.die()
    assert asked == [[None]] * 5
    server.is_there = True
    server.clock.advance(memcached.FIRST_PAUSE)
    assert len(server.wires) == 2


def test_a_server_that_is_silent_is_as_good_as_dead() -> None:
    server = Server()
    server.is_silent = True
    asked = results_of(server.store.get(KEYS[0]))
    server.clock.advance(0.4)
    later = results_of(server.store.get(KEYS[1]))
    assert server.cuts == 0
    server.clock.advance(0.1)
    assert server.cuts == 1
    server.protocols[0].connectionLost(Failure(ConnectionLost()))
    assert (asked, later) == ([None], [None])
    assert results_of(server.store.get(KEYS[0])) == [None]


def test_answers_in_time_keep_the_connection() -> None:
    server = Server()
    for _ in range(20):
        asked = results_of(server.store.get(KEYS[0]))
        server.clock.advance(0.3)
        server.serve()
        assert asked == [None]
    server.clock.advance(10)
    assert not server.wires[0].disconnecting


@pytest.mark.parametrize("sent", [b"HTTP/1.1 400 Bad Request\r\n", b"x" * 4096, b"END\r\nEND\r\n"])
def test_what_is_no_memcached_is_left(sent: bytes) -> None:
    server = Server()
    results_of(server.store.get(KEYS[0]))
    server.protocols[0].dataReceived(sent + b"END\r\n")
    assert server.wires[0].disconnecting


def test_what_was_removed_while_the_server_was_away_is_not_found_when_it_is_back() -> None:
    server = Server()
    results_of(server.store.put(KEYS[0], RECORD))
    server.serve()
    kept = dict(server.values)
    server.die()
    results_of(server.store.remove(KEYS[0]))
    server.values = kept  # it was only the network
    server.is_there = True
    server.clock.advance(memcached.FIRST_PAUSE)
    asked = results_of(server.store.get(KEYS[0]))
    server.serve()
    assert asked == [None]
    assert server.commands[-1] == b"delete"
    again = results_of(server.store.put(KEYS[0], RECORD))
    found = results_of(server.store.get(KEYS[0]))
    server.serve()
    assert (again, found) == ([True], [RECORD])


def test_so_many_commands_may_wait() -> None:
    server = Server()
    asked = [results_of(server.store.get(KEYS[0])) for _ in range(memcached.MOST_COMMANDS + 5)]
    assert asked[-5:] == [[None]] * 5
    assert asked[0] == []
    server.serve()
    assert asked == [[None]] * (memcached.MOST_COMMANDS + 5)


def test_closed_it_tries_no_more() -> None:
    server = Server()
    results_of(server.store.close())
    server.protocols[0].connectionLost(Failure(ConnectionLost()))
    away = Server(is_there=False)
    results_of(away.store.close())
    for each in (server, away):
        each.clock.advance(100)
        assert each.tries == 1
        assert not each.clock.getDelayedCalls()


def test_a_client_that_leaves_confuses_no_answers() -> None:
    server = Server()
    results_of(server.store.put(KEYS[1], RECORD))
    server.serve()
    leaving = Deferred.fromCoroutine(server.store.get(KEYS[0]))
    failed = results_of(leaving)
    staying = results_of(server.store.get(KEYS[1]))
    leaving.cancel()
    server.serve()
    assert len(failed) == 1
    assert staying == [RECORD]


@given(st.lists(st.sampled_from(["get", "serve", "die", "back", "silent", "speak", "wait", "put"])))
def test_whatever_happens_to_the_server_a_cache_answers(steps: list[str]) -> None:
    server = Server()
    street = Street(server.store)
    street.answering = lambda _: answer("Cache-Control: max-age=60")
    clients = []
    for step in [*steps, "speak", "wait", "serve", "wait", "serve"]:
        match step:
            case "get":
                clients.append(street.get())
            case "put":
                clients.append(street.get(method="PUT"))
            case "serve":
                server.serve()
            case "die" if server.is_there and server.protocols:
                server.die()
            case "back":
                server.is_there = True
            case "silent" | "speak":
                server.is_silent = step == "silent"
            case "wait":
                server.clock.advance(0.5)
                if server.wires and server.wires[-1].disconnecting and server.is_there:
                    server.die()
                    server.is_there = True
    server.serve()
    for client in clients:
        assert (client.status, client.body) == (200, b"hello")
