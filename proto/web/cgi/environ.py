"""The environment of a script (RFC 3875 section 4.1): what was asked, and nothing of ours.

Values in, names and values as bytes out.  Knows no requests, no files and no processes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

SOFTWARE: Final = b"proto"
PATH: Final = b"/usr/local/bin:/usr/bin:/bin"
"""Where a script finds programs, unless it is told another PATH."""
META_VARIABLES: Final = frozenset(
    b"AUTH_TYPE CONTENT_LENGTH CONTENT_TYPE GATEWAY_INTERFACE HTTPS PATH_INFO PATH_TRANSLATED "
    b"QUERY_STRING REMOTE_ADDR REMOTE_HOST REMOTE_USER REQUEST_METHOD SCRIPT_NAME SERVER_NAME "
    b"SERVER_PORT SERVER_PROTOCOL SERVER_SOFTWARE".split()
)
"""What only a request says."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# With an underscore a field would stand for another one: X_Forwarded_For for X-Forwarded-For.
_FIELD: Final = re.compile(rb"[A-Za-z][A-Za-z0-9-]*")
_TOLD_OTHERWISE: Final = frozenset((b"content-length", b"content-type"))
_SECRET: Final = b"authorization"
# Proxy would become HTTP_PROXY, which programs take for a setting (https://httpoxy.org).  The
# others are between the client and this server, which has obeyed them.
_NOT_TOLD: Final = frozenset(
    b"connection expect keep-alive proxy proxy-authorization proxy-connection te trailer "
    b"transfer-encoding upgrade".split()
)


@dataclass(frozen=True, slots=True)
class Call:
    """What a request asks of a script; every text as it is put into the environment."""

    method: bytes
    protocol: bytes
    script_name: bytes
    path_info: bytes | None
    path_translated: bytes | None
    query: bytes
    fields: tuple[tuple[bytes, tuple[bytes, ...]], ...]
    """The header fields that came, those of one name together."""
    length: int | None
    """Bytes of the body; None when the request has none."""
    server_name: bytes
    server_port: int
    client: bytes
    is_secure: bool = False
    user: bytes | None = None
    """Who has shown a password for this path."""


def environment_of(
    call: Call, extra: Iterable[tuple[bytes, bytes]] = (), *, pass_authorization: bool = False
) -> dict[bytes, bytes]:
    """All that the script finds in its environment.

    `extra` is what the operator adds.  With `pass_authorization` it sees HTTP_AUTHORIZATION.
    """
    found = {
        b"GATEWAY_INTERFACE": b"CGI/1.1",
        b"QUERY_STRING": call.query,
        b"REMOTE_ADDR": call.client,
        b"REMOTE_HOST": call.client,  # section 4.1.9: the address, for nobody asked for a name
        b"REQUEST_METHOD": call.method,
        b"SCRIPT_NAME": call.script_name,
        b"SERVER_NAME": call.server_name,
        b"SERVER_PORT": b"%d" % call.server_port,
        b"SERVER_PROTOCOL": call.protocol,
        b"SERVER_SOFTWARE": SOFTWARE,
    }
    if call.path_info is not None:
        found[b"PATH_INFO"] = call.path_info
        if call.path_translated is not None:
            found[b"PATH_TRANSLATED"] = call.path_translated
    if call.length is not None:
        found[b"CONTENT_LENGTH"] = b"%d" % call.length
    if call.is_secure:
        found[b"HTTPS"] = b"on"
    if call.user is not None:
        found[b"AUTH_TYPE"], found[b"REMOTE_USER"] = b"Basic", call.user
    fields = {name.lower(): values for name, values in call.fields}
    if b"content-type" in fields:
        found[b"CONTENT_TYPE"] = b", ".join(fields[b"content-type"])
    found.update(_told(fields, pass_authorization))
    return {b"PATH": PATH, **dict(extra), **found}


def parse_addition(text: str) -> tuple[bytes, bytes]:
    """`NAME=VALUE` for every script.  Raises ValueError with the reason."""
    name, equals, value = text.partition("=")
    if not equals or not _NAME.fullmatch(name):
        raise ValueError(f"{text!r} is no NAME=VALUE")
    raw = name.encode("ascii")
    if raw in META_VARIABLES or raw.startswith(b"HTTP_"):
        raise ValueError(f"{name} is what a request says")
    if "\0" in value:
        raise ValueError(f"the value of {name} has a NUL")
    return raw, value.encode("utf-8", "surrogateescape")


def server_name(host: bytes, otherwise: str) -> bytes:
    """The name in a Host field, without its port; `otherwise` when there is none."""
    name = host[: host.find(b"]") + 1] if host.startswith(b"[") else host.partition(b":")[0]
    if name:
        return name
    return f"[{otherwise}]".encode() if ":" in otherwise else otherwise.encode()


def _told(
    fields: Mapping[bytes, tuple[bytes, ...]], pass_authorization: bool
) -> Iterable[tuple[bytes, bytes]]:
    """The fields as variables (section 4.1.18)."""
    for name, values in fields.items():
        if name in _TOLD_OTHERWISE or name in _NOT_TOLD or not _FIELD.fullmatch(name):
            continue
        if name == _SECRET and not pass_authorization:
            continue
        between = b"; " if name == b"cookie" else b", "  # RFC 9113 section 8.2.3
        yield b"HTTP_" + name.upper().replace(b"-", b"_"), between.join(values)
