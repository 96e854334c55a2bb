"""The header with which a proxy tells who the real peer is: PROXY protocol, versions 1 and 2.

Bytes in, a value out; no sockets.  Source: https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from dataclasses import dataclass
from typing import Final

SIGNATURE_V2: Final = b"\r\n\r\n\x00\r\nQUIT\n"
SIGNATURE_V1: Final = b"PROXY "
MAX_V1: Final = 107
"""The longest version 1 header, its CRLF included (section 2.1)."""
MAX_V2: Final = 4096
"""The longest version 2 header that we read; by its form it may have 65,551 bytes."""


class HeaderInvalid(Exception):
    """These bytes do not begin with a PROXY header; the connection cannot be used."""


@dataclass(frozen=True, slots=True)
class Source:
    """The real peer and the address it spoke to, as the proxy tells them."""

    family: socket.AddressFamily
    host: str
    port: int
    to_host: str
    to_port: int


@dataclass(frozen=True, slots=True)
class Header:
    """A whole header: its length in bytes, and the source (None: the proxy speaks for itself)."""

    length: int
    source: Source | None


def parse(data: bytes) -> Header | None:
    """The header at the front of `data`, or None while more bytes are needed.

    Raises HeaderInvalid as soon as the bytes cannot become a header.
    """
    if data.startswith(SIGNATURE_V2):
        return _parse_v2(data)
    if data.startswith(SIGNATURE_V1):
        return _parse_v1(data)
    if SIGNATURE_V2.startswith(data) or SIGNATURE_V1.startswith(data):
        return None
    raise HeaderInvalid("neither a version 1 nor a version 2 signature")


def _parse_v1(data: bytes) -> Header | None:
    line, end, _ = data[:MAX_V1].partition(b"\r\n")
    if not end:
        if len(data) >= MAX_V1:
            raise HeaderInvalid(f"no line end within {MAX_V1} bytes")
        return None
    length = len(line) + 2
    words = line.split(b" ")
    if words[1] == b"UNKNOWN":
        return Header(length, None)
    try:
        _, protocol, host, to_host, port, to_port = (word.decode("ascii") for word in words)
        family = {"TCP4": socket.AF_INET, "TCP6": socket.AF_INET6}[protocol]
        source = Source(
            family,
            _address(family, host),
            _port(port),
            _address(family, to_host),
            _port(to_port),
        )
    except (ValueError, KeyError) as error:
        raise HeaderInvalid(f"malformed version 1 header: {error}") from error
    return Header(length, source)


def _parse_v2(data: bytes) -> Header | None:
    if len(data) < 16:
        return None
    version_command, family_transport, size = struct.unpack_from("!BBH", data, 12)
    length = 16 + size
    if version_command >> 4 != 2 or version_command & 15 > 1:
        raise HeaderInvalid("not version 2, or an unknown command")
    if length > MAX_V2:
        raise HeaderInvalid(f"longer than {MAX_V2} bytes")
    if len(data) < length:
        return None
    if version_command & 15 == 0:  # LOCAL: the proxy's own health check
        return Header(length, None)
    return Header(length, _source_v2(family_transport, data[16:length]))


def _source_v2(family_transport: int, block: bytes) -> Source | None:
    if family_transport >> 4 > 3 or family_transport & 15 > 2:
        raise HeaderInvalid("unknown family or transport")
    if family_transport == 0x11:
        family, form = socket.AF_INET, "!4s4sHH"
    elif family_transport == 0x21:
        family, form = socket.AF_INET6, "!16s16sHH"
    else:  # UNSPEC, unix or a datagram: the connection's own address counts (section 2.2)
        return None
    if len(block) < struct.calcsize(form):
        raise HeaderInvalid("address block too short")
    host, to_host, port, to_port = struct.unpack_from(form, block)
    return Source(
        family, socket.inet_ntop(family, host), port, socket.inet_ntop(family, to_host), to_port
    )


def _address(family: socket.AddressFamily, text: str) -> str:
    if family == socket.AF_INET:
        return str(ipaddress.IPv4Address(text))
    if "%" in text:
        raise ValueError("an address with a scope")
    return str(ipaddress.IPv6Address(text))


def _port(text: str) -> int:
    if not text.isdigit() or str(int(text)) != text or int(text) > 65535:
        raise ValueError(f"{text!r} is no port")
    return int(text)
