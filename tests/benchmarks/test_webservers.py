"""Every web server that takes part starts, and says what the load will ask it for."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from benchmarks import processes, webservers
from benchmarks.commands import proto
from benchmarks.servers import Command, Server
from benchmarks.webservers import ACCESS_LOG, FILES, PUBLIC
from tests.system.programs import DEADLINE, program

CONTENT = bytes(range(256)) * 20
RESOURCE = "benchmarks.peers.web_twisted.Root"
SERVERS: dict[str, tuple[Command | str, str]] = {
    "ours, files": (proto("web", "--path", PUBLIC, "--logfile", ACCESS_LOG), "file"),
    "ours, handlers": (proto("web", "--class", "benchmarks.peers.web_proto.Root"), "hello json"),
    "ours, resource": (proto("web", "--class", RESOURCE), "hello json"),
    "nginx": (webservers.nginx(), "hello file"),
    "nginx, cache": (webservers.nginx(open_file_cache=True), "hello file"),
    "twisted-web, resource": (webservers.twisted_web("--class", RESOURCE), "hello json"),
    "twisted-web, files": (webservers.twisted_web("--path", PUBLIC), "file"),
    "http.server": (webservers.http_server(), "file"),
    "aiohttp": (webservers.aiohttp(uvloop=False), "hello json file"),
    "aiohttp, uvloop": (webservers.aiohttp(uvloop=True), "hello json file"),
    "starlette": (webservers.starlette(), "hello json file"),
    "granian wsgi": (webservers.granian("wsgi"), "hello json file"),
    "granian asgi": (webservers.granian("asgi"), "hello json file"),
}
"""How each starts, and what it serves."""


def started(name: str, folder: Path) -> Server:
    if name.startswith("nginx"):
        program("nginx", "nginx")
    command, _ = SERVERS[name]
    assert not isinstance(command, str), command
    (folder / FILES).mkdir(parents=True)
    (folder / FILES / "file.txt").write_bytes(CONTENT)
    return Server(command, folder)


def get(server: Server, path: str) -> tuple[str, bytes]:
    """The media type and the body of what is there."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=DEADLINE) as got:
        assert got.status == 200
        return got.headers.get_content_type(), got.read()


@pytest.mark.parametrize("name", SERVERS)
def test_each_server_serves_what_it_is_asked_for(tmp_path: Path, name: str) -> None:
    with started(name, tmp_path) as server:
        server.wait_until_it_listens()
        serves = SERVERS[name][1].split()
        if "hello" in serves:
            assert get(server, "/hello") == ("text/plain", b"Hello, world!\n")
        if "json" in serves:
            kind, body = get(server, "/json")
            assert kind == "application/json"
            assert json.loads(body) == {"message": "Hello, world!", "path": "/json"}
        if "file" in serves:
            assert get(server, "/files/file.txt") == ("text/plain", CONTENT)


@pytest.mark.parametrize("name", ["ours, files", "nginx", "nginx, cache", "twisted-web, files"])
def test_its_access_log_has_a_line_for_each_request(tmp_path: Path, name: str) -> None:
    with started(name, tmp_path) as server:
        server.wait_until_it_listens()
        for _ in range(3):
            get(server, "/files/file.txt")
    lines = (tmp_path / ACCESS_LOG).read_text().splitlines()
    assert len(lines) == 3
    assert all('"GET /files/file.txt HTTP/1.1" 200 ' in line for line in lines)


def test_nginx_works_in_one_process_and_keeps_everything_in_its_folder(tmp_path: Path) -> None:
    with started("nginx", tmp_path) as server:
        server.wait_until_it_listens()
        assert list(processes.descendants(server.pid)) == []
        assert (tmp_path / "nginx.pid").read_text() == f"{server.pid}\n"
        assert {"access.log", "error.log", "body", "proxy"} <= {
            path.name for path in tmp_path.iterdir()
        }
    assert (tmp_path / "error.log").read_text() == ""
    assert (tmp_path / "server.log").read_text() == ""


def test_the_worker_of_granian_is_measured_and_ends_with_it(tmp_path: Path) -> None:
    with started("granian wsgi", tmp_path) as server:
        server.wait_until_it_listens()
        get(server, "/hello")  # it listens before there is a worker
        workers = list(processes.descendants(server.pid))
        assert len(workers) == 1
        before = processes.worked(server.pid)
        for _ in range(50):
            get(server, "/hello")
        assert processes.worked(server.pid) > before
    assert not Path(f"/proc/{workers[0]}").exists()


def test_who_is_not_installed_is_left_out_with_the_reason() -> None:
    assert webservers.missing("json", "no_such_module") == (
        "no_such_module not installed (pip install .[bench])"
    )
    assert webservers.missing("json", "re") == ""
