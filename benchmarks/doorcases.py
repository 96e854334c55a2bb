"""The cases of the web server's doors: a proxy, a WSGI application, the API."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

from benchmarks import disk, proxies, webservers
from benchmarks.beneath import Beneath
from benchmarks.commands import peer
from benchmarks.contest import Case, Contestant
from benchmarks.figures import Sample
from benchmarks.load import Load, Target
from benchmarks.load.http import Requests
from benchmarks.load.sockets import PATIENCE, LoadFailed
from benchmarks.scale import Scale
from benchmarks.servers import Command
from benchmarks.webcases import prepared, verify, web_server

SIZE: Final = 1024
"""Bytes of the file that is asked for through the proxies."""
THREADS: Final = 16
"""That a WSGI server may have."""
APPLICATION: Final = "benchmarks.peers.web_wsgi:app"
TASKS: Final = 200
TASK: Final = '{"title":"to water the plants"}'
LOGGING: Final = frozenset({"proto", "nginx", "twisted-web --wsgi"})
"""Those who keep their access log in a file of its own."""


def proxy(scale: Scale) -> list[Case]:
    """A small file through a proxy: many connections for its rate, one for what it adds."""
    upstream = webservers.nginx(open_file_cache=True)
    if isinstance(upstream, str):
        return []
    return [_proxy(scale, upstream, connections) for connections in (scale.web_connections, 1)]


def wsgi(scale: Scale) -> list[Case]:
    """A text from a WSGI application."""
    wanted: dict[str, Command | str] = {
        "proto": web_server("--wsgi", APPLICATION, "--wsgi-threads", str(THREADS)),
        "gunicorn gthread": _gunicorn(),
        "granian WSGI": webservers.granian("wsgi"),
        "twisted-web --wsgi": webservers.twisted_web("--wsgi", APPLICATION.replace(":", ".")),
    }
    load = Requests("/hello", 14, scale.web_connections)
    contestants, left_out = _contestants(wanted, load)
    return [
        Case(
            f"wsgi: 14 bytes from an application, connections: {scale.web_connections}",
            "requests a second",
            contestants,
            remarks=[f"files and logs on: {disk.described(scale.folder)}", *left_out],
            beside=("gunicorn gthread", "twisted-web --wsgi"),
        )
    ]


def api(scale: Scale) -> list[Case]:
    """Tasks in SQLite, each change on the disk before it is answered."""
    wanted: dict[str, Command | str] = {
        "proto": web_server("--api", "--api-db", "tasks"),
        "uvicorn+FastAPI": webservers.missing("fastapi", "uvicorn", "uvloop", "httptools")
        or peer("api_fastapi", "--database", "tasks.db"),
    }
    remarks = [
        f"files on: {disk.described(scale.folder)}",
        "FastAPI's answers are simpler: they have no links and no cursors",
    ]
    loads: dict[str, Load] = {
        f"a list of 20 of {TASKS} tasks": Filled(
            Requests("/api/v1/tasks?limit=20", None, scale.web_connections), TASKS
        ),
        "a task is made": Requests("/api/v1/tasks", None, scale.web_connections, posted=TASK),
    }
    cases = []
    for told, load in loads.items():
        contestants, left_out = _contestants(wanted, load)
        cases.append(
            Case(
                f"api: {told}, connections: {scale.web_connections}",
                "requests a second",
                contestants,
                remarks=[*remarks, *left_out],
                beside=("uvicorn+FastAPI",),
            )
        )
    return cases


@dataclass(slots=True)
class Filled:
    """Requests to a server that has been given so many tasks before, once."""

    requests: Requests
    tasks: int
    _full: set[int] = field(default_factory=set)

    def __call__(self, target: Target, seconds: float) -> Sample:
        if target.port in self._full:
            return self.requests(target, seconds)
        self._fill(target.port)
        self._full.add(target.port)
        sample = self.requests(target, seconds)
        return replace(sample, before=sample.before + self.tasks)

    def _fill(self, port: int) -> None:
        server = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        with closing(server):
            for _ in range(self.tasks):
                server.request("POST", "/api/v1/tasks", TASK, {"Content-Type": "application/json"})
                answer = server.getresponse()
                answer.read()
                if answer.status != 201:
                    raise LoadFailed(f"a task was answered with {answer.status}")


def _proxy(scale: Scale, upstream: Command, connections: int) -> Case:
    beneath = Beneath(upstream, prepared(SIZE))
    wanted: dict[str, Command | str] = {
        "proto": lambda folder, port: web_server("--proxy", f"/=http://127.0.0.1:{beneath.port}")(
            folder, port
        ),
        "nginx": proxies.nginx(beneath),
        "haproxy": proxies.haproxy(beneath),
        "twisted.web ReverseProxy": proxies.twisted_web(beneath),
    }
    load = Requests("/files/file.txt", SIZE, connections)
    contestants, left_out = _contestants(wanted, load)
    return Case(
        f"proxy: a file of 1 KiB that nginx serves, connections: {connections}",
        "requests a second",
        contestants,
        remarks=[
            f"files and logs on: {disk.described(scale.folder)}",
            "the server beneath is nginx with open_file_cache, on the load's core",
            *left_out,
        ],
        beside=("nginx", "twisted.web ReverseProxy"),
        beneath=beneath,
    )


def _contestants(
    wanted: Mapping[str, Command | str], load: Load
) -> tuple[list[Contestant], list[str]]:
    """Those who can take part, and who is left out for what reason."""
    contestants = [
        Contestant(name, command, load, prepared(0), verify if name in LOGGING else _unverified)
        for name, command in wanted.items()
        if not isinstance(command, str)
    ]
    return contestants, [
        f"{name} left out: {why}" for name, why in wanted.items() if isinstance(why, str)
    ]


def _unverified(folder: Path, amount: float) -> str:
    """It has no access log of its own."""
    return ""


def _gunicorn() -> Command | str:
    """One worker with threads; or why there is none."""
    if why := webservers.missing("gunicorn"):
        return why
    words = [sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--workers", "1"]
    words += ["--threads", str(THREADS), "--keep-alive", "60", "--no-control-socket"]
    words += ["--access-logfile", "access.log"]
    return lambda folder, port: [*words, "--bind", f"127.0.0.1:{port}", APPLICATION]
