"""Whoever lost the connection to a real chat comes back with the token, and misses nothing."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from tests.system.programs import Twistd
from tests.system.talkers import Json, Telnet


def suite(folder: Path, rate: str = "0") -> Twistd:
    """A chat that is on the web too; `rate` is how many lines a second somebody may say."""
    (folder / "suite.toml").write_text(
        f'[chat]\nport = "0"\nmax-per-minute = 0\nflood-rate = {rate}\n[web]\nport = "0"\n'
    )
    return Twistd("proto", "--config", "suite.toml", cwd=folder)


@contextmanager
def visiting(port: int, *, wire: socket.socket | None = None) -> Iterator[Telnet]:
    """Somebody who is in the lobby, over that wire if there is one."""
    person = Telnet(port)
    if wire is not None:
        person.wire.close()
        person.wire = wire
        wire.connect(("127.0.0.1", port))
    with person.wire:
        person.hears("^You are ")
        yield person


def token_of(person: Telnet) -> str:
    """What they can come back with."""
    person.say("/RESUME")
    return person.hears("come back with").split()[-1]


def test_a_token_is_good_from_the_moment_it_was_given(tmp_path: Path) -> None:
    with suite(tmp_path) as server, Json.visiting(server.port("web")) as ann:
        ann.ask(type="hello", name="ann")
        token = ann.hears("welcome")["token"]
        ann.say("one", "two", "three")
        ann.wait(lambda: len(ann.lines) == 3)
        server.end(signal.SIGKILL)
    with suite(tmp_path) as server, Json.visiting(server.port("web")) as ann:
        ann.ask(type="hello", token=token, after=1)
        entered = ann.hears("entered")
        assert (entered["name"], entered["resumed"]) == ("ann", True)
        assert [line["text"] for line in entered["lines"]] == ["two", "three"]


def test_at_telnet_what_was_missed_can_be_read_to_the_end(tmp_path: Path) -> None:
    texts = [str(number) for number in range(500)]
    with suite(tmp_path) as server, visiting(server.port("chat")) as bob:
        with visiting(server.port("chat")) as ann:
            token = token_of(ann)
            ann.say("/EXIT")
            ann.drain()
        bob.say(*texts)
        bob.wait(lambda: len(bob.lines) == len(texts))
        with visiting(server.port("chat")) as ann:
            ann.say(f"/RESUME {token}")
            advice = ann.hears("^There is more; ")
            assert ann.shown["missed"] + list(all_after(ann, advice)) == texts


def all_after(person: Telnet, advice: str) -> Iterator[str]:
    """Do as one is told, and go on until there is no more."""
    found = re.search(r"/HISTORY 200 (\d+)", advice)
    assert found is not None
    last, more = found[1], True
    while more:
        person.say(f"/HISTORY 200 {last}")
        header = person.hears("^The first ")
        more = header.endswith("there are newer ones:")
        for _ in range(int(header.split()[2])):
            line = person.hears("^#")
            last = line.split()[0].removeprefix("#")
            yield line.partition(" says ")[2]


def test_what_was_sent_and_never_arrived_was_missed(tmp_path: Path) -> None:
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    with suite(tmp_path) as server, visiting(server.port("chat")) as bob:
        port = server.port("chat")
        with visiting(port, wire=narrow) as ann:
            token = token_of(ann)
            # They are handed to the system at once, which cannot pass them on.
            texts = [f"{number} {'x' * 200}" for number in range(150)]
            bob.say(*texts)
            bob.wait(lambda: len(bob.lines) == len(texts))
            with visiting(port) as again:
                again.say(f"/RESUME {token}")
                again.hears("^You missed:")
                again.hears("^Now:")
                missed = again.shown["missed"]
                assert len(missed) > 100
                assert missed == texts[-len(missed) :]


def test_when_the_server_stops_a_browser_is_told_what_was_not_said(tmp_path: Path) -> None:
    with suite(tmp_path, "0.001") as server, Json.visiting(server.port("web")) as ann:
        ann.ask(type="hello", name="ann")
        ann.hears("entered")
        ann.say(*map(str, range(15)))
        ann.wait(lambda: len(ann.lines) == 9)  # the hello was one of the ten
        ann.ask(type="who")  # waits too
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as ended:
            ann.hears("nothing that there is")
        assert ended.value.rcvd is not None
        assert ended.value.rcvd.code == 1001
        (told,) = ann.refusals
        assert re.fullmatch(r"\d of your lines were not said\.", told)
        assert server.end() == 0
