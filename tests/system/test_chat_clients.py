"""The chat as people use it: telnet, netcat, and the programs that came to the wrong port."""

from __future__ import annotations

import re
import socket
from pathlib import Path

from tests.system.programs import (
    Program,
    Twistd,
    dial,
    program,
    read_all,
    read_until,
    run,
)


class Telnet(Program):
    """A person at a real telnet client."""

    def __init__(self, port: int, cwd: Path) -> None:
        telnet = program("telnet", "inetutils-telnet")
        super().__init__(telnet, "127.0.0.1", str(port), cwd=cwd)
        self.wait_for(r"You are .*\n")

    def reads(self, line: str) -> None:
        """Wait for exactly that line."""
        self.wait_for(rf"^{re.escape(line)}\r?$")


def test_three_people_at_telnet(tmp_path: Path) -> None:
    with (
        Twistd("chat", "--port", "0", cwd=tmp_path) as server,
        Telnet(server.port("chat"), tmp_path) as ann,
        Telnet(server.port("chat"), tmp_path) as bob,
        Telnet(server.port("chat"), tmp_path) as eve,
    ):
        ann.wait_for("Send '/NAME \\[new name\\]' to change your name\\.")
        ann.wait_for("Send '/EXIT' to quit\\.")
        ann.reads("guest-1 has joined the party.")
        ann.reads("guest-2 has joined the party.")

        ann.type("/NAME ann\n")
        bob.reads("127.0.0.1 changed name to ann")
        bob.type("/name bob\n")
        eve.reads("guest-1 changed name to bob")
        eve.type("/NAME Bob\n")
        eve.wait_for(r"^! .*\bBob\b.*taken.*$")
        eve.type("/NAME eve\n")
        ann.reads("guest-2 changed name to eve")

        ann.type("hello, everybody\n")
        for person in (ann, bob, eve):
            person.reads("ann says hello, everybody")
        bob.type("/ME waves\n")
        eve.reads("* bob waves")
        ann.reads("* bob waves")
        bob.type("/MSG eve only for you\n")
        eve.wait_for(r"^.*bob.* only for you\r?$")
        eve.type("/JOIN garden\n")
        ann.wait_for(r"^eve .*\r?$", after=ann.output.index("bob waves"))
        eve.type("/WHO\n")
        eve.reads("In garden: eve.")
        eve.type("/LEAVE\n")
        eve.wait_for(r"ann", after=eve.output.index("In garden: eve."))
        bob.type("/EXIT\n")
        ann.reads("bob has disconnected.")
        bob.wait_for("Connection closed by foreign host")
        assert bob.end() in (0, 1)
        assert "only for you" not in ann.output


def test_netcat_gets_its_answer_before_the_end_and_its_last_line_counts(tmp_path: Path) -> None:
    netcat = program("nc", "netcat-openbsd")
    with Twistd("chat", "--port", "0", cwd=tmp_path) as server:
        port = server.port("chat")
        with dial(port) as witness:
            read_until(witness, b"Nobody else is here.\r\n")
            done = run(netcat, "-N", "127.0.0.1", str(port), cwd=tmp_path, stdin=b"/WHO\n")
            assert b"\r\nIn lobby: 127.0.0.1, guest-1.\r\n" in done.stdout
            done = run(netcat, "-N", "127.0.0.1", str(port), cwd=tmp_path, stdin=b"no newline")
            assert b"guest-2 says no newline\r\n" in done.stdout
            assert b"guest-2 says no newline\r\n" in read_until(witness, b"guest-2 has disc")


def test_a_browser_and_a_tls_client_at_the_chat_are_told_in_their_own_protocol(
    tmp_path: Path,
) -> None:
    curl = program("curl", "curl")
    openssl = program("openssl", "openssl")
    with Twistd("chat", "--port", "0", cwd=tmp_path) as server:
        port = server.port("chat")
        done = run(curl, "-si", f"http://127.0.0.1:{port}/", cwd=tmp_path)
        assert done.stdout.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"telnet" in done.stdout
        done = run(openssl, "s_client", "-connect", f"127.0.0.1:{port}", cwd=tmp_path)
        assert b"alert" in done.stderr
        assert done.returncode == 1


def test_a_client_that_never_reads_is_dropped_and_two_others_chat_on_in_bounded_memory(
    tmp_path: Path,
) -> None:
    options = ("--flood-rate", "0", "--stuck-after", "2", "--max-per-minute", "0")
    with Twistd("chat", "--port", "0", *options, cwd=tmp_path) as server:
        port = server.port("chat")
        with dial(port) as frozen, dial(port) as ann, dial(port) as bob:
            frozen.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            read_until(ann, b"You are ")
            read_until(bob, b"You are ")
            ann.sendall(b"/NAME ann\n")
            read_until(bob, b"changed name to ann\r\n")
            before = memory(server)
            ear = Ear(bob)
            while "has disconnected (" not in ear.heard:
                ann.sendall((b"x" * 1000 + b"\n") * 20)
                ear.listen("says xxx", times=20)
                ann.recv(1 << 20)
                assert ear.count < 200_000
            ann.sendall(b"still here\n")
            ear.listen("ann says still here", times=1)
            assert memory(server) - before < 16 * 1024 * 1024


class Ear:
    """Somebody who hears everything; what was heard is counted and forgotten."""

    def __init__(self, connection: socket.socket) -> None:
        self.heard = ""
        self.count = 0
        self._connection = connection

    def listen(self, words: str, times: int) -> None:
        """Read until the words have come so many times more."""
        missing = times
        begun = ""
        while missing > 0:
            *lines, begun = (begun + self._connection.recv(65536).decode()).split("\r\n")
            missing -= sum(words in line for line in lines)
            self.count += len(lines)
            self.heard = (self.heard + "\n".join(lines))[-100_000:]


def memory(server: Program) -> int:
    """Resident bytes of the server."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def test_telnet_in_character_mode_may_correct_its_line(tmp_path: Path) -> None:
    with Twistd("chat", "--port", "0", cwd=tmp_path) as server, dial(server.port("chat")) as person:
        read_until(person, b"Nobody else is here.\r\n")
        person.sendall(b"\xff\xfd\x03\xff\xfb\x1f/NAME bobb\x7f\r\0")
        assert b"changed name to bob\r\n" in read_until(person, b"bob\r\n")
        person.sendall("gr\u00fcsse\u20ac\b\b!\r\n".encode())
        assert "bob says gr\u00fcss!\r\n".encode() in read_until(person, b"!\r\n")
        person.sendall(b"/EXIT\r\n")
        read_all(person)


def test_the_readme_session_with_netcat_in_a_shell(tmp_path: Path) -> None:
    program("nc", "netcat-openbsd")
    with Twistd("chat", "--port", "0", cwd=tmp_path) as server:
        port = server.port("chat")
        pipe = f"printf '/NAME script\\nbackup done\\n/EXIT\\n' | nc localhost {port}"
        done = run("sh", "-c", pipe, cwd=tmp_path)
    assert b"script says backup done\r\n" in done.stdout
