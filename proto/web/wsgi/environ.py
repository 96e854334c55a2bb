"""What a WSGI application is told of a request (PEP 3333, "environ Variables").

Plain values in, one dictionary out: no twisted, no request, and nothing of our own environment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

Pairs = Iterable[tuple[bytes, bytes]]

SOFTWARE: Final = "proto"

_PLAIN: Final = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}
# A field named Proxy would become HTTP_PROXY, which many clients take for the name of their proxy
# (CVE-2016-1000110, "httpoxy").
_DROPPED: Final = frozenset({b"proxy"})


class Asked(NamedTuple):
    """A request as it came; names and paths are decoded once."""

    method: bytes
    script: Sequence[bytes]
    """The segments of the path at which the application stands; none at `/`."""
    path: Sequence[bytes]
    """The segments below it."""
    target: bytes
    query: bytes
    protocol: bytes
    fields: Pairs
    server: tuple[str, int]
    """Our own address and port."""
    client: tuple[str, int]
    is_secure: bool


def environ_of(asked: Asked) -> dict[str, Any]:
    """The variables that depend on the request; its streams and the pool add theirs."""
    host, port = asked.server
    address, from_port = asked.client
    environ: dict[str, Any] = {
        "REQUEST_METHOD": asked.method.decode("latin-1"),
        "SCRIPT_NAME": _path(asked.script),
        "PATH_INFO": _path(asked.path),
        "QUERY_STRING": asked.query.decode("latin-1"),
        "REQUEST_URI": asked.target.decode("latin-1"),
        "SERVER_NAME": host or "localhost",
        "SERVER_PORT": str(port or (443 if asked.is_secure else 80)),
        "SERVER_PROTOCOL": _protocol(asked.protocol),
        "SERVER_SOFTWARE": SOFTWARE,
        "REMOTE_ADDR": address,
        "REMOTE_PORT": str(from_port),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https" if asked.is_secure else "http",
        "wsgi.input_terminated": True,
        "wsgi.multithread": True,
        "wsgi.run_once": False,
    }
    if asked.is_secure:
        environ["HTTPS"] = "on"
    for name, value in asked.fields:
        variable = variable_of(name)
        if variable is None:
            continue
        text = value.decode("latin-1")
        if variable in environ:
            mark = "; " if variable == "HTTP_COOKIE" else ", "
            text = environ[variable] + mark + text
        environ[variable] = text
    return environ


@lru_cache(1024)
def variable_of(name: bytes) -> str | None:
    """The variable for a header field: `HTTP_USER_AGENT`; None if the application gets none.

    A name with an underscore gets none: `X_Real_IP` and `X-Real-IP` would be one variable, and
    whoever is in front of us guards only one of them.
    """
    lower = name.lower()
    if b"_" in lower or lower in _DROPPED:
        return None
    return _PLAIN.get(lower) or "HTTP_" + lower.decode("latin-1").upper().replace("-", "_")


def _path(segments: Sequence[bytes]) -> str:
    return "/" + b"/".join(segments).decode("latin-1") if segments else ""


@lru_cache(16)
def _protocol(version: bytes) -> str:
    return "HTTP/2" if version == b"HTTP/2.0" else version.decode("latin-1")
