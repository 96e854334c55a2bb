"""The chat on the web, of a real twistd: WebSockets, curl and terminals in one room."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.system.programs import DEADLINE, Program, Twistd, dial, program, read_until, run

API = "api/v1/chat"


def serving(folder: Path, **options: Any) -> Twistd:
    """The chat and the web, with nothing in people's way but these options of the chat."""
    settings = {"port": "0", "flood-rate": 0, "max-per-minute": 0, **options}
    chat = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    (folder / "x.toml").write_text(f'[chat]\n{chat}[web]\nport = "0"\n')
    return Twistd("proto", "--config", "x.toml", cwd=folder)


@contextmanager
def come(server: Twistd, *, origin: Any = None, **hello: Any) -> Iterator[ClientConnection]:
    """Somebody with a WebSocket, who said hello."""
    url = f"ws://127.0.0.1:{server.port('web')}/{API}/socket"
    with connect(
        url, open_timeout=DEADLINE, close_timeout=DEADLINE, proxy=None, origin=origin
    ) as client:
        client.send(json.dumps({"type": "hello", **hello}))
        yield client


def until(client: ClientConnection, kind: str, **fields: Any) -> list[Any]:
    """What comes, up to and with a message of that type and those fields."""
    news: list[Any] = []
    while not news or news[-1]["type"] != kind or not fields.items() <= news[-1].items():
        news.append(json.loads(client.recv(DEADLINE)))
    return news


def curl(server: Twistd, path: str, *options: str, cwd: Path) -> Any:
    """The JSON that curl gets."""
    url = f"http://127.0.0.1:{server.port('web')}/{API}/{path}"
    done = run(program("curl", "curl"), "-sSf", *options, url, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def post(server: Twistd, path: str, value: object, *options: str, cwd: Path) -> Any:
    body = ("-H", "Content-Type: application/json", "-d", json.dumps(value))
    return curl(server, path, *body, *options, cwd=cwd)


def test_browsers_terminals_and_curl_are_in_one_room_and_read_one_order(tmp_path: Path) -> None:
    with ExitStack() as all_of_them:
        enter = all_of_them.enter_context
        server = enter(serving(tmp_path))
        ann, bob = enter(come(server, name="ann")), enter(come(server, name="bob"))
        until(bob, "entered")
        until(ann, "joined", name="bob")
        terminal = enter(dial(server.port("chat")))
        read_until(terminal, b"Also here: ann, bob.\r\n")
        events = f"http://127.0.0.1:{server.port('web')}/{API}/rooms/lobby/events?after=0"
        stream = enter(Program(program("curl", "curl"), "-sN", events, cwd=tmp_path))
        token = post(server, "sessions", {"name": "bot"}, cwd=tmp_path)["token"]
        for number in range(5):
            for client in (ann, bob):
                client.send(json.dumps({"type": "line", "text": f"a {number}"}))
            terminal.sendall(b"b %d\n" % number)
            said = post(
                server,
                "rooms/lobby/lines",
                {"text": f"c {number}"},
                *("-H", f"Authorization: Bearer {token}"),
                cwd=tmp_path,
            )
            assert said["sender"] == "bot"
        terminal.sendall(b"the last\n")
        heard = [
            [(each["sender"], each["text"]) for each in news if each["type"] == "line"]
            for news in (until(client, "line", text="the last") for client in (ann, bob))
        ]
        assert len(heard[0]) == 21
        assert heard[1] == heard[0]
        text = read_until(terminal, b"says the last\r\n").decode()
        assert re.findall(r"^(\S+) says (.*)\r$", text, re.M) == heard[0]
        stream.wait_for('"the last"')
        lines = [json.loads(each) for each in re.findall("^data: (.*)$", stream.output, re.M)]
        assert [(each["sender"], each["text"]) for each in lines] == heard[0]
        kept = curl(server, "rooms/lobby/lines", cwd=tmp_path)["lines"]
        assert kept == lines
        assert [each["sequence"] for each in kept] == list(range(1, 22))


def test_sigterm_closes_with_1001_and_the_next_process_knows_who_comes_back(tmp_path: Path) -> None:
    with serving(tmp_path) as server, come(server, name="bob", room="tea") as bob:
        token = until(bob, "welcome")[-1]["token"]
        bob.send(json.dumps({"type": "line", "text": "one"}))
        until(bob, "line")
        events = f"http://127.0.0.1:{server.port('web')}/{API}/rooms/tea/events"
        with Program(program("curl", "curl"), "-sN", events, cwd=tmp_path) as stream:
            stream.wait_for("entered")
            server.process.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as caught:
                bob.recv(DEADLINE)
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1001
            assert stream.end() == 0
        assert server.end() == 0
        assert "cut off" not in server.output
        assert "Unhandled" not in server.output
    with serving(tmp_path) as server:
        bot = post(server, "sessions", {"name": "bot"}, cwd=tmp_path)["token"]
        header = ("-H", f"Authorization: Bearer {bot}")
        post(server, "rooms/TEA/lines", {"text": "two"}, *header, cwd=tmp_path)
        with come(server, token=token, after=1) as bob:
            welcome, entered = until(bob, "entered")
            assert (welcome["name"], welcome["token"]) == ("bob", token)
            assert (entered["room"], entered["resumed"]) == ("tea", True)
            assert [each["text"] for each in entered["lines"]] == ["two"]
        assert server.end(signal.SIGTERM) == 0


def status(server: Twistd, **options: Any) -> int:
    """With what a handshake is refused."""
    with pytest.raises(InvalidStatus) as caught, come(server, **options):
        pass
    return caught.value.response.status_code


def test_pages_of_others_get_403_and_too_many_connections_429(tmp_path: Path) -> None:
    limits = {"max-per-address": 3, "origin": ["https://friend.example"]}
    with serving(tmp_path, **limits) as server:
        assert status(server, origin="https://evil.example") == 403
        own = f"http://127.0.0.1:{server.port('web')}"
        with (
            come(server, origin=own) as bob,
            come(server, origin="https://friend.example") as ann,
            dial(server.port("chat")) as terminal,
        ):
            read_until(terminal, b"in lobby.")
            assert status(server) == 429
            until(ann, "entered")
            until(bob, "entered")
