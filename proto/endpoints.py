"""Where a service listens: what people write, and the bound sockets that come of it.

Sockets are bound before the process becomes a daemon and before it gives up root, so that a port
in use is told on the terminal of whoever started it.

    12345                               TCP on all IPv4 addresses
    tcp:12345:interface=127.0.0.1       TCP, one address
    tcp6:12345                          TCP on all IPv6 addresses
    tls:12346:certs=DIR                 TCP with TLS; without certs=, those of --tls
    unix:/run/chat.sock:mode=660        a unix socket
    systemd:domain=INET:index=0 ...     any other endpoint that Twisted or a plugin of it knows
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import stat
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from proto.errors import StartError

BACKLOG: Final = 1024
"""Connections that the kernel keeps until they are accepted (net.core.somaxconn may lower it)."""
EXPECTED: Final = (
    'a port number (0 to 65535) or an endpoint such as "tcp6:8080", "unix:/run/x.sock"'
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A place to listen at.  `kind` is tcp, unix, or other (then `text` is Twisted's to read)."""

    text: str
    kind: str
    host: str = ""
    port: int = 0
    path: str = ""
    mode: int = 0o666
    backlog: int = BACKLOG
    tls: bool = False
    certs: str = ""

    def on(self, interface: str) -> Endpoint:
        """The same on that address, unless it names one itself."""
        if self.kind != "tcp" or self.host or not interface:
            return self
        return replace(self, host=interface)

    def __str__(self) -> str:
        """As people name it: `tcp 0.0.0.0:12345`, `tls [::]:12346`, `unix /run/chat.sock`."""
        if self.kind == "unix":
            return f"unix {self.path}"
        if self.kind == "other":
            return self.text
        host = self.host or "0.0.0.0"
        shown = f"[{host}]" if ":" in host else host
        return f"{'tls' if self.tls else 'tcp'} {shown}:{self.port}"


def parse(text: str) -> Endpoint:
    """What `--port` was given.  Raises ValueError with the reason."""
    if re.fullmatch(r"[0-9]{1,5}", text):
        return Endpoint(text, "tcp", port=_port(text))
    kind, *arguments = (
        part.replace("\\:", ":").replace("\\\\", "\\") for part in re.split(r"(?<!\\):", text)
    )
    if kind in ("tcp", "tcp6", "tls"):
        return _parse_tcp(text, kind, arguments)
    if kind == "unix":
        return _parse_unix(text, arguments)
    if arguments and re.fullmatch(r"[a-z][a-z0-9-]*", kind):
        return Endpoint(text, "other")
    raise ValueError(f"{text!r} is neither a port nor an endpoint")


def _parse_tcp(text: str, kind: str, arguments: list[str]) -> Endpoint:
    words = _arguments(arguments, ("port",), ("interface", "backlog", "certs"))
    host = words.get("interface", "")
    if host:
        interface(host)
        if kind == "tcp6" and ":" not in host:
            raise ValueError(f"{host} is no IPv6 address")
    elif kind == "tcp6":
        host = "::"
    if "certs" in words and kind != "tls":
        raise ValueError(f'certs= belongs to "tls:{words["port"]}"')
    return Endpoint(
        text,
        "tcp",
        host=host,
        port=_port(words["port"]),
        backlog=_positive(words.get("backlog", str(BACKLOG))),
        tls=kind == "tls",
        certs=words.get("certs", ""),
    )


def _parse_unix(text: str, arguments: list[str]) -> Endpoint:
    words = _arguments(arguments, ("path",), ("mode", "backlog"))
    mode = words.get("mode", "666")
    if not re.fullmatch(r"0?[0-7]{3}", mode):
        raise ValueError(f"mode={mode} is no octal mode such as 660")
    path = words["path"]
    if not path or "\0" in path or len(path.encode("utf-8", "surrogateescape")) > 107:
        raise ValueError("the path of a unix socket has 1 to 107 bytes, none of them NUL")
    return Endpoint(
        text,
        "unix",
        path=path,
        mode=int(mode, 8),
        backlog=_positive(words.get("backlog", str(BACKLOG))),
    )


def _arguments(
    arguments: list[str], positional: tuple[str, ...], named: tuple[str, ...]
) -> dict[str, str]:
    words: dict[str, str] = {}
    for place, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if equals and name in named + positional:
            words[name] = value
        elif place < len(positional):
            words[positional[place]] = argument
        else:
            raise ValueError(f"{argument!r} is not understood; known: {', '.join(named)}")
    if missing := [name for name in positional if name not in words]:
        raise ValueError(f"no {missing[0]} given")
    return words


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65535:
        raise ValueError(f"{text} is no port")
    return int(text)


def _positive(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise ValueError(f"backlog={text} is no positive number")
    return int(text)


def interface(text: str) -> str:
    """An IP address of this machine as text.  Raises ValueError if it is none."""
    try:
        ip_address(text)
        if not re.fullmatch(r"[^%]*(%[!-~]{1,15})?", text):
            raise ValueError("no name of a network interface")
    except ValueError:
        raise ValueError(f"{text!r} is no IP address") from None
    return text


# --- binding -------------------------------------------------------------------------------


def bind(endpoint: Endpoint) -> socket.socket:
    """A listening, non-blocking TCP socket.  Raises StartError in one line with the remedy."""
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    return _bind_inet(endpoint, family, socket.SOCK_STREAM)


def bind_udp(endpoint: Endpoint) -> socket.socket:
    """A non-blocking datagram socket.  Raises StartError in one line with the remedy."""
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    return _bind_inet(endpoint, family, socket.SOCK_DGRAM)


def _bind_inet(
    endpoint: Endpoint, family: socket.AddressFamily, kind: socket.SocketKind
) -> socket.socket:
    host, _, scope = endpoint.host.partition("%")
    bound = socket.socket(family, kind)
    try:
        bound.setblocking(False)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        where: tuple[object, ...] = (host, endpoint.port)
        if scope:
            where = (host, endpoint.port, 0, socket.if_nametoindex(scope))
        if kind == socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Linux hands both on to every accepted connection: answers leave at once, and a peer
            # whose machine vanished is noticed.
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        bound.bind(where)
        if kind == socket.SOCK_STREAM:
            bound.listen(endpoint.backlog)
    except OSError as error:
        bound.close()
        udp = "" if kind == socket.SOCK_STREAM else " (UDP)"
        raise StartError(_why_not(endpoint, error, udp)) from error
    return bound


def check_unix(endpoint: Endpoint) -> None:
    """Make sure that a unix socket can be bound, and remove one that nobody listens on.

    Twisted binds it later, with its mode set before anybody can connect.  Raises StartError.
    """
    try:
        _remove_stale(endpoint.path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.bind(endpoint.path)
            os.unlink(endpoint.path)
    except OSError as error:
        raise StartError(_why_not(endpoint, error)) from error


def _remove_stale(path: str) -> None:
    """Remove a socket file that no process listens on any more; leave anything else."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except BlockingIOError:  # somebody listens there, and is too busy to accept
            return
        except ConnectionRefusedError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def _why_not(endpoint: Endpoint, error: OSError, udp: str = "") -> str:
    if error.errno == errno.EADDRINUSE:
        if endpoint.kind == "unix":
            return f"{endpoint} is in use; stop what listens there, or choose another path"
        return f"{endpoint}{udp} is in use; stop what listens there, or choose another port"
    if error.errno in (errno.EACCES, errno.EPERM):
        if endpoint.kind == "unix":
            return f"{endpoint}: no permission; choose a folder that you may write to"
        return f"{endpoint}: no permission; choose a port above 1023, or start as root with --uid"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{endpoint}: this machine has no such address; see `ip address` for those it has"
    if error.errno == errno.ENOENT:
        folder = Path(endpoint.path).parent
        return f"{endpoint}: no such folder; create it: mkdir -p {folder}"
    return f"{endpoint}: cannot listen: {error.strerror or error}"
