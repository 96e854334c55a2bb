"""Real HTTP bytes in and out of a site, in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.resource import IResource

from proto.web.handlers import Handlers
from proto.web.site import ProtoSite
from proto.web.tree import add_greeting, build_tree
from tests.support import connect

NOW: Final = 1_700_000_000  # Tue, 14 Nov 2023 22:13:20 GMT
DATE: Final = "Tue, 14 Nov 2023 22:13:20 GMT"


@dataclass(frozen=True)
class Answer:
    """One answer as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


def clock_now() -> Clock:
    clock = Clock()
    clock.advance(NOW)
    return clock


def site_of(path: Path | None = None, clock: Clock | None = None, **options: Any) -> ProtoSite:
    """A site for the files below `path`."""
    clock = clock or clock_now()
    return ProtoSite(build_tree(path, clock, **options), clock)


def site_for(root: IResource, **options: Any) -> ProtoSite:
    return ProtoSite(root, clock_now(), **options)


def greeting() -> Handlers:
    """The handlers that every web service has."""
    handlers = Handlers()
    add_greeting(handlers)
    return handlers


def hang_up(protocol: Protocol) -> None:
    protocol.connectionLost(Failure(ConnectionDone()))


def request_bytes(target: str | bytes, method: str, headers: dict[str, str], body: bytes) -> bytes:
    raw = target.encode("latin-1") if isinstance(target, str) else target
    lines = {"Host": "localhost", **headers}
    if body:
        lines["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return method.encode() + b" " + raw + b" HTTP/1.1\r\n" + head.encode("latin-1") + b"\r\n" + body


def ask(
    site: ProtoSite,
    target: str | bytes,
    method: str = "GET",
    body: bytes = b"",
    **headers: str,
) -> Answer:
    """Send one request over a connection of its own; `If_Match` stands for If-Match."""
    protocol, wire = connect(site)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    protocol.dataReceived(request_bytes(target, method, named, body))
    answer, rest = read_answer(wire, method)
    hang_up(protocol)
    assert rest == b""
    return answer


def read_answer(wire: StringTransport, method: str = "GET") -> tuple[Answer, bytes]:
    """The first answer on the wire, and the bytes after it."""
    return split_answer(wire.value(), method)


def split_answer(raw: bytes, method: str = "GET") -> tuple[Answer, bytes]:
    head, found, rest = raw.partition(b"\r\n\r\n")
    assert found, f"no whole head in {raw[:200]!r}"
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert len(headers) == len(lines), f"a field twice in {lines}"
    status = int(first.split(" ")[1])
    bodiless = method == "HEAD" or status in (204, 304)
    length = 0 if bodiless else int(headers["Content-Length"])
    assert len(rest) >= length
    return Answer(status, headers, rest[:length]), rest[length:]
