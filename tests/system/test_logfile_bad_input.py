"""Peers of the log receiver that break every rule, beside witnesses who are served all the time.

The bad ones come from an address of their own, and so have a log of their own.
"""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from proto.logfile.framing import KEPT_WHEN_CUT
from tests.system.logsenders import Crowd, Plain, Relp
from tests.system.logserver import LogServer
from tests.system.numbered import UNFINISHED
from tests.system.programs import DEADLINE, read_all, read_until

MIB: Final = 1024 * 1024
IP_BIND_ADDRESS_NO_PORT: Final = 24
"""ip(7): choose the port when connecting, or thousands of them are searched one by one."""
BAD: Final = "127.0.0.2"
IDLE: Final = 10_000
"""Connections that say nothing, or as many as files may be open, but no fewer than 2,000."""
OPEN: Final = b"1 open 30 relp_version=0\ncommands=syslog\n"
CLOSED: Final = b"0 serverclose 0\n"


class Site:
    """A receiver, and witnesses who send all the time."""

    def __init__(self, server: LogServer, witnesses: Crowd) -> None:
        self.server = server
        self.witnesses = witnesses

    @contextmanager
    def bad(self, door: str = "logfile", room: int | None = None) -> Iterator[socket.socket]:
        """A connection of a bad peer, which has `room` bytes for what it is told."""
        with socket.socket() as peer:
            peer.settimeout(DEADLINE)
            if room is not None:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
            peer.setsockopt(socket.SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            peer.bind((BAD, 0))
            peer.connect(("127.0.0.1", self.server.port(door)))
            yield peer

    def many(self, count: int) -> Iterator[AbstractContextManager[socket.socket]]:
        """So many connections, not faster than the receiver takes them from the kernel."""
        for number in range(count):
            if number % 500 == 0:
                self.server.echoes(1)
            yield self.bad()

    def told(self, said: bytes, door: str = "logfile") -> bytes:
        """What a bad peer hears that says this and no more."""
        with self.bad(door) as peer:
            peer.sendall(said)
            peer.shutdown(socket.SHUT_WR)
            return read_all(peer)

    @property
    def stored(self) -> list[bytes]:
        """What bad peers have in the log."""
        return (self.server.folder / f"{BAD}.log").read_bytes().splitlines()

    @property
    def memory(self) -> int:
        """Bytes that the receiver has in memory."""
        status = Path(f"/proc/{self.server.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    @contextmanager
    def grows_less_than(self, limit: int) -> Iterator[None]:
        """Its memory does, and the witnesses are served meanwhile and afterwards."""
        before = self.memory
        self.witnesses.wait(20)
        yield
        grown = self.memory - before
        self.witnesses.wait(20)
        assert grown < limit, f"{grown / MIB:.1f} MiB more"


@contextmanager
def site_with(folder: Path, **options: object) -> Iterator[Site]:
    """All that the witnesses sent is proved to be there in the end."""
    log = folder / "log"
    log.mkdir()
    most = {"max-connections": 20_000}
    split = {"file": str(log), "split-by": "peer"}
    kinds = (Relp, Relp) if "framing" in options else (Plain, Relp)
    with (
        Crowd(kinds, window=12) as witnesses,
        LogServer(folder, {**most, **split, **options}) as server,
    ):
        witnesses.begin(server)
        yield Site(server, witnesses)
        witnesses.end()
        shown = server.until(lambda shown: shown["lines_held"] == 0)
        assert shown["lines_refused"] == 0
        assert "Traceback" not in server.output
    proof = witnesses.prove(log, "127.0.0.1.log")
    assert proof.stored == proof.acknowledged


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_with(tmp_path_factory.mktemp("bad")) as site:
        yield site


def test_a_line_without_end_takes_no_memory_and_is_cut(site: Site) -> None:
    with site.bad() as peer:
        with site.grows_less_than(16 * MIB):
            for _ in range(64):
                peer.sendall(b"x" * MIB)
        peer.sendall(b"\nnext\n")
        while b"OK 2\n" not in read_until(peer, b"\n"):
            pass
    left_out = b"\\x20[cut: %d bytes left out]" % (64 * MIB - 65536)
    assert site.stored[-2:] == [b"x" * 65536 + left_out, b"next"]


def test_nuls_and_controls_are_one_escaped_line(site: Site) -> None:
    assert site.told(b"\0" * 1000 + b"\r\x1b[2J\x7f\xff\\x00\r\n") == b"OK 1\n"
    assert site.stored[-1] == b"\\x00" * 1000 + b"\\x0d\\x1b[2J\\x7f\xff\\x5cx00"


def test_a_request_that_is_shorter_than_it_says_stores_nothing(site: Site) -> None:
    before = site.stored
    head = (
        b"POST /log HTTP/1.1\r\nHost: log\r\nContent-Type: text/plain\r\nContent-Length: 99\r\n\r\n"
    )
    assert b" 200 " not in site.told(head + b"half of it\n", "http")
    site.witnesses.wait(20)
    assert site.stored == before


@pytest.mark.parametrize(
    ("said", "answers"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", []),
        (b"1 open 3 relp_version=0\n", []),
        (b"1 open 999 x\n", []),
        (b"1 open 9999999999 x\n", []),
        (b"1 open -5 x\n", []),
        (b"1 syslog 5 hello\n", [b"1 rsp "]),
        (b"1 close 0\n", [b"1 rsp 6 200 OK\n"]),
        (b"5" + OPEN[1:], [b"5 rsp "]),
        (OPEN + OPEN, [b"1 rsp ", b"1 rsp "]),
        (OPEN + b"3 syslog 5 hello\n", [b"1 rsp ", b"3 rsp "]),
        (OPEN + b"2 syslog 3 hello\n", [b"1 rsp "]),
        (OPEN + b"2 syslog 9 hello\n3 syslog 5 hello\n", [b"1 rsp "]),
        (OPEN + b"2 rubbish 0\n3 syslog 4 good\n", [b"1 rsp ", b"2 rsp ", b"3 rsp 6 200 OK\n"]),
        (OPEN + b"0 syslog 5 hello\n", [b"1 rsp "]),
        (OPEN + b"2 syslog 5 hello", [b"1 rsp "]),
    ],
)
def test_relp_that_lies_or_is_out_of_order_is_answered_and_stores_nothing(
    said: bytes, answers: list[bytes], site: Site
) -> None:
    before = len(site.stored) if (site.server.folder / f"{BAD}.log").exists() else 0
    told = site.told(said, "relp")
    at = 0
    for answer in answers:
        at = told.find(answer, at) + 1
        assert at > 0, told
    assert told.count(b" rsp ") == len(answers)
    good = [b"good"] if b"good" in said else []
    if good or before:
        assert site.stored[before:] == good
    site.witnesses.wait(20)


def test_who_never_reads_its_acknowledgements_takes_little_memory(site: Site) -> None:
    """The kernel holds them for it: a chunk of lines has one."""
    with site.bad(room=2048) as peer, site.grows_less_than(24 * MIB):
        for _ in range(200_000):
            peer.send(b"x\n")


def send_each(peer: socket.socket, messages: Iterable[bytes]) -> None:
    for each in messages:
        peer.sendall(each)


def test_who_never_reads_the_answers_of_relp_is_not_read_any_more(site: Site) -> None:
    with site.bad("relp", room=2048) as peer:
        peer.sendall(OPEN)
        read_until(peer, b"syslog\n")
        peer.settimeout(1)
        messages = (b"%d syslog 1 x\n" % number for number in range(2, 2_000_000))
        with site.grows_less_than(24 * MIB), pytest.raises(TimeoutError):
            send_each(peer, messages)
        assert site.server.figures()["lines_held"] < 20_000


def test_thousands_of_idle_connections_are_kept_and_nobody_waits(site: Site) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(IDLE, (hard if hard != resource.RLIM_INFINITY else 1_000_000) - 1000)
    assert count >= 2000, f"only {hard} files may be open; raise it (ulimit -n)"
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 1000), hard))
    resource.prlimit(site.server.process.pid, resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with ExitStack() as crowd:
            before = site.memory
            with site.grows_less_than(count * 16 * 1024):
                peers = [crowd.enter_context(each) for each in site.many(count)]
            each = (site.memory - before) / count
            for peer in (peers[0], peers[-1]):
                peer.sendall(b"awake\n")
                assert read_until(peer, b"\n") == b"OK 1\n"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    print(f"\n{count} idle connections, {each:.0f} bytes each")  # noqa: T201


def test_a_thousand_lines_that_nobody_ends_are_bounded_in_all(site: Site) -> None:
    with ExitStack() as crowd:
        peers = [crowd.enter_context(each) for each in site.many(1000)]
        all_of_it = site.server.figures()["bytes_received"] + 60_000 * len(peers)
        with site.grows_less_than(40 * MIB):
            for peer in peers:
                peer.sendall(b"y" * 60_000)
            shown = site.server.until(lambda shown: shown["bytes_received"] >= all_of_it)
            assert shown["bytes_unfinished"] <= 8 * MIB + len(peers) * KEPT_WHEN_CUT + 65536
        for peer in peers:
            peer.sendall(b"\n")
        for peer in peers:
            assert read_until(peer, b"\n") == b"OK 1\n"
    assert site.server.figures()["bytes_unfinished"] < MIB
    ends = site.stored[-1000:]
    assert all(line.startswith(b"y") for line in ends)
    assert len({line for line in ends if b"[cut: " not in line}) == 1


def test_wrong_counts_are_lines_that_are_marked_and_the_next_connection_is_well(
    tmp_path: Path,
) -> None:
    with site_with(tmp_path, framing="octet") as site:
        for said in (b"5 hel", b"-1 x\n", b"99999999999999999999 x\n", b"x y z\n"):
            site.told(said)
        with site.grows_less_than(16 * MIB):
            site.told(b"9999999 " + b"z" * 8_000_000)
        assert site.told(b"5 hello3 you") == b"OK 2\n"
        *wrong, cut, hello, you = site.stored
    cut_off = b"\\x20[cut: %d bytes left out]" % (8_000_000 - 65536)
    assert wrong == [b"hel" + UNFINISHED, b"-1 x", b"99999999999999999999 x", b"x y z"]
    assert cut == b"z" * 65536 + cut_off + UNFINISHED
    assert (hello, you) == (b"hello", b"you")
