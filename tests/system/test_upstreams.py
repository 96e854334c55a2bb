"""Real servers behind `twistd -n web --proxy`: who is asked, and what happens when one is gone."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

from tests.system.browser import chromium
from tests.system.programs import DEADLINE, Twistd
from tests.system.upstreams import KINDS, small, three

CLIENTS: Final = 4
CHECK: Final = ("--proxy-check", "/health interval=100ms timeout=20s rise=1 fall=1")


class Balancer:
    """The web service as a proxy, and what it answers."""

    def __init__(self, server: Twistd) -> None:
        self.server = server
        self.port = server.port("web")

    def reload(self) -> None:
        """Send SIGHUP."""
        self.server.process.send_signal(signal.SIGHUP)

    def get(self, path: str = "/who", **headers: str) -> tuple[int, str]:
        """The status and the text of one answer, over a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", path, headers=named)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def who(self, count: int = 1, **headers: str) -> list[str]:
        """Who answers so many requests, one after another."""
        found = [self.get(**headers) for _ in range(count)]
        assert {status for status, _ in found} == {200}
        return [text for _, text in found]

    def standing(self, port: int) -> dict[str, Any]:
        """What the status page says of one server."""
        groups = json.loads(self.get("/status/upstreams.json")[1])["groups"]
        return next(one for one in groups[0]["servers"] if one["server"].endswith(f":{port}"))

    def comes_to(self, port: int, state: str) -> None:
        """Wait until that server stands so."""
        wait_until(lambda: self.standing(port)["state"] == state)


@contextmanager
def balancer(folder: Path, proxy: str, *options: str) -> Iterator[Balancer]:
    words = ("web", "--port", "tcp:0:interface=127.0.0.1", "--proxy", f"/={proxy}", *options)
    with Twistd(*words, cwd=folder) as server:
        yield Balancer(server)


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"


class Load(threading.Thread):
    """A client that asks without a pause, over one connection, until it is told to stop."""

    def __init__(self, port: int, over: threading.Event) -> None:
        super().__init__()
        self._port = port
        self._over = over
        self.answers: Counter[str] = Counter()

    def run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=DEADLINE)
        while not self._over.is_set():
            try:
                connection.request("GET", "/who")
                answer = connection.getresponse()
                self.answers[f"{answer.status} {answer.read().decode()}"] += 1
            except (HTTPException, OSError) as error:
                self.answers[repr(error)] += 1
                connection.close()
        connection.close()


@contextmanager
def load(port: int) -> Iterator[Callable[[], Counter[str]]]:
    """Clients that ask all the time; the result tells all answers so far."""
    over = threading.Event()
    clients = [Load(port, over) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield lambda: sum((Counter(client.answers) for client in clients), Counter())
    finally:
        over.set()
        for client in clients:
            client.join(DEADLINE)


def all_answer(answers: Callable[[], Counter[str]]) -> None:
    """Wait until each server has answered some more."""
    before = answers()
    wait_until(lambda: min((answers() - before)[f"200 {kind}"] for kind in KINDS) > 20)


def test_servers_are_killed_and_come_back_under_load_and_no_request_fails(tmp_path: Path) -> None:
    with three(tmp_path) as servers:
        urls = ",".join(f"http://127.0.0.1:{each.port} fail_timeout=500ms" for each in servers)
        with balancer(tmp_path, urls, *CHECK) as ours, load(ours.port) as answers:
            for server in servers:
                all_answer(answers)
                server.kill()
                ours.comes_to(server.port, "down")
                server.start()
                ours.comes_to(server.port, "up")
            all_answer(answers)
        assert set(answers()) == {f"200 {kind}" for kind in KINDS}


def test_weights_hold_and_backups_wait(tmp_path: Path) -> None:
    with small("a", "b", "c") as (a, b, c):
        urls = f"{a.url} weight=3,{b.url},{c.url} backup"
        with balancer(tmp_path, urls, *CHECK) as ours:
            assert Counter(ours.who(40)) == {"a": 30, "b": 10}
            a.is_well = b.is_well = False
            ours.comes_to(a.port, "down")
            ours.comes_to(b.port, "down")
            assert set(ours.who(5)) == {"c"}
            b.is_well = True
            ours.comes_to(b.port, "up")
            assert set(ours.who(5)) == {"b"}


def test_clients_of_one_network_stay_at_one_server(tmp_path: Path) -> None:
    with small("a", "b", "c") as servers:
        urls = ",".join(each.url for each in servers)
        options = ("--proxy-method", "ip_hash", "--proxy-trust", "127.0.0.1", *CHECK)

        def homes(ours: Balancer) -> list[str]:
            found = []
            for network in range(30):
                near = [f"198.51.{network}.{last}" for last in (1, 200)]
                seen = {ours.who(X_Forwarded_For=address)[0] for address in near}
                assert len(seen) == 1
                found.append(seen.pop())
            return found

        with balancer(tmp_path, urls, *options) as ours:
            before = homes(ours)
            assert set(before) == {"a", "b", "c"}
            servers[0].is_well = False
            ours.comes_to(servers[0].port, "down")
            after = homes(ours)
            assert {old for old, new in zip(before, after, strict=True) if old != new} == {"a"}
            assert "a" not in after


def test_who_is_busy_gets_fewer_requests(tmp_path: Path) -> None:
    with small("a", "b") as servers:
        urls = ",".join(each.url for each in servers)
        with balancer(tmp_path, urls, "--proxy-method", "least_conn") as ours:
            waiting = threading.Thread(target=ours.get, args=("/slow",))
            waiting.start()
            wait_until(lambda: any(ours.standing(each.port)["active"] for each in servers))
            busy = next(each for each in servers if ours.standing(each.port)["active"])
            assert busy.name not in ours.who(10)
            busy.held.release()
            waiting.join(DEADLINE)
            wait_until(lambda: ours.standing(busy.port)["active"] == 0)
            assert busy.name in ours.who(20)


def test_a_server_that_fails_is_left_alone_and_then_tried_once(tmp_path: Path) -> None:
    with small("a", "b") as (a, b):
        urls = f"{a.url} fail_timeout=1s,{b.url}"
        with balancer(tmp_path, urls) as ours:
            a.fails = True
            assert set(ours.who(10)) == {"b"}
            ours.comes_to(a.port, "trial")
            asked = a.asked
            assert ours.standing(a.port)["failures"] == asked
            a.fails = False
            assert ours.who(2).count("a") == 1
            ours.comes_to(a.port, "up")
            assert a.asked == asked + 1


def test_a_full_group_says_when_to_come_again(tmp_path: Path) -> None:
    with small("a") as (a,), balancer(tmp_path, f"{a.url} max_conns=1") as ours:
        waiting = threading.Thread(target=ours.get, args=("/slow",))
        waiting.start()
        wait_until(lambda: ours.standing(a.port)["active"] == 1)
        assert ours.get()[0] == 503
        a.held.release()
        waiting.join(DEADLINE)
        wait_until(lambda: ours.get()[0] == 200)


def test_a_file_of_servers_is_read_again_and_what_is_known_stays(tmp_path: Path) -> None:
    with small("a", "b", "c") as (a, b, c):
        listed = tmp_path / "servers"
        listed.write_text(f"# two of them\n\n{a.url}\n{b.url} weight=2\n")
        with balancer(tmp_path, "@servers", *CHECK) as ours:
            assert Counter(ours.who(6)) == {"a": 2, "b": 4}
            listed.write_text(f"{b.url} drain\n{c.url}\n")
            ours.reload()
            ours.comes_to(b.port, "drained")
            assert ours.standing(b.port)["requests"] == 4
            assert set(ours.who(4)) == {"c"}
            wait_until(lambda: ours.standing(c.port)["last_check"] is not None)
            listed.write_text(f"{b.url}other\n")
            ours.reload()
            ours.server.wait_for(r"another path in their URLs than before; the servers stay")
            assert set(ours.who(4)) == {"c"}


def test_the_status_page_is_live(tmp_path: Path) -> None:
    with (
        small("a", "b") as (a, b),
        balancer(tmp_path, f"{a.url},{b.url}", *CHECK) as ours,
        chromium(tmp_path / "profile") as browser,
    ):
        browser.driver.get(f"http://127.0.0.1:{ours.port}/status/upstreams")
        browser.run("document.title = 'not loaded again'")
        state = "$$('tbody tr').map((row) => row.cells[1].innerText).join() === arguments[0]"
        browser.wait(state, "up,up")
        b.is_well = False
        browser.wait(state, "up,down")
        b.is_well = True
        browser.wait(state, "up,up")
        assert browser.run("return document.title") == "not loaded again"
        names = browser.run("return performance.getEntriesByType('resource').map((e) => e.name)")
        assert set(names) == {f"http://127.0.0.1:{ours.port}/status/upstreams"}
        assert browser.leaves() == []
