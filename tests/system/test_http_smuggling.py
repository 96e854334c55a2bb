"""Request smuggling: a proxy in front and we count the same requests, whatever a client sends.

What a proxy refuses does not come to us, and what we refuse it has seen: neither is a difference.
One is a request of which only one side knows, or an answer that the next client gets.
"""

from __future__ import annotations

import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from tests.system.ambiguous import AMBIGUOUS, UNFINISHED
from tests.system.programs import DEADLINE, Twistd, dial, read_all
from tests.system.proxies import HttpHaproxy, Nginx, Proxy, shortened
from tests.web.refused import BODIES, HEADS, get

BEHIND: Final = get(b"Connection: close\r\n", target=b"/behind") * 2
"""What ends the connection; one of them may be taken for trailers."""
PAGE: Final = "hello, world"
CASES: Final = [
    *AMBIGUOUS,
    *((name, raw) for name, raw, _ in (*HEADS, *BODIES)),
]


@dataclass
class Pair:
    """A proxy, and the access log of the service behind it."""

    proxy: Proxy
    log: Path
    numbers: Iterator[int] = field(default_factory=count)
    unfinished: Counter[str] = field(default_factory=Counter)
    """The requests that the proxy has begun to send us, and not ended."""

    def seen(self) -> Counter[str]:
        """The requests in our access log, as `METHOD TARGET`."""
        asked = (line.split('"')[1] for line in self.log.read_text().splitlines())
        return Counter(shortened(" ".join(each.split(" ")[:2])) for each in asked)

    def ask(self, target: str) -> str:
        """The page of an ordinary request of another client."""
        with dial(self.proxy.listens) as client:
            client.sendall(get(b"Connection: close\r\n", target=target.encode()))
            head, _, page = read_all(client).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        return page.decode()

    def ask_next(self) -> str:
        """An ordinary request that nobody else makes, as the logs have it, is answered rightly."""
        target = f"/page.txt?{next(self.numbers)}"
        assert self.ask(target) == PAGE
        return f"GET {target}"

    def wait_for(self, last: str, *, is_whole: bool) -> None:
        """Wait until both have logged this, and we all that the proxy has sent us before.

        Of a request that never comes to its end nobody has an answer, and we have no line.
        """
        end = time.monotonic() + DEADLINE
        while last not in self.seen() or last not in self.proxy.answered() or self.missing():
            if not is_whole and self.seen() >= self.proxy.answered() and last in self.seen():
                self.unfinished += self.missing()
            assert time.monotonic() < end, (last, self.missing())

    def missing(self) -> Counter[str]:
        """What the proxy has forwarded and we have not logged, and ought to."""
        return self.proxy.forwarded() - self.seen() - self.unfinished

    def compare(self) -> None:
        """What the proxy has answers to we have seen, and nothing that it has not forwarded."""
        assert self.missing() == Counter()
        assert self.proxy.answered() - self.seen() == Counter()
        assert self.seen() - self.proxy.forwarded() == Counter()


@pytest.fixture(scope="module", params=["nginx", "nginx, streaming", "haproxy"])
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    (folder / "served").mkdir()
    (folder / "served" / "page.txt").write_text(PAGE)
    log = folder / "access.log"
    options = ["--port", "tcp:0:interface=127.0.0.1", "--logfile", str(log), "--max-body", "1000"]
    with Twistd("web", "--path", str(folder / "served"), *options, cwd=folder) as service:
        ours = service.port("web")
        with start(request.param, folder, ours) as proxy:
            pair = Pair(proxy, log)
            yield pair
        assert service.end(signal.SIGTERM) == 0
        pair.compare()
        assert "Traceback" not in service.output


def start(kind: str, folder: Path, ours: int) -> Proxy:
    if kind == "haproxy":
        return HttpHaproxy(folder, ours)
    return Nginx(folder, ours=ours, buffering="off" if "streaming" in kind else "on")


@pytest.mark.parametrize(("name", "raw"), CASES, ids=[name for name, _ in CASES])
def test_a_proxy_and_we_see_the_same_requests(pair: Pair, name: str, raw: bytes) -> None:
    pair.ask_next()
    with dial(pair.proxy.listens) as client, suppress(ConnectionResetError, BrokenPipeError):
        client.sendall(raw + BEHIND)
        read_all(client)
    pair.wait_for(pair.ask_next(), is_whole=name not in UNFINISHED)
    pair.compare()


def test_the_clients_of_a_proxy_share_its_connection_to_us(pair: Pair) -> None:
    """Without that, nothing here could show that one client's bytes reach another's answer."""
    before = connections(pair)
    pair.ask_next()
    pair.ask_next()
    assert connections(pair) == before


def connections(pair: Pair) -> str:
    """How many connections our service has had."""
    told = re.search(r'^proto_connections_total{service="web"} .*', pair.ask("/metrics"), re.M)
    assert told is not None
    return told[0]
