"""What `--proxy` says: `/app=http://a:8000 weight=3,http://b:8000 backup`.  No twisted.

http://a:8000           the path of a request goes on as it is
http://a:8000/base      /app/x is asked for as /base/x
unix:/run/app.sock      a unix socket, and unix:/run/app.sock:/base
@FILE                   a file with one of these in each line
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from proto.web.prefix import Prefix
from proto.web.proxy.places import Place, origins_of
from proto.web.proxy.servers import Server, parse_server

UNIX: Final = "unix:"
LONGEST_PATH: Final = 107
"""Bytes of the path of a unix socket (unix(7))."""


@dataclass(frozen=True, slots=True)
class Route:
    """A path of ours, and the servers that answer for it."""

    path: str
    servers: tuple[Server, ...]
    base: str | None
    """Where they have what is at our path; None: at the same path."""
    file: Path | None = None
    """What lists the servers; there are none until it is read."""

    @classmethod
    def parse(cls, text: str) -> Route:
        """Raises ValueError with the reason."""
        path, equals, rest = text.partition("=")
        if not equals:
            raise ValueError(f"{text!r} is no path with a server")
        Prefix.parse(path)
        if rest.startswith("@") and len(rest) > 1 and "\0" not in rest:
            return cls(path, (), None, Path(rest[1:]))
        return cls(path, (), None)._with(rest.split(","))

    def read(self) -> Route:
        """The same with the servers that its file lists now, if it has one.

        Lines that begin with # say nothing.  Raises OSError, or ValueError with the reason.
        """
        if self.file is None:
            return self
        lines = [line.strip() for line in self.file.read_text("utf-8").split("\n")]
        return self._with([line for line in lines if line and not line.startswith("#")])

    def _with(self, texts: Sequence[str]) -> Route:
        found = [_server(text.strip()) for text in texts]
        bases = {base for _, base in found}
        if len(bases) != 1:
            raise ValueError("a path has servers, and all of them the same path in their URLs")
        return replace(self, servers=tuple(server for server, _ in found), base=bases.pop())

    @property
    def place(self) -> Place:
        """How paths and URLs are written here and there."""
        path = self.path.rstrip("/").encode("utf-8", "surrogateescape")
        base = None if self.base is None else self.base.encode()
        return Place(path, base, origins_of(self.servers), path.count(b"/"))


def _server(text: str) -> tuple[Server, str | None]:
    url, _, words = text.partition(" ")
    if not url.startswith(UNIX):
        server, base = parse_server(text)
        return server, base if "/" in url.partition("://")[2] else None
    socket, colon, path = url.removeprefix(UNIX).partition(":")
    if not socket.startswith("/") or len(socket.encode()) > LONGEST_PATH or "\0" in socket:
        raise ValueError(f"{url!r} is no unix socket such as unix:/run/app.sock")
    server, base = parse_server(f"http://unix{path} {words}")
    return replace(server, host=socket, port=0), base if colon else None


def is_unix(server: Server) -> bool:
    """Its `host` is the path of a socket."""
    return server.host.startswith("/")
