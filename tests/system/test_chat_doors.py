"""Every front door of the chat, with a client that people use there."""

from __future__ import annotations

import re
import signal
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from tests.certificate import write_pair
from tests.system.callers import Caller, Chat, netcat, openssl, socat, telnet
from tests.system.haproxy import Haproxy, free_port
from tests.system.programs import DEADLINE, Twistd, program, run

V4: Final = "tcp:0:interface=127.0.0.1"
V6: Final = "tcp6:0:interface=\\:\\:1"
TLS: Final = "tls:0:interface=127.0.0.1:certs=certs"
UNIX: Final = "unix:chat.sock:mode=600"


def v4(chat: Twistd) -> int:
    """The port of the door at V4."""
    return int(chat.wait_for(r"chat listens on tcp 127\.0\.0\.1:(\d+)$")[1])


def v6(chat: Twistd) -> int:
    """The port of the door at V6."""
    return int(chat.wait_for(r"chat listens on tcp \[::1\]:(\d+)$")[1])


NUMBERS: Final = count()


def talk(*callers: Caller) -> None:
    """Everybody says a line that nobody said before, and everybody reads it."""
    for speaker in callers:
        line = f"this is line {next(NUMBERS)}"
        speaker.says(line)
        for listener in callers:
            listener.wait_for(rf"^\S+ says {line}\r?$")


# --- TLS -----------------------------------------------------------------------------------


@pytest.fixture
def certs(tmp_path: Path) -> Path:
    """The folder that TLS names, with a certificate."""
    folder = tmp_path / "certs"
    folder.mkdir()
    put(folder, "first.example")
    return folder


def put(folder: Path, name: str) -> Path:
    """Put a new certificate and key there as certbot does; the result is what to trust."""
    new = folder.parent / name
    new.mkdir()
    cert, key = write_pair(new, name)
    trusted = folder.parent / f"{name}.pem"
    trusted.write_bytes(cert.read_bytes())
    for path in (key, cert):
        path.replace(folder / path.name)
    return trusted


def subject(port: int, folder: Path) -> str:
    """The common name that a newcomer at openssl is shown."""
    command = (program("openssl", "openssl"), "s_client", "-connect", f"127.0.0.1:{port}")
    done = run(*command, cwd=folder)
    found = re.search(rb"^subject=CN ?= ?(\S+)$", done.stdout, re.M)
    assert found is not None, done
    return found[1].decode()


def test_a_certificate_is_replaced_while_people_who_came_with_the_old_one_talk_on(
    tmp_path: Path, certs: Path
) -> None:
    first = tmp_path / "first.example.pem"
    with Chat("--port", TLS, "--port", V4, cwd=tmp_path) as chat:
        port = chat.port("chat", "tls")
        ann = chat.enter(openssl(port, first, tmp_path))
        bob = chat.enter(telnet("127.0.0.1", v4(chat), tmp_path))
        assert (ann.name(), bob.name()) == ("127.0.0.1", "guest-1")
        talk(ann, bob)
        second = put(certs, "second.example")
        chat.process.send_signal(signal.SIGHUP)
        chat.wait_for(r"loaded the certificate certs/fullchain\.pem$")
        talk(ann, bob)
        eve = chat.enter(openssl(port, second, tmp_path))
        with openssl(port, first, tmp_path) as wary:
            wary.wait_for(r"certificate verify failed")
            assert wary.end() != 0
        talk(ann, bob, eve)
        assert "second.example" in eve.output
        assert "second.example" not in ann.output


def test_a_replaced_certificate_is_found_without_a_signal(tmp_path: Path, certs: Path) -> None:
    with Chat("--port", TLS, cwd=tmp_path) as chat:
        port = chat.port("chat", "tls")
        assert subject(port, tmp_path) == "first.example"
        put(certs, "second.example")
        end = time.monotonic() + DEADLINE
        while subject(port, tmp_path) != "second.example":
            assert time.monotonic() < end
        assert "SIGHUP" not in chat.output


def test_a_broken_certificate_is_told_once_and_the_old_one_stays(
    tmp_path: Path, certs: Path
) -> None:
    first = tmp_path / "first.example.pem"
    with Chat("--port", TLS, cwd=tmp_path) as chat:
        port = chat.port("chat", "tls")
        ann = chat.enter(openssl(port, first, tmp_path))
        broken = tmp_path / "broken.pem"
        broken.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
        broken.replace(certs / "fullchain.pem")
        for _ in range(2):
            before = len(chat.output)
            chat.process.send_signal(signal.SIGHUP)
            chat.wait_for(r"received SIGHUP, reloading$", after=before)
            bob = chat.enter(openssl(port, first, tmp_path))
            talk(ann, bob)
        put(certs, "second.example")
        chat.process.send_signal(signal.SIGHUP)
        chat.wait_for(r"loaded the certificate certs/fullchain\.pem$")
        assert subject(port, tmp_path) == "second.example"
        talk(ann, bob)
        assert chat.output.count("the old certificate stays in use") == 1
        assert "Traceback" not in chat.output


# --- unix sockets, IPv6 ----------------------------------------------------------------------


def test_a_unix_socket_has_guests_and_its_mode_and_goes_with_the_chat(tmp_path: Path) -> None:
    path = tmp_path / "chat.sock"
    with Chat("--port", UNIX, cwd=tmp_path) as chat:
        chat.wait_for(r"ready: ")
        assert path.stat().st_mode & 0o777 == 0o600
        ann = chat.enter(socat(f"UNIX-CONNECT:{path}", tmp_path))
        bob = chat.enter(socat("UNIX-CONNECT:chat.sock", tmp_path))
        assert (ann.name(), bob.name()) == ("guest-1", "guest-2")
        ann.reads("guest-2 has joined the party.")
        talk(ann, bob)
        bob.says("/EXIT")
        ann.reads("guest-2 has disconnected.")
        assert chat.end(signal.SIGTERM) == 0
        assert ann.end() == 0
    assert not path.exists()


def test_ipv6_and_ipv4_people_are_called_by_their_addresses_and_meet(tmp_path: Path) -> None:
    with Chat("--port", V6, "--port", V4, cwd=tmp_path) as chat:
        ann = chat.enter(netcat("::1", v6(chat), tmp_path))
        bob = chat.enter(netcat("127.0.0.1", v4(chat), tmp_path))
        eve = chat.enter(telnet("::1", v6(chat), tmp_path))
        assert [each.name() for each in (ann, bob, eve)] == ["::1", "127.0.0.1", "guest-1"]
        ann.reads("127.0.0.1 has joined the party.")
        bob.reads("guest-1 has joined the party.")
        ann.says("over IPv6")
        bob.reads("::1 says over IPv6")
        bob.says("over IPv4")
        eve.reads("127.0.0.1 says over IPv4")
        eve.says("/EXIT")
        bob.reads("guest-1 has disconnected.")
        assert eve.end() in (0, 1)


# --- behind a proxy ------------------------------------------------------------------------


@pytest.fixture
def ports() -> Iterator[tuple[int, int]]:
    """Two ports for haproxy: version 1 and version 2."""
    with free_port() as first, free_port() as second:
        yield first, second


def test_behind_haproxy_people_are_called_by_their_own_addresses(
    tmp_path: Path, ports: tuple[int, int]
) -> None:
    with (
        Chat("--port", V4, "--proxy-protocol", "127.0.0.0/8", cwd=tmp_path) as chat,
        Haproxy(chat.port("chat"), *ports, cwd=tmp_path) as haproxy,
    ):
        haproxy.check_again("first")
        ann = chat.enter(socat(f"TCP:127.0.0.1:{ports[0]},bind=127.0.0.2", tmp_path))
        bob = chat.enter(socat(f"TCP:127.0.0.1:{ports[1]},bind=127.0.0.3", tmp_path))
        assert (ann.name(), bob.name()) == ("127.0.0.2", "127.0.0.3")
        ann.reads("127.0.0.3 has joined the party.")
        talk(ann, bob)
        bob.says("/EXIT")
        ann.reads("127.0.0.3 has disconnected.")
        assert bob.end() == 0


def test_the_health_checks_of_haproxy_make_nobody_join(
    tmp_path: Path, ports: tuple[int, int]
) -> None:
    with (
        Chat("--port", V4, "--proxy-protocol", "127.0.0.0/8", cwd=tmp_path) as chat,
        Haproxy(chat.port("chat"), *ports, cwd=tmp_path) as haproxy,
    ):
        haproxy.check_again("first")
        ann = chat.enter(socat(f"TCP:127.0.0.1:{ports[0]},bind=127.0.0.2", tmp_path))
        for proxy in ("first", "second"):
            haproxy.check_again(proxy)
        bob = chat.enter(socat(f"TCP:127.0.0.1:{ports[1]},bind=127.0.0.3", tmp_path))
        talk(ann, bob)
        joined = re.findall(r"^(\S+) has joined the party\.\r?$", ann.output, re.M)
        assert joined == ["127.0.0.3"]
        assert "has disconnected" not in ann.output
        assert "cut off" not in chat.output


def test_tls_goes_through_haproxy_and_people_keep_their_own_addresses(
    tmp_path: Path, certs: Path, ports: tuple[int, int]
) -> None:
    trusted = certs.parent / "first.example.pem"
    with (
        Chat("--port", TLS, "--proxy-protocol", "127.0.0.0/8", cwd=tmp_path) as chat,
        Haproxy(chat.port("chat", "tls"), *ports, cwd=tmp_path) as haproxy,
    ):
        haproxy.ready()
        ann = chat.enter(openssl(ports[0], trusted, tmp_path, "127.0.0.2"))
        bob = chat.enter(openssl(ports[1], trusted, tmp_path, "127.0.0.3"))
        assert (ann.name(), bob.name()) == ("127.0.0.2", "127.0.0.3")
        talk(ann, bob)


def test_a_forged_proxy_header_moves_nobody(tmp_path: Path, ports: tuple[int, int]) -> None:
    forged = b"PROXY TCP4 192.0.2.66 127.0.0.1 4242 80\r\n"
    with (
        Chat("--port", V4, "--proxy-protocol", "127.0.0.1", cwd=tmp_path) as chat,
        Haproxy(chat.port("chat"), *ports, cwd=tmp_path) as haproxy,
    ):
        haproxy.ready()
        ann = chat.enter(socat(f"TCP:127.0.0.1:{ports[0]},bind=127.0.0.2", tmp_path))
        past = f"TCP:127.0.0.1:{v4(chat)},bind=127.0.0.9"
        done = run(program("socat", "socat"), "-", past, cwd=tmp_path, stdin=forged + b"hello\n")
        assert done.stdout == b""
        chat.wait_for(r"chat cut off 127\.0\.0\.9:\d+: only the proxy may connect here$")
        bob = chat.enter(socat(f"TCP:127.0.0.1:{ports[1]},bind=127.0.0.3", tmp_path))
        bob.says(forged.decode().rstrip())
        ann.reads(f"127.0.0.3 says {forged.decode().rstrip()}")
        assert "192.0.2.66 has" not in ann.output
        assert "127.0.0.9" not in ann.output


# --- a socket that somebody else opened -------------------------------------------------------

SYSTEMD: Final = """\
import os, socket, sys
opened = socket.create_server(("127.0.0.1", 0))
print("opened port", opened.getsockname()[1], flush=True)
os.dup2(opened.fileno(), 3)
os.set_inheritable(3, True)
told = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "chat.socket"}
os.execve(sys.argv[1], sys.argv[1:], {**os.environ, **told})
"""
"""A program that does what systemd does for a .socket unit; see sd_listen_fds(3)."""


def test_people_who_call_before_the_chat_has_started_are_served_over_systemds_socket(
    tmp_path: Path,
) -> None:
    prefix = (sys.executable, "-c", SYSTEMD)
    place = "systemd:domain=INET:index=0"
    with Chat("--port", place, cwd=tmp_path, prefix=prefix) as chat:
        port = int(chat.wait_for(r"^opened port (\d+)$")[1])
        ann = chat.enter(netcat("127.0.0.1", port, tmp_path))
        bob = chat.enter(telnet("127.0.0.1", port, tmp_path))
        chat.wait_for(r"chat listens on systemd:domain=INET:index=0$")
        assert (ann.name(), bob.name()) == ("127.0.0.1", "guest-1")
        talk(ann, bob)
        bob.says("/EXIT")
        ann.reads("guest-1 has disconnected.")
        assert chat.end(signal.SIGTERM) == 0


# --- all of them at once ---------------------------------------------------------------------


def test_people_behind_four_kinds_of_doors_read_the_same_lines_in_the_same_order(
    tmp_path: Path, certs: Path
) -> None:
    options = [word for place in (TLS, UNIX, V6, V4) for word in ("--port", place)]
    with Chat(*options, "--flood-rate", "0", cwd=tmp_path) as chat:
        tls = chat.port("chat", "tls")
        people = {
            "ann": chat.enter(openssl(tls, tmp_path / "first.example.pem", tmp_path)),
            "bob": chat.enter(socat("UNIX-CONNECT:chat.sock", tmp_path)),
            "eve": chat.enter(netcat("::1", v6(chat), tmp_path)),
            "tom": chat.enter(telnet("127.0.0.1", v4(chat), tmp_path)),
        }
        for name, person in people.items():
            old = person.name()
            person.says(f"/NAME {name}")
            for listener in people.values():
                listener.reads(f"{old} changed name to {name}")
        for number in range(20):
            for person in people.values():
                person.says(f"line {number}")
        for person in people.values():
            for name in people:
                person.reads(f"{name} says line 19")
        heard = people["ann"].heard()
        assert sorted(heard) == sorted(
            f"{name} says line {number}" for name in people for number in range(20)
        )
        assert all(person.heard() == heard for person in people.values())
