"""The log receiver and the senders that people have: each line arrives, whole and in order."""

from __future__ import annotations

import json
import logging
import logging.handlers
import re
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.certificate import make_certificate, make_key, write_pair
from tests.system.logserver import LogServer
from tests.system.programs import program, run
from tests.system.rsyslog import Rsyslog, append, omfwd, source_of

COUNT = 2000
TEXTS = [f"line {number} {'y' * (number % 50)}." for number in range(COUNT)]


def receiver(folder: Path, **options: object) -> LogServer:
    (folder / "log").mkdir()
    return LogServer(folder, {"ack": False, **options})


def stored(server: LogServer, count: int, *, name: str = "log.txt") -> list[str]:
    """The lines, when so many are there and the receiver has stopped in order."""
    server.keeps(count)
    assert server.end(signal.SIGTERM) == 0
    assert "Traceback" not in server.output
    *lines, last = (server.folder / name).read_text().split("\n")
    assert last == ""
    assert len(lines) == count
    return lines


def objects(lines: Sequence[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    ("framing", "ways"),
    [("line", [""]), ("octet", ["--octet-count"]), ("syslog", ["--octet-count", ""])],
)
def test_logger_over_tcp(framing: str, ways: list[str], tmp_path: Path) -> None:
    with receiver(tmp_path, framing=framing, format="syslog") as server:
        for turn, way in enumerate(ways, 1):
            done = run(
                *(program("logger", "bsdutils"), "-T", "-n", "127.0.0.1", "-t", "test"),
                *("-P", str(server.port("logfile")), "-p", "local3.warning", "--id=77"),
                *([way] if way else []),
                cwd=tmp_path,
                stdin="".join(f"{text}\n" for text in TEXTS).encode(),
            )
            assert (done.returncode, done.stderr) == (0, b"")
            server.keeps(turn * COUNT)
        found = objects(stored(server, COUNT * len(ways)))
    assert [each["msg"] for each in found] == TEXTS * len(ways)
    assert [each["seq"] for each in found] == list(range(1, COUNT * len(ways) + 1))
    fields = ("format", "facility", "severity", "appname", "procid")
    assert {tuple(each[name] for name in fields) for each in found} == {
        ("rfc5424", "local3", "warning", "test", "77")
    }


@pytest.mark.parametrize("form", ["prefixed", "json"])
def test_netcat_is_told_when_its_lines_are_on_the_disk(form: str, tmp_path: Path) -> None:
    with receiver(tmp_path, format=form, ack=True) as server:
        done = run(
            *(program("nc", "netcat-openbsd"), "-N", "127.0.0.1", str(server.port("logfile"))),
            cwd=tmp_path,
            stdin="\r\n".join(TEXTS).encode(),
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.endswith(b"OK %d\n" % COUNT)
        lines = stored(server, COUNT)
    if form == "json":
        found = objects(lines)
        assert [each["line"] for each in found] == TEXTS
        assert [each.get("unfinished") for each in found] == [None] * (COUNT - 1) + [True]
    else:
        bare = [line.split(" ", 4)[-1] for line in lines]
        assert bare == [*TEXTS[:-1], TEXTS[-1] + r"\x20[unfinished]"]


def test_rsyslog_over_tcp_counted_and_not(tmp_path: Path) -> None:
    with receiver(tmp_path, framing="syslog") as server:
        for turn, more in enumerate(("", 'tcp_framing="octet-counted"'), 1):
            folder = tmp_path / str(turn)
            folder.mkdir()
            append(source_of(folder), TEXTS)
            with Rsyslog(folder, omfwd(server.port("logfile"), more=more)) as sender:
                server.keeps(turn * COUNT)
                assert sender.end(signal.SIGTERM) == 0
        assert stored(server, 2 * COUNT) == TEXTS * 2


@pytest.mark.parametrize(("way", "form"), [("-S", "rfc3164"), ("-P", "rfc5424")])
def test_loggen_of_syslog_ng(way: str, form: str, tmp_path: Path) -> None:
    with receiver(tmp_path, framing="syslog", format="syslog") as server:
        done = run(
            *(program("loggen", "syslog-ng-core"), way, "--inet", "--active-connections=4"),
            *("--number=3000", "--rate=1000000", "--size=200"),
            *("127.0.0.1", str(server.port("logfile"))),
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        sent = int(re.findall(rb"count=([0-9]+)", done.stderr + done.stdout)[-1])
        found = objects(stored(server, sent))
    threads: dict[str, list[int]] = {}
    for each in found:
        assert each["format"] == form
        parts = re.search(r"seq: ([0-9]+), thread: ([0-9]+), runid: ", each["msg"])
        assert parts is not None, each["msg"]
        threads.setdefault(parts[2], []).append(int(parts[1]))
    assert len(threads) == 4
    assert sum(map(len, threads.values())) == sent >= 3000
    for numbers in threads.values():
        assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize("framing", ["nul", "syslog"])
def test_the_syslog_of_python_over_tcp(framing: str, tmp_path: Path) -> None:
    # Among senders of all kinds an LF ends a line, also one that is within a message.
    texts = [*TEXTS, "two\nlines" if framing == "nul" else "two lines", "thrée"]
    with receiver(tmp_path, framing=framing, format="syslog") as server:
        address = ("127.0.0.1", server.port("logfile"))
        to_log = logging.handlers.SysLogHandler(address, "local1", socktype=socket.SOCK_STREAM)
        to_log.ident = "app: "
        for text in texts:
            to_log.emit(logging.LogRecord("x", logging.ERROR, "", 0, text, None, None))
        to_log.close()
        found = objects(stored(server, len(texts)))
    told = [each["msg"].removeprefix("app: ") for each in found]
    assert told == [text.replace("\n", r"\x0a") for text in texts]
    assert {(each["facility"], each["severity"]) for each in found} == {("local1", "err")}


def test_each_client_certificate_has_a_file_of_its_own(tmp_path: Path) -> None:
    names = ("ann", "../bob")
    authorities = []
    for number, name in enumerate(names):
        pem = make_key()
        authorities.append(make_certificate(pem, name))
        (tmp_path / f"{number}.pem").write_bytes(pem + authorities[-1])
    (tmp_path / "ca.pem").write_bytes(b"".join(authorities))
    (tmp_path / "stranger.pem").write_bytes((pem := make_key()) + make_certificate(pem, "eve"))
    write_pair(tmp_path)
    with receiver(
        tmp_path,
        **{"port": f"tls:0:certs={tmp_path}", "relp": [], "client-ca": str(tmp_path / "ca.pem")},
        **{"split-by": "cn", "file": str(tmp_path / "log")},
    ) as server:
        client = (program("openssl", "openssl"), "s_client", "-quiet", "-no_ign_eof", "-connect")
        for turn, who in enumerate(("stranger", "0", "1", "0")):
            run(
                *(*client, f"127.0.0.1:{server.port('logfile', 'tls')}"),
                *("-cert", f"{who}.pem", "-key", f"{who}.pem"),
                cwd=tmp_path,
                stdin="".join(f"{who} {text}\n" for text in TEXTS).encode(),
            )
            server.keeps(turn * COUNT)
        stored_by(server, {"ann.log": ["0"] * 2, "=2E.=2Fbob.log": ["1"]})


def stored_by(server: LogServer, expected: dict[str, list[str]]) -> None:
    """Whose lines are in which file; there are no other files."""
    total = COUNT * sum(map(len, expected.values()))
    server.keeps(total)
    assert server.end(signal.SIGTERM) == 0
    assert sorted(path.name for path in server.folder.iterdir()) == sorted(expected)
    for name, turns in expected.items():
        lines = (server.folder / name).read_text().splitlines()
        assert lines == [f"{who} {text}" for who in turns for text in TEXTS]


def test_each_address_has_a_file_of_its_own(tmp_path: Path) -> None:
    with receiver(tmp_path, file=str(tmp_path / "log"), **{"split-by": "peer"}) as server:
        for who in ("127.0.0.1", "127.0.0.2"):
            done = run(
                *(program("nc", "netcat-openbsd"), "-N", "-s", who),
                *("127.0.0.1", str(server.port("logfile"))),
                cwd=tmp_path,
                stdin="".join(f"{who} {text}\n" for text in TEXTS).encode(),
            )
            assert (done.returncode, done.stderr) == (0, b"")
        stored_by(server, {f"{who}.log": [who] for who in ("127.0.0.1", "127.0.0.2")})
