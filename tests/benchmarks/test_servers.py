from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from benchmarks.commands import PEERS
from benchmarks.servers import Server, ServerFailed

ECHO = [sys.executable, str(PEERS / "echo_asyncio.py")]


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_server_is_ended_when_ctrl_c_comes(tmp_path: Path) -> None:
    server = Server(lambda folder, port: [*ECHO, "--port", str(port)], tmp_path)
    server.wait_until_it_listens()
    assert is_there(server.pid)
    with pytest.raises(KeyboardInterrupt), server:
        raise KeyboardInterrupt
    assert not is_there(server.pid)


def test_a_server_tells_what_it_takes(tmp_path: Path) -> None:
    with Server(lambda folder, port: [*ECHO, "--port", str(port)], tmp_path) as server:
        server.wait_until_it_listens()
        server.wait_until_it_is_idle()
        assert server.memory() > 1 << 20
        assert server.worked() > 0


def test_a_server_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    wrong = [sys.executable, "-c", "raise SystemExit('no such thing')"]
    with (
        Server(lambda folder, port: wrong, tmp_path) as server,
        pytest.raises(ServerFailed, match="ended with 1\n    no such thing"),
    ):
        server.wait_until_it_listens()
