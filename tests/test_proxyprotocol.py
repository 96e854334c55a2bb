"""The PROXY header, versions 1 and 2."""

from __future__ import annotations

import ipaddress
import socket
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proto.proxyprotocol import (
    MAX_V1,
    MAX_V2,
    SIGNATURE_V2,
    Header,
    HeaderInvalid,
    Source,
    parse,
)

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
INET, INET6 = socket.AF_INET, socket.AF_INET6
IPV4 = socket.inet_aton("192.0.2.7") + socket.inet_aton("198.51.100.1") + b"\x10\x92\x01\xbb"
IPV6 = (
    socket.inet_pton(INET6, "2001:db8::7")
    + socket.inet_pton(INET6, "2001:db8::1")
    + b"\x10\x92\x01\xbb"
)
FROM_IPV4 = Source(INET, "192.0.2.7", 4242, "198.51.100.1", 443)
FROM_IPV6 = Source(INET6, "2001:db8::7", 4242, "2001:db8::1", 443)
TLVS = b"\x02\x00\x0bexample.com" + b"\x04\x00\x03\x00\x00\x00" + b"\x05\x00\x02id"


def v2(block: bytes, family: int = 0x11, command: int = 0x21, size: int | None = None) -> bytes:
    length = len(block) if size is None else size
    return SIGNATURE_V2 + struct.pack("!BBH", command, family, length) + block


VALID = [
    # The examples of section 2.1, the longest lines of each kind first.
    (
        b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
        Source(INET, "255.255.255.255", 65535, "255.255.255.255", 65535),
    ),
    (
        b"PROXY TCP6 ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n".replace(
            b"ffff:f...f:ffff", b"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
        ),
        Source(
            INET6,
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            65535,
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            65535,
        ),
    ),
    (b"PROXY UNKNOWN\r\n", None),
    (
        b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n".replace(
            b"ffff:f...f:ffff", b"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
        ),
        None,
    ),
    (
        b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
        Source(INET, "192.168.0.1", 56324, "192.168.0.11", 443),
    ),
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 4242 443\r\n", FROM_IPV4),
    (b"PROXY TCP6 2001:db8::7 2001:db8::1 4242 443\r\n", FROM_IPV6),
    (b"PROXY TCP6 2001:DB8:0:0::7 2001:db8::1 4242 443\r\n", FROM_IPV6),
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 0 0\r\n", Source(INET, "192.0.2.7", 0, "198.51.100.1", 0)),
    (v2(IPV4), FROM_IPV4),
    (v2(IPV6, 0x21), FROM_IPV6),
    (v2(IPV4 + TLVS), FROM_IPV4),
    (v2(IPV6 + TLVS, 0x21), FROM_IPV6),
    (v2(IPV4 + bytes(MAX_V2 - 16 - 12)), FROM_IPV4),
    (v2(b"", 0x00), None),
    (v2(TLVS, 0x00), None),
    (v2(b"", 0x00, 0x20), None),  # LOCAL, as HAProxy sends it
    (v2(IPV4, 0x11, 0x20), None),  # LOCAL: addresses are to be ignored
    (v2(b"xyz", 0x11, 0x20), None),
    (v2(IPV4, 0x12), None),  # a datagram
    (v2(IPV6, 0x22), None),
    (v2(bytes(216), 0x31), None),  # unix
    (v2(bytes(216), 0x32), None),
]

INVALID = [
    (b"GET / HTTP/1.1\r\n", "signature"),
    (b"PROXZ", "signature"),
    (b"proxy TCP4", "signature"),
    (b"\r\n\r\n\x00\r\nQUITx", "signature"),
    (b"\x16\x03\x01", "signature"),
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 4242\r\n", "malformed"),
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 4242 443 5\r\n", "malformed"),
    (b"PROXY TCP4  192.0.2.7 198.51.100.1 4242 443\r\n", "malformed"),
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 4242 443 \r\n", "malformed"),
    (b"PROXY TCP4 2001:db8::7 2001:db8::1 4242 443\r\n", "malformed"),
    (b"PROXY TCP6 192.0.2.7 198.51.100.1 4242 443\r\n", "malformed"),
    (b"PROXY TCP6 fe80::1%eth0 2001:db8::1 4242 443\r\n", "malformed"),
    (b"PROXY TCP6 fe80::1%\x1b[2J 2001:db8::1 4242 443\r\n", "malformed"),
    (b"PROXY TCP5 192.0.2.7 198.51.100.1 4242 443\r\n", "malformed"),
    (b"PROXY UDP4 192.0.2.7 198.51.100.1 4242 443\r\n", "malformed"),
    (b"PROXY TCP4 192.0.2.256 198.51.100.1 4242 443\r\n", "malformed"),
    (b"PROXY TCP4 192.0.2.07 198.51.100.1 4242 443\r\n", "malformed"),
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n", "is no port"),
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 -1 443\r\n", "is no port"),
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 +1 443\r\n", "is no port"),
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 04242 443\r\n", "is no port"),
    (b"PROXY TCP4 192.0.2.7 198.51.100.1  443\r\n", "is no port"),
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 4242 4_3\r\n", "is no port"),
    (b"PROXY TCP4 192.0.2.\xff 198.51.100.1 4242 443\r\n", "malformed"),
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 \xb2 443\r\n", "malformed"),
    (b"PROXY \r\n", "malformed"),
    (b"PROXY UNKNOWNx\r\n", "malformed"),
    (b"PROXY UNKNOWN " + b"x" * (MAX_V1 - 14), "no line end within 107 bytes"),
    (b"PROXY UNKNOWN " + b"x" * (MAX_V1 - 15) + b"\r\n", "no line end within 107 bytes"),
    (v2(IPV4, command=0x11), "not version 2"),
    (v2(IPV4, command=0x31), "not version 2"),
    (v2(IPV4, command=0x22), "unknown command"),
    (v2(IPV4[:11]), "address block too short"),
    (v2(IPV4, 0x21), "address block too short"),
    (v2(b""), "address block too short"),
    (v2(b"", size=MAX_V2 - 15), "longer than 4096 bytes"),
    (v2(b"", size=65535), "longer than 4096 bytes"),
    (v2(IPV4, 0x41), "unknown family"),
    (v2(IPV4, 0x13), "unknown family"),
]


@pytest.mark.parametrize(("data", "source"), VALID)
def test_a_header_tells_the_source(data: bytes, source: Source | None) -> None:
    assert parse(data) == Header(len(data), source)


@pytest.mark.parametrize(("data", "source"), VALID)
def test_what_follows_a_header_is_not_touched(data: bytes, source: Source | None) -> None:
    for rest in (b"x", b"\r\n", data, b"\x00" * 5000):
        assert parse(data + rest) == Header(len(data), source)


@pytest.mark.parametrize(("data", "source"), VALID)
def test_every_beginning_of_a_header_asks_for_more(data: bytes, source: Source | None) -> None:
    for end in range(len(data)):
        assert parse(data[:end]) is None


@pytest.mark.parametrize(("data", "why"), INVALID)
def test_what_is_no_header_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(HeaderInvalid, match=why) as refusal:
        parse(data)
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize(("data", "why"), INVALID)
def test_more_bytes_do_not_make_it_a_header(data: bytes, why: str) -> None:
    with pytest.raises(HeaderInvalid):
        parse(data + b"\r\n" + bytes(5000))


def test_the_longest_line_of_version_1_is_read() -> None:
    data = b"PROXY UNKNOWN " + b"x" * (MAX_V1 - 16) + b"\r\n"
    assert len(data) == MAX_V1
    assert parse(data) == Header(MAX_V1, None)


@given(st.binary(max_size=300))
@example(b"PROXY TCP6 :: ::% 1 1\r\n")
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    for start in (b"", b"PROXY ", b"PROXY TCP4 ", b"PROXY TCP6 ", SIGNATURE_V2, v2(b"")[:-4]):
        check(start + data)


@given(st.text("0123456789abcdef.:% /\r\n\u00b2T", max_size=110), st.sampled_from("46"))
def test_nearly_right_lines_raise_nothing_else(text: str, version: str) -> None:
    check(f"PROXY TCP{version} {text}\r\n".encode())


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 65535), st.binary(max_size=300))
def test_nearly_right_blocks_raise_nothing_else(
    command: int, family: int, size: int, block: bytes
) -> None:
    check(v2(block, family, command, size))


def check(data: bytes) -> None:
    """Any answer is right but another exception, or a header longer than what came."""
    try:
        header = parse(data)
    except HeaderInvalid:
        return
    if header is None:
        assert len(data) < MAX_V2
        return
    assert 0 < header.length <= len(data)
    assert parse(data[: header.length]) == header


@given(
    st.tuples(st.ip_addresses(v=4), st.ip_addresses(v=4))
    | st.tuples(st.ip_addresses(v=6), st.ip_addresses(v=6)),
    st.integers(0, 65535),
    st.integers(0, 65535),
)
def test_both_versions_carry_any_address(pair: tuple[Ip, Ip], port: int, to_port: int) -> None:
    ip, other = pair
    family = INET if ip.version == 4 else INET6
    line = f"PROXY TCP{ip.version} {ip} {other} {port} {to_port}\r\n".encode()
    assert parse(line) == Header(len(line), Source(family, str(ip), port, str(other), to_port))

    packed = ip.packed + other.packed + struct.pack("!HH", port, to_port)
    block = v2(packed, 0x11 if ip.version == 4 else 0x21)
    header = parse(block)
    assert header is not None
    assert header.source is not None
    assert header.length == len(block)
    assert socket.inet_pton(family, header.source.host) == ip.packed
    assert socket.inet_pton(family, header.source.to_host) == other.packed
    assert (header.source.port, header.source.to_port) == (port, to_port)
