"""Where a path of ours is at a server, and where a server's URL is here.  No twisted.

As nginx' `location` with `proxy_pass`: without a path in the server's URL a request's path goes on
as it is; with one, that takes the place of ours.  The rest keeps its spelling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from proto.web.proxy.servers import Server

_PORTS: Final = {False: 80, True: 443}


@dataclass(frozen=True, slots=True)
class Place:
    """A path of ours, and what stands for it at the servers."""

    path: bytes
    """`/app`; of everything it is empty."""
    base: bytes | None
    """`/base`, without a slash at its end; None when the path goes on as it is."""
    origins: tuple[bytes, ...]
    """`http://a:8000` of each server, in all ways to write it."""
    depth: int
    """The segments of `path`."""

    def target(self, path: bytes, query: bytes | None) -> bytes:
        """What is asked of the server for a path of ours; `query` None is no question mark."""
        if self.base is not None:
            rest = path.split(b"/", self.depth + 1)[self.depth + 1 :]
            path = b"/".join((self.base, *rest)) if rest else self.base or b"/"
        return path if query is None else b"%b?%b" % (path, query)

    def location(self, url: bytes) -> bytes:
        """A Location of the server as the client has to read it (nginx' default proxy_redirect)."""
        for origin in self.origins:
            if url[: len(origin)].lower() != origin:
                continue
            rest = url[len(origin) :]
            if self.base is None:
                return rest if rest.startswith(b"/") else url
            below = rest[len(self.base) :]
            if rest.startswith(self.base) and below[:1] in (b"", b"/", b"?", b"#"):
                return self.path + below or b"/"
        return url


def origins_of(servers: Sequence[Server]) -> tuple[bytes, ...]:
    """How the URLs of these servers begin, in lower case."""
    found: list[bytes] = []
    for server in servers:
        scheme = "https" if server.tls else "http"
        found.append(f"{scheme}://{server.name}".encode())
        if server.port == _PORTS[server.tls]:
            found.append(f"{scheme}://{host_field(server)}".encode())
    return tuple(found)


def host_field(server: Server) -> str:
    """What Host says to a server."""
    if not server.port:  # a unix socket
        return "localhost"
    name = server.name
    return name.rpartition(":")[0] if server.port == _PORTS[server.tls] else name
