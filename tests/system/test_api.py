"""`--api` on a real twistd: schemathesis, writers beside one another, curl, tokens, workers."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.certificate import write_pair
from tests.system.programs import DEADLINE, Program, Twistd, environment, program, run
from tests.system.test_web_gate import make_line

TASKS: Final = "/api/v1/tasks"
APP: Final = "https://app.example"
WRITERS: Final = 1000
RIVALS: Final = 40
"""Who all change the same task by what they have read of it."""
SCHEMATHESIS: Final = """
[checks.positive_data_acceptance]
# What is right in itself may be meant for another version: If-Match is made up, too.
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "412", "429"]
[checks.missing_required_header]
expected-statuses = [428]
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Twistd]:
    """A server with the API, which knows the pages of one other origin."""
    with Twistd("web", "-p", "0", "--api", "--api-origin", APP, cwd=tmp_path) as server:
        yield server


def curl(folder: Path, *options: str) -> tuple[str, str]:
    """The head of the answer and its body, as curl prints them."""
    done = run(program("curl", "curl"), "-sS", "-i", "-m", "30", *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    head, _, body = done.stdout.decode().partition("\r\n\r\n")
    return head.lower(), body


async def ask(
    port: int, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, dict[str, str], Any]:
    """One request over a connection of its own: the status, the fields, and what the JSON says."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    raw = b"" if body is None else json.dumps(body).encode()
    lines = {"Host": "x", "Connection": "close", "Content-Type": "application/json"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        lines["Content-Length"] = str(len(raw))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + raw)
    answer = await asyncio.wait_for(reader.read(), DEADLINE * 2)
    writer.close()
    told, _, data = answer.partition(b"\r\n\r\n")
    first, *rest = told.decode().split("\r\n")
    fields = dict(line.split(": ", 1) for line in rest)
    return int(first.split(" ")[1]), fields, json.loads(data) if data else None


def test_schemathesis_finds_nothing(tmp_path: Path, server: Twistd) -> None:
    port = server.port("web")
    (tmp_path / "schemathesis.toml").write_text(SCHEMATHESIS)
    tester = str(Path(sys.executable).with_name("schemathesis"))
    assert shutil.which(tester), "schemathesis is not installed: pip install schemathesis"
    address = f"http://127.0.0.1:{port}/api/openapi.json"
    options = ["--checks", "all", "-n", "6", "--seed", "7", "--no-color"]
    command = [tester, "run", address, *options, "--request-timeout", str(DEADLINE)]
    with Program(*command, cwd=tmp_path, env=environment(COLUMNS="200")) as tests:
        tests.deadline = DEADLINE * 6
        tests.wait_for(r"^Seed: ")
        code = tests.end()
    assert code == 0, tests.output
    assert "14 selected / 14 total" in tests.output
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in tests.output
    assert "Traceback" not in server.output


def test_a_thousand_writers_lose_no_update_and_block_no_reader(server: Twistd) -> None:
    port = server.port("web")

    async def all_at_once() -> None:
        _, fields, made = await ask(port, "POST", TASKS, {"title": "shared"})
        place = fields["Location"]
        reading = [ask(port, "GET", place) for _ in range(20)]
        writing = [
            ask(port, "PATCH", place, {"description": f"by {number}"}) for number in range(WRITERS)
        ]
        told = await asyncio.gather(*writing, *reading)
        written, read = told[:WRITERS], told[WRITERS:]
        assert {status for status, _, _ in told} == {200}
        versions = sorted(task["version"] for _, _, task in written)
        assert versions == list(range(2, WRITERS + 2))
        last = max((task for _, _, task in written), key=lambda task: task["version"])
        assert (await ask(port, "GET", place))[2] == last
        assert all(task["id"] == made["id"] for _, _, task in read)

    asyncio.run(all_at_once())


def test_rivals_who_tell_the_version_that_they_have_read_lose_nothing(server: Twistd) -> None:
    port = server.port("web")
    conflicts = 0

    async def rival(place: str, number: int) -> None:
        nonlocal conflicts
        while True:
            _, fields, task = await ask(port, "GET", place)
            told = f"{task['description']}{number} "
            whole = {"title": "shared", "description": told}
            status, _, _ = await ask(port, "PUT", place, whole, If_Match=fields["ETag"])
            if status == 200:
                return
            assert status == 412
            conflicts += 1

    async def all_at_once() -> None:
        _, fields, _ = await ask(port, "POST", TASKS, {"title": "shared"})
        place = fields["Location"]
        await asyncio.gather(*(rival(place, number) for number in range(RIVALS)))
        _, _, task = await ask(port, "GET", place)
        assert sorted(map(int, task["description"].split())) == list(range(RIVALS))
        assert task["version"] == RIVALS + 1

    asyncio.run(all_at_once())
    assert conflicts > 0


def test_a_page_of_another_origin_asks_first_and_is_told(tmp_path: Path, server: Twistd) -> None:
    url = f"http://127.0.0.1:{server.port('web')}{TASKS}"
    asks = ("-X", "OPTIONS", "-H", "Access-Control-Request-Method: POST")
    head, _ = curl(tmp_path, *asks, "-H", f"Origin: {APP}", url)
    assert head.startswith("http/1.1 204")
    assert f"access-control-allow-origin: {APP}" in head
    assert "access-control-allow-methods: get, head, post, options" in head
    assert "vary: origin" in head
    head, _ = curl(tmp_path, *asks, "-H", "Origin: https://evil.example", url)
    assert "access-control" not in head
    post = ("--json", '{"title": "from a page"}', url)
    head, _ = curl(tmp_path, "-H", f"Origin: {APP}", *post)
    assert head.startswith("http/1.1 201")
    assert "access-control-expose-headers: etag, location" in head
    head, body = curl(tmp_path, "-H", "Origin: https://evil.example", *post)
    assert head.startswith("http/1.1 403")
    assert json.loads(body)["code"] == "other_origin"


def test_a_body_that_is_too_long_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    write_pair(tmp_path / "tls")
    (tmp_path / "big").write_text(json.dumps({"title": "x" * 1_000_000}))
    with Twistd("web", "-p", "0", "--tls", "tls", "--api", cwd=tmp_path) as server:
        url = f"https://127.0.0.1:{server.port('web', 'tls')}"
        for version in ("--http1.1", "--http2"):
            sent = ("-k", version, "--json", "@big", "-H", "Expect:", url + TASKS)
            head, body = curl(tmp_path, *sent)
            assert " 413" in head.splitlines()[0]
            assert json.loads(body)["code"] == "too_large"
            head, body = curl(tmp_path, "-k", version, "--json", '{"title": "a"}', url + TASKS)
            assert " 201" in head.splitlines()[0]
            place = url + json.loads(body)["links"]["self"]
            head, _ = curl(tmp_path, "-k", version, "-X", "DELETE", "-H", 'If-Match: "1"', place)
            assert " 204" in head.splitlines()[0]


def test_only_who_has_a_token_is_let_in_and_sighup_reads_them_again(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(make_line(tmp_path, "bot", "s3cret"))
    with Twistd("web", "-p", "0", "--api", "--api-tokens", "tokens", cwd=tmp_path) as server:
        url = f"http://127.0.0.1:{server.port('web')}"

        def status(token: str, path: str = TASKS) -> str:
            head, _ = curl(tmp_path, "-H", f"Authorization: Bearer {token}", url + path)
            return head.split(" ")[1]

        assert [status("bot.s3cret"), status("bot.wrong"), status("eve.s3cret")] == [
            "200",
            "401",
            "401",
        ]
        assert status("", "/api/") == status("", "/api/openapi.json") == "200"
        tokens.write_text(make_line(tmp_path, "eve", "new"))
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("received SIGHUP, reloading")
        assert [status("bot.s3cret"), status("eve.new")] == ["401", "200"]
        tokens.write_text("nonsense")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("the passwords stay as they were: --api-tokens: .*, line 1: not NAME:HASH")
        assert status("eve.new") == "200"


def test_workers_share_one_database(tmp_path: Path) -> None:
    with Twistd("web", "-p", "0", "--workers", "2", "--api", cwd=tmp_path) as server:
        for number in (1, 2):
            server.wait_for(rf"worker {number}#info\] ready, as process")
        port = server.port("web")

        async def all_at_once() -> None:
            made = await asyncio.gather(
                *(ask(port, "POST", TASKS, {"title": f"task {number}"}) for number in range(100))
            )
            assert {status for status, _, _ in made} == {201}
            assert len({task["id"] for _, _, task in made}) == 100
            # Whichever worker is asked, it knows what another one has answered.
            places = [fields["Location"] for _, fields, _ in made]
            read = await asyncio.gather(*(ask(port, "GET", place) for place in places))
            assert [task["title"] for _, _, task in read] == [f"task {n}" for n in range(100)]
            change = [ask(port, "PATCH", places[0], {"completed": True}) for _ in range(50)]
            changed = await asyncio.gather(*change)
            versions = sorted(task["version"] for _, _, task in changed)
            assert versions == list(range(2, 52))

        asyncio.run(all_at_once())
        assert server.end(signal.SIGTERM) == 0
    with Twistd("web", "-p", "0", "--api", cwd=tmp_path) as server:
        port = server.port("web")
        assert asyncio.run(ask(port, "GET", TASKS))[2]["total"] == 100
        assert server.end(signal.SIGTERM) == 0
