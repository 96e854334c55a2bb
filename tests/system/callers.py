"""People who come to the chat through different front doors, each with a program that exists.

Knows the classic session only: the welcome, who one is, and `NAME says TEXT`.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from tests.system.programs import Program, Twistd, program


class Caller(Program):
    """Somebody at a client program, who reads and writes lines."""

    def name(self) -> str:
        """What the chat calls this caller, once it has let them in."""
        return self.wait_for(r"^You are (\S+), in lobby\b")[1]

    def says(self, line: str) -> None:
        """Type that line."""
        self.type(f"{line}\n")

    def reads(self, line: str) -> None:
        """Wait for exactly that line."""
        self.wait_for(rf"^{re.escape(line)}\r?$")

    def heard(self) -> list[str]:
        """Everything that anybody said so far, in the order in which it came."""
        return re.findall(r"^(\S+ says .*?)\r?$", self.output, re.M)


class Chat(Twistd):
    """A real chat that keeps nothing, and the callers in it; all end with the `with` block."""

    def __init__(self, *options: str, cwd: Path, prefix: tuple[str, ...] = ()) -> None:
        arguments = ("chat", "--state", "memory", "--max-per-minute", "0", *options)
        super().__init__(*arguments, cwd=cwd, prefix=prefix)
        self.callers = ExitStack()

    def enter(self, caller: Caller) -> Caller:
        """That caller, when the chat has let them in: so the next one comes after them."""
        self.callers.enter_context(caller)
        caller.name()
        return caller

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self.callers:
            super().__exit__(kind, value, traceback)


def openssl(port: int, trusted: Path, cwd: Path, source: str = "127.0.0.1") -> Caller:
    """A TLS client that ends unless the server shows a certificate out of that file."""
    command = (program("openssl", "openssl"), "s_client", "-quiet", "-verify_return_error")
    places = ("-bind", f"{source}:0", "-connect", f"127.0.0.1:{port}")
    return Caller(*command, "-CAfile", str(trusted), *places, cwd=cwd)


def socat(address: str, cwd: Path) -> Caller:
    """A client at that socat address: `UNIX-CONNECT:chat.sock`, `TCP:127.0.0.1:80,bind=...`."""
    return Caller(program("socat", "socat"), "-", address, cwd=cwd)


def netcat(host: str, port: int, cwd: Path) -> Caller:
    """A client at nc, over IPv6 if the host is such an address."""
    family = "-6" if ":" in host else "-4"
    return Caller(program("nc", "netcat-openbsd"), family, host, str(port), cwd=cwd)


def telnet(host: str, port: int, cwd: Path) -> Caller:
    """A client at telnet."""
    return Caller(program("telnet", "inetutils-telnet"), host, str(port), cwd=cwd)
