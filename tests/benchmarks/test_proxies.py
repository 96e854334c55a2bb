"""Every proxy that takes part starts, and passes on what the server beneath says."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import proxies
from benchmarks.beneath import Beneath
from benchmarks.machine import Cores
from benchmarks.servers import Command, Server
from benchmarks.webcases import content, prepared
from benchmarks.webservers import http_server
from tests.system.programs import DEADLINE, program

PROXIES: dict[str, Callable[[Beneath], Command | str]] = {
    "nginx": proxies.nginx,
    "haproxy": proxies.haproxy,
    "twisted.web": proxies.twisted_web,
}


@pytest.mark.parametrize("name", PROXIES)
def test_each_proxy_passes_on_what_is_beneath(tmp_path: Path, name: str) -> None:
    if name != "twisted.web":
        program(name, name)
    beneath = Beneath(http_server(), prepared(1000))
    with beneath.running(tmp_path, Cores()):
        command = PROXIES[name](beneath)
        assert not isinstance(command, str), command
        folder = tmp_path / "proxy"
        folder.mkdir()
        with Server(command, folder) as server:
            server.wait_until_it_listens()
            place = f"http://127.0.0.1:{server.port}/files/file.txt"
            with urllib.request.urlopen(place, timeout=DEADLINE) as got:
                assert got.read() == content(1000)
