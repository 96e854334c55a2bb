"""`--auth` and `--rate-limit` on a real twistd, asked by curl over HTTP/1.1."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.system.programs import Twistd, program, run

REACTORS = [None, "lean"]


def make_line(folder: Path, user: str, password: str) -> str:
    """What the command of the manual prints."""
    command = (sys.executable, "-m", "proto.web.passwords", user)
    done = run(*command, cwd=folder, stdin=f"{password}\n".encode())
    assert done.returncode == 0
    return done.stdout.decode()


def curl(folder: Path, port: int, path: str, *options: str) -> str:
    """The status, and what of the body is on its first line."""
    done = run(
        *(program("curl", "curl"), "-sS", "-m", "30", "--path-as-is"),
        *("-w", "%{stderr}%{http_code}", *options, f"http://127.0.0.1:{port}{path}"),
        cwd=folder,
    )
    return f"{done.stderr.decode()} {done.stdout.decode().partition(chr(10))[0]}".strip()


@pytest.mark.parametrize("reactor", REACTORS)
def test_a_folder_is_locked_until_its_password_is_told(tmp_path: Path, reactor: str | None) -> None:
    (tmp_path / "site" / "private").mkdir(parents=True)
    (tmp_path / "site" / "private" / "plan.txt").write_text("the plan\n")
    (tmp_path / "site" / "open.txt").write_text("for all\n")
    users = tmp_path / "users"
    users.write_text(make_line(tmp_path, "ann", "caf\u00e9"))
    command = ["web", "-p", "0", "--path", "site", "--auth", "/private=users"]
    with Twistd(*command, cwd=tmp_path, reactor=reactor) as server:
        port = server.port("web")
        assert curl(tmp_path, port, "/open.txt") == "200 for all"
        plan = "/private/plan.txt"
        assert curl(tmp_path, port, plan).startswith("401")
        assert curl(tmp_path, port, plan, "-u", "ann:cafe").startswith("401")
        assert curl(tmp_path, port, plan, "-u", "ann:caf\u00e9") == "200 the plan"
        for other in ("//private/plan.txt", "/%70rivate/plan.txt", "/open.txt/../private/plan.txt"):
            assert curl(tmp_path, port, other)[:3] in ("400", "401")
        users.write_text(make_line(tmp_path, "ann", "tea"))
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("received SIGHUP, reloading")
        assert curl(tmp_path, port, plan, "-u", "ann:caf\u00e9").startswith("401")
        assert curl(tmp_path, port, plan, "-u", "ann:tea") == "200 the plan"
        users.write_text("nonsense")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for(
            "the passwords stay as they were: --auth /private: .*, line 1: not NAME:HASH"
        )
        assert curl(tmp_path, port, plan, "-u", "ann:tea") == "200 the plan"
        assert server.end(signal.SIGTERM) == 0


def test_who_asks_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    command = ["web", "-p", "0", "--rate-limit", "/hello=2/h"]
    with Twistd(*command, cwd=tmp_path) as server:
        port = server.port("web")
        assert curl(tmp_path, port, "/hello/a").startswith("200")
        assert curl(tmp_path, port, "//hello/b").startswith("404")
        assert curl(tmp_path, port, "/hello/c").startswith("429")
        assert (
            "Retry-After: 1"
            in run(
                *(program("curl", "curl"), "-s", "-i", f"http://127.0.0.1:{port}/hello/d"),
                cwd=tmp_path,
            ).stdout.decode()
        )
        assert curl(tmp_path, port, "/health/live").startswith("200")
        told = run(
            *(program("curl", "curl"), "-s", f"http://127.0.0.1:{port}/metrics"), cwd=tmp_path
        ).stdout.decode()
        assert 'proto_web_requests_too_fast_total{path="/hello"} 2.0' in told


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("/private=nowhere", "--auth /private: nowhere cannot be read"),
        ("/private=plain", "--auth /private: plain, line 1: the hash of 'ann' is not argon2id"),
    ],
)
def test_a_file_that_cannot_be_used_ends_the_start_in_one_line(
    tmp_path: Path, option: str, why: str
) -> None:
    (tmp_path / "plain").write_text("ann:secret\n")
    with Twistd("web", "-p", "0", "--auth", option, cwd=tmp_path) as server:
        assert server.end() == 1
        assert server.output.startswith(f"twistd web: {why}")
        assert server.output.count("\n") == 1
