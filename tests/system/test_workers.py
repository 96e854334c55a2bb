"""`twistd web --workers N`: real processes that share a port, and what becomes of them."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.certificate import write_pair
from tests.system.programs import (
    DEADLINE,
    TWISTD,
    Program,
    Twistd,
    dial,
    program,
    read_all,
    read_until,
    run,
)
from tests.tap.test_summing import value

REACTORS: Final = [None, "lean"]
WHO: Final = """
import os
from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

class Who(Resource):
    isLeaf = True

    def render_GET(self, request):
        if request.path == b"/when-it-stops":
            request.write(b"begun\\n")
            reactor.addSystemEventTrigger("before", "shutdown", self.end, request)
            return NOT_DONE_YET
        return b"%d\\n" % os.getpid()

    def end(self, request):
        request.write(b"the end\\n")
        request.finish()

resource = Who()
"""
ASK: Final = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"


def script(folder: Path, text: str = WHO) -> list[str]:
    (folder / "who.rpy").write_text(text)
    return ["--resource-script", "who.rpy"]


def ready(log: Program, number: int, *, after: int = 0) -> int:
    """The process of that worker, when it is ready."""
    return int(log.wait_for(rf"worker {number}#info\] ready, as process (\d+)$", after=after)[1])


def pid_at(connection: socket.socket) -> int:
    """Which process answers here."""
    connection.sendall(ASK % b"who")
    head = read_until(connection, b"\r\n\r\n")
    body = head.partition(b"\r\n\r\n")[2]
    return int(body or read_until(connection, b"\n"))


@contextmanager
def visitors(port: int, wanted: set[int]) -> Iterator[dict[int, list[socket.socket]]]:
    """Connections that stay open, until each of the wanted processes has one."""
    with ExitStack() as stack:
        found: dict[int, list[socket.socket]] = {}
        for _ in range(500):
            if wanted <= found.keys():
                break
            connection = stack.enter_context(dial(port))
            found.setdefault(pid_at(connection), []).append(connection)
        assert found.keys() == wanted
        yield found


@contextmanager
def watched(pid: int) -> Iterator[select.poll]:
    """What tells that a process has ended."""
    descriptor = os.pidfd_open(pid)
    try:
        ended = select.poll()
        ended.register(descriptor, select.POLLIN)
        yield ended
    finally:
        os.close(descriptor)


def curl(folder: Path, port: int, path: str, *options: str) -> str:
    url = f"http://127.0.0.1:{port}{path}"
    return run(program("curl", "curl"), "-sS", *options, url, cwd=folder).stdout.decode()


@pytest.mark.parametrize("reactor", REACTORS)
def test_requests_are_spread_and_figures_are_those_of_all(
    tmp_path: Path, reactor: str | None
) -> None:
    command = ["web", "-p", "0", "--workers", "2", *script(tmp_path), "--metrics-port", "0"]
    with Twistd(*command, cwd=tmp_path, reactor=reactor) as server:
        port, figures = server.port("web"), server.port("metrics")
        pids = {ready(server, 1), ready(server, 2)}
        with visitors(port, pids) as found:
            asked = sum(map(len, found.values()))
            for connections in found.values():
                assert pid_at(connections[0]) in found
            told = curl(tmp_path, figures, "/metrics")
            name = 'proto_web_requests_total{method="GET",status="2xx"}'
            assert value(told, name) == asked + 2
            assert value(told, 'proto_connections_open{service="web"}') == asked
        services = json.loads(curl(tmp_path, figures, "/health"))["services"]
        assert services == {"web": True, "metrics": True, "worker 1": True, "worker 2": True}
        assert server.end(signal.SIGTERM) == 0


def test_any_worker_tells_the_figures_of_all(tmp_path: Path) -> None:
    command = ["web", "-p", "0", "--workers", "3"]
    with Twistd(*command, cwd=tmp_path) as server:
        port = server.port("web")
        for number in (1, 2, 3):
            ready(server, number)
        name = 'proto_web_requests_total{method="GET",status="2xx"}'
        for number in range(20):  # each of these is answered by whoever takes it
            curl(tmp_path, port, "/hello/you")
            assert value(curl(tmp_path, port, "/metrics"), name) == 2 * number + 1
        assert '"ready":true' in curl(tmp_path, port, "/health/ready")
        assert server.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("reactor", REACTORS)
def test_a_worker_that_is_killed_is_replaced_and_nobody_elses_connection_notices(
    tmp_path: Path, reactor: str | None
) -> None:
    command = ["web", "-p", "0", "--workers", "2", *script(tmp_path), "--metrics-port", "0"]
    with Twistd(*command, cwd=tmp_path, reactor=reactor) as server:
        port, figures = server.port("web"), server.port("metrics")
        killed, other = ready(server, 1), ready(server, 2)
        with visitors(port, {killed, other}) as found:
            name = 'proto_web_requests_total{method="GET",status="2xx"}'
            before = value(curl(tmp_path, figures, "/metrics"), name)
            mark = len(server.output)
            os.kill(killed, signal.SIGKILL)
            for connection in found[killed]:
                assert read_all(connection) == b""
            for connection in found[other]:
                assert pid_at(connection) == other
            server.wait_for(
                r"worker 1 is gone after .* s \(SIGKILL\); the next one starts", after=mark
            )
            fresh = ready(server, 1, after=mark)
            assert fresh not in (killed, other)
            with visitors(port, {fresh, other}) as again:
                asked = len(found[other]) + sum(map(len, again.values()))
                told = curl(tmp_path, figures, "/metrics")
                assert value(told, name) == before + asked
            for connection in found[other]:
                assert pid_at(connection) == other
        assert server.end(signal.SIGTERM) == 0


def test_sighup_begins_a_new_access_log_in_all_of_them(tmp_path: Path) -> None:
    command = ["web", "-p", "0", "--workers", "2", *script(tmp_path), "--logfile", "access.log"]
    with Twistd(*command, cwd=tmp_path) as server:
        port = server.port("web")
        with visitors(port, {ready(server, 1), ready(server, 2)}) as found:
            (tmp_path / "access.log").rename(tmp_path / "old.log")
            server.process.send_signal(signal.SIGHUP)
            for number in (1, 2):
                server.wait_for(rf"worker {number}#info\] received SIGHUP, reloading$")
            old = (tmp_path / "old.log").read_text()
            for connections in found.values():
                pid_at(connections[0])
            assert server.end(signal.SIGTERM) == 0
        lines = [*old.splitlines(), *(tmp_path / "access.log").read_text().splitlines()]
        assert (tmp_path / "old.log").read_text() == old
        assert len(old.splitlines()) == sum(map(len, found.values()))
        assert len(lines) == len(old.splitlines()) + 2
        assert all(
            re.fullmatch(r'127\.0\.0\.1 - - \[.*\] "GET /who .* "-"', line) for line in lines
        )


def test_sigterm_lets_all_of_them_finish_what_they_have_begun(tmp_path: Path) -> None:
    command = ["web", "-p", "0", "--workers", "2", *script(tmp_path)]
    with Twistd(*command, cwd=tmp_path) as server:
        port = server.port("web")
        pids = {ready(server, 1), ready(server, 2)}
        with visitors(port, pids) as found:
            for connections in found.values():
                connections[0].sendall(ASK % b"when-it-stops")
                read_until(connections[0], b"begun\n\r\n")
            server.process.send_signal(signal.SIGTERM)
            for connections in found.values():
                assert read_all(connections[0]) == b"8\r\nthe end\n\r\n0\r\n\r\n"
            assert server.end() == 0
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)


def test_a_worker_that_dies_at_once_is_started_less_and_less_often(tmp_path: Path) -> None:
    dies = WHO + "import sys\nif 'proto.tap.worker' in sys.orig_argv: os._exit(3)\n"
    with Twistd(
        "web", "-p", "0", "--workers", "1", *script(tmp_path, dies), cwd=tmp_path
    ) as server:
        for pause in ("0.5", "1", "2"):
            server.wait_for(
                rf"worker 1 is gone after .* s \(exit code 3\); the next one starts in {pause} s"
            )
        assert server.end(signal.SIGTERM) == 0
    assert "starts now" not in server.output


def test_what_a_worker_says_before_it_dies_is_in_the_log(tmp_path: Path) -> None:
    dies = WHO + "import sys\nif 'proto.tap.worker' in sys.orig_argv: raise OSError('no luck')\n"
    with Twistd(
        "web", "-p", "0", "--workers", "1", *script(tmp_path, dies), cwd=tmp_path
    ) as server:
        server.wait_for(r"worker 1#error\] twistd web: --resource-script .* \(OSError: no luck\)")
        server.wait_for("worker 1 is gone")


@pytest.mark.parametrize("reactor", REACTORS)
def test_the_workers_of_a_master_that_is_killed_end_as_well(
    tmp_path: Path, reactor: str | None
) -> None:
    command = ["web", "-p", "0", "--workers", "2", *script(tmp_path)]
    with Twistd(*command, cwd=tmp_path, reactor=reactor) as server:
        port = server.port("web")
        pids = {ready(server, 1), ready(server, 2)}
        with ExitStack() as stack:
            ends = [stack.enter_context(watched(pid)) for pid in pids]
            server.process.kill()
            for ended in ends:
                assert ended.poll(DEADLINE * 1000)
        with pytest.raises(ConnectionRefusedError), dial(port):
            pass


def test_a_port_in_use_is_told_on_the_terminal_before_there_is_a_worker(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
        for flags in (["-n", "--pidfile="], ["--pidfile=x.pid", "--logfile=x.log"]):
            done = run(TWISTD, *flags, "web", "-p", place, "--workers", "2", cwd=tmp_path)
            assert done.returncode == 1
            assert done.stderr.decode().endswith(
                "is in use; stop what listens there, or choose another port\n"
            )
            assert done.stderr.count(b"\n") == 1
    assert not (tmp_path / "x.pid").exists()


@pytest.mark.parametrize("reactor", REACTORS)
def test_a_daemon_with_workers_serves_from_another_folder_and_stops(
    tmp_path: Path, reactor: str | None
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "a.txt").write_text("from the site\n")
    (tmp_path / "run").mkdir()
    flags = [f"--reactor={reactor}"] if reactor else []
    done = run(
        *(TWISTD, *flags, "--pidfile=x.pid", "--rundir=run", f"--logfile={tmp_path}/x.log"),
        *("web", "-p", "0", "--path", "site", "--workers", "2", "--logfile", "access.log"),
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    with Program("tail", "-n", "+1", "-F", "x.log", cwd=tmp_path) as log:
        port = int(log.wait_for(r"Master#info\] web listens on tcp \S*:(\d+)$")[1])
        workers = {ready(log, 1), ready(log, 2)}
        pid = int((tmp_path / "x.pid").read_text())
        assert pid not in workers
        with watched(pid) as ended:
            assert curl(tmp_path, port, "/a.txt") == "from the site\n"
            os.kill(pid, signal.SIGTERM)
            assert ended.poll(DEADLINE * 1000)
        log.wait_for(r"UnixAppLogger#info\] Server Shut Down")
    assert "/a.txt" in (tmp_path / "access.log").read_text()
    assert not (tmp_path / "x.pid").exists()
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)


def test_workers_speak_tls_and_http_2_and_ask_for_passwords(tmp_path: Path) -> None:
    write_pair(tmp_path)
    make = (sys.executable, "-m", "proto.web.passwords", "ann")
    (tmp_path / "users").write_bytes(run(*make, cwd=tmp_path, stdin=b"tea\n").stdout)
    command = ["web", "-p", "0", "--tls", ".", "--workers", "2", "--auth", "/hello=users"]
    with Twistd(*command, cwd=tmp_path) as server:
        port = server.port("web", "tls")
        url = f"https://127.0.0.1:{port}"
        options = ("-sSk", "-o", "/dev/null", "-w", "%{http_version} %{http_code}")
        for version, flag in (("2", "--http2"), ("1.1", "--http1.1")):
            for path, code in (("/hello/you", "401"), ("//hello/you", "401"), ("/none", "404")):
                done = run(program("curl", "curl"), *options, flag, url + path, cwd=tmp_path)
                assert done.stdout.decode() == f"{version} {code}"
            known = ("-u", "ann:tea", f"{url}/hello/you")
            done = run(program("curl", "curl"), *options, flag, *known, cwd=tmp_path)
            assert done.stdout.decode() == f"{version} 200"
        assert server.end(signal.SIGTERM) == 0


def test_in_a_json_log_a_workers_entries_have_their_level(tmp_path: Path) -> None:
    command = ["web", "-p", "0", "--workers", "1", "--log-format", "json"]
    with Twistd(*command, cwd=tmp_path) as server:
        server.wait_for("ready, as process")
        assert server.end(signal.SIGTERM) == 0
    entries = [json.loads(line) for line in server.output.splitlines()]
    levels = {entry["level"] for entry in entries if entry["source"] == "worker 1"}
    assert levels == {"info", "warn"}


@pytest.mark.parametrize(
    ("flags", "arguments", "why"),
    [
        ([], ["web", "-p", "unix:x.sock", "--workers", "2"], "unix:x.sock cannot be shared"),
        ([], ["web", "--visits", "v", "--workers", "2"], "--workers and --visits"),
        (
            ["--chroot=."],
            ["web", "-p", "0", "--workers", "2"],
            "not together with twistd's --chroot",
        ),
        ([], ["web", "--workers", "-1"], "expected a whole number from 0 to 128"),
        ([], ["chat", "--workers", "2"], "--workers: no such option"),
        ([], ["proto", "--config", "x.toml"], "[web] workers: only for twistd web"),
        ([], ["proto", "--config", "x.toml", "--check"], "[web] workers: only for twistd web"),
    ],
    ids=str,
)
def test_where_there_can_be_no_workers_one_line_says_so(
    tmp_path: Path, flags: list[str], arguments: list[str], why: str
) -> None:
    (tmp_path / "x.toml").write_text("[web]\nport = 0\nworkers = 2\n[echo]\nport = 0\n")
    done = run(TWISTD, "--pidfile=", "-n", *flags, *arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert why in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1
