"""The sender against the real service, over restarts of it and a disk that takes no more."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.system.identity import write_identity
from tests.system.logserver import LogServer
from tests.system.programs import DEADLINE, Program, free_port

LINES = [f"line {number} {'x' * (number % 97)}" for number in range(60_000)]


def sender(folder: Path, source: str, way: str, port: int, *more: str) -> Program:
    return Program(
        *(sys.executable, "-m", "proto.logfile.send", source, f"--{way}"),
        *("--to", f"127.0.0.1:{port}", *more),
        cwd=folder,
        deadline=DEADLINE,
    )


def write(folder: Path, lines: Sequence[str]) -> str:
    (folder / "log").mkdir()
    (folder / "in.log").write_text("".join(f"{line}\n" for line in lines))
    return str(folder / "in.log")


def stored(folder: Path) -> list[str]:
    return (folder / "log" / "log.txt").read_text().splitlines()


@pytest.mark.parametrize("way", ["relp", "http"])
def test_a_file_is_on_the_disk_when_the_sender_ends(way: str, tmp_path: Path) -> None:
    source = write(tmp_path, LINES)
    with LogServer(tmp_path) as server:
        with sender(tmp_path, source, way, server.port(way)) as program:
            assert program.end() == 0
            assert program.output == ""
        assert server.end(signal.SIGKILL) == -signal.SIGKILL
    assert stored(tmp_path) == LINES


@pytest.mark.parametrize("way", ["relp", "http"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_service_that_restarts_gets_the_rest_and_no_line_is_missing(
    way: str, number: signal.Signals, tmp_path: Path
) -> None:
    """The source stays open until the end, so that each turn of the service has a share of it."""
    (tmp_path / "log").mkdir()
    port = free_port()
    options = {way: [str(port)], **({} if way == "http" else {"http": ["0"]})}
    with sender(tmp_path, "-", way, port) as program:
        for turn in range(3):
            with LogServer(tmp_path, options) as server:
                program.type("".join(f"{line}\n" for line in LINES[turn * 5000 :][:5000]))
                server.until(lambda shown: shown["lines_durable"] >= 1000)
                code = server.end(number)
                assert code == (0 if number == signal.SIGTERM else -number)
        with LogServer(tmp_path, options) as server:
            server.until(lambda shown: True)  # before that a signal would simply end it
            assert program.process.stdin is not None
            program.process.stdin.close()
            assert program.end() == 0
            assert server.end(signal.SIGTERM) == 0
            assert "Traceback" not in server.output
    assert list(dict.fromkeys(stored(tmp_path))) == LINES[:15_000]


def test_tls_is_spoken_when_asked_for_and_the_certificate_names_the_sender(tmp_path: Path) -> None:
    source = write(tmp_path, LINES[:100])
    cert, key = write_identity(tmp_path, "alice")
    options = {
        "relp": ["tls:0"],
        "tls": f"{cert},{key}",
        "client-ca": str(cert),
        "format": "json",
    }
    with LogServer(tmp_path, options) as server:
        port = server.port("relp", "tls")
        with sender(
            tmp_path, source, "relp", port, "--ca", cert, "--cert", cert, "--key", key
        ) as it:
            assert it.end() == 0
            assert it.output == ""
        with sender(tmp_path, source, "relp", port, "--tls") as stranger:
            assert stranger.end() == 1
            assert "self-signed certificate; 0 lines are acknowledged" in stranger.output
        assert server.end(signal.SIGTERM) == 0
    told = [json.loads(line) for line in stored(tmp_path)]
    assert [each["line"] for each in told] == LINES[:100]
    assert {each["subject"] for each in told} == {"alice"}


def test_lines_over_relp_bear_their_sender_in_json(tmp_path: Path) -> None:
    source = write(tmp_path, ["one", "two"])
    with LogServer(tmp_path, {"format": "json"}) as server:
        with sender(tmp_path, source, "relp", server.port("relp")) as program:
            assert program.end() == 0
        assert server.end(signal.SIGTERM) == 0
    told = [json.loads(line) for line in stored(tmp_path)]
    assert [each["line"] for each in told] == ["one", "two"]
    assert all(each["peer"].startswith("127.0.0.1:") for each in told)
