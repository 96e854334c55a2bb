"""Where a service listens: what people write, and the sockets that come of it."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proto.endpoints import (
    BACKLOG,
    Endpoint,
    bind,
    bind_udp,
    check_unix,
    interface,
    parse,
)
from proto.errors import StartError

# --- what people write ---------------------------------------------------------------------

PARSED = [
    ("12345", Endpoint("12345", "tcp", port=12345), "tcp 0.0.0.0:12345"),
    ("0", Endpoint("0", "tcp"), "tcp 0.0.0.0:0"),
    ("00080", Endpoint("00080", "tcp", port=80), "tcp 0.0.0.0:80"),
    ("65535", Endpoint("65535", "tcp", port=65535), "tcp 0.0.0.0:65535"),
    ("tcp:12345", Endpoint("tcp:12345", "tcp", port=12345), "tcp 0.0.0.0:12345"),
    ("tcp:port=12345", Endpoint("tcp:port=12345", "tcp", port=12345), "tcp 0.0.0.0:12345"),
    (
        "tcp:12345:interface=127.0.0.1",
        Endpoint("tcp:12345:interface=127.0.0.1", "tcp", "127.0.0.1", 12345),
        "tcp 127.0.0.1:12345",
    ),
    (
        "tcp:12345:interface=\\:\\:1",
        Endpoint("tcp:12345:interface=\\:\\:1", "tcp", "::1", 12345),
        "tcp [::1]:12345",
    ),
    (
        "tcp:12345:interface=",
        Endpoint("tcp:12345:interface=", "tcp", port=12345),
        "tcp 0.0.0.0:12345",
    ),
    (
        "tcp:1:backlog=5",
        Endpoint("tcp:1:backlog=5", "tcp", port=1, backlog=5),
        "tcp 0.0.0.0:1",
    ),
    ("tcp6:12345", Endpoint("tcp6:12345", "tcp", "::", 12345), "tcp [::]:12345"),
    (
        "tcp6:12345:interface=fe80\\:\\:1%eth0",
        Endpoint("tcp6:12345:interface=fe80\\:\\:1%eth0", "tcp", "fe80::1%eth0", 12345),
        "tcp [fe80::1%eth0]:12345",
    ),
    ("tls:12346", Endpoint("tls:12346", "tcp", port=12346, tls=True), "tls 0.0.0.0:12346"),
    (
        "tls:12346:certs=/etc/tls:interface=127.0.0.1",
        Endpoint(
            "tls:12346:certs=/etc/tls:interface=127.0.0.1",
            "tcp",
            "127.0.0.1",
            12346,
            tls=True,
            certs="/etc/tls",
        ),
        "tls 127.0.0.1:12346",
    ),
    (
        "unix:/run/chat.sock",
        Endpoint("unix:/run/chat.sock", "unix", path="/run/chat.sock"),
        "unix /run/chat.sock",
    ),
    (
        "unix:/run/chat.sock:mode=660:backlog=7",
        Endpoint(
            "unix:/run/chat.sock:mode=660:backlog=7",
            "unix",
            path="/run/chat.sock",
            mode=0o660,
            backlog=7,
        ),
        "unix /run/chat.sock",
    ),
    ("unix:a:mode=0600", Endpoint("unix:a:mode=0600", "unix", path="a", mode=0o600), "unix a"),
    ("unix:a\\:b", Endpoint("unix:a\\:b", "unix", path="a:b"), "unix a:b"),
    ("unix:path=a=b", Endpoint("unix:path=a=b", "unix", path="a=b"), "unix a=b"),
    (
        "systemd:domain=INET:index=0",
        Endpoint("systemd:domain=INET:index=0", "other"),
        "systemd:domain=INET:index=0",
    ),
    ("haproxy:tcp:80", Endpoint("haproxy:tcp:80", "other"), "haproxy:tcp:80"),
    ("fd:", Endpoint("fd:", "other"), "fd:"),
]

WRONG = [
    ("", "'' is neither a port nor an endpoint"),
    ("x", "'x' is neither a port nor an endpoint"),
    ("-1", "'-1' is neither a port nor an endpoint"),
    ("1.5", "'1.5' is neither a port nor an endpoint"),
    (" 80", "' 80' is neither a port nor an endpoint"),
    ("80\n", "'80\\n' is neither a port nor an endpoint"),
    ("\u0663", "'\u0663' is neither a port nor an endpoint"),
    ("123456", "'123456' is neither a port nor an endpoint"),
    ("65536", "65536 is no port"),
    ("127.0.0.1:80", "'127.0.0.1:80' is neither a port nor an endpoint"),
    (":80", "':80' is neither a port nor an endpoint"),
    ("TCP:80", "'TCP:80' is neither a port nor an endpoint"),
    ("tcp", "no port given"),
    ("tcp:", " is no port"),
    ("tcp:x", "x is no port"),
    ("tcp:65536", "65536 is no port"),
    ("tcp:interface=127.0.0.1", "no port given"),
    ("tcp:80:81", "'81' is not understood; known: interface, backlog, certs"),
    ("tcp:80:nonsense=1", "'nonsense=1' is not understood; known: interface, backlog, certs"),
    ("tcp:80:interface=localhost", "'localhost' is no IP address"),
    ("tcp:80:interface=127.0.0.1%lo", "'127.0.0.1%lo' is no IP address"),
    ("tcp6:80:interface=fe80\\:\\:1%", "'fe80::1%' is no IP address"),
    ("tcp6:80:interface=fe80\\:\\:1%a\0b", "'fe80::1%a\\x00b' is no IP address"),
    ("tcp:80:backlog=0", "backlog=0 is no positive number"),
    ("tcp:80:backlog=-1", "backlog=-1 is no positive number"),
    ("tcp:80:backlog=x", "backlog=x is no positive number"),
    ("tcp:80:certs=/x", 'certs= belongs to "tls:80"'),
    ("unix", "no path given"),
    ("unix:", "the path of a unix socket has 1 to 107 bytes, none of them NUL"),
    ("unix:" + "x" * 108, "the path of a unix socket has 1 to 107 bytes, none of them NUL"),
    ("unix:" + "\u00e9" * 54, "the path of a unix socket has 1 to 107 bytes, none of them NUL"),
    ("unix:a\0b", "the path of a unix socket has 1 to 107 bytes, none of them NUL"),
    ("unix:a:mode=999", "mode=999 is no octal mode such as 660"),
    ("unix:a:mode=1777", "mode=1777 is no octal mode such as 660"),
    ("unix:a:660", "'660' is not understood; known: mode, backlog"),
    ("unix:a:backlog=0", "backlog=0 is no positive number"),
]


@pytest.mark.parametrize(("text", "endpoint", "shown"), PARSED)
def test_what_is_written_names_a_place(text: str, endpoint: Endpoint, shown: str) -> None:
    assert parse(text) == endpoint
    assert str(parse(text)) == shown


@pytest.mark.parametrize(("text", "why"), WRONG)
def test_what_names_no_place_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse(text)
    assert str(refusal.value) == why


@given(st.text() | st.text("tcp6:unix\\=interfacemodebacklog0123456789.%/\0"))
@example("tcp:1:interface=::1%\0")
@example("unix:\udc80")
@example("unix:\ud800")
def test_any_text_is_an_endpoint_or_a_value_error(text: str) -> None:
    for start in ("", "tcp:", "tcp6:1:interface=", "tls:1:", "unix:", "unix:a:", "systemd:"):
        try:
            endpoint = parse(start + text)
        except ValueError:
            continue
        assert endpoint.text == start + text
        assert 0 <= endpoint.port <= 65535
        assert 0 <= endpoint.mode <= 0o777
        assert endpoint.backlog > 0
        assert "\0" not in endpoint.host + endpoint.path


def test_an_interface_is_for_tcp_ports_without_one() -> None:
    for text, host in [
        ("80", "127.0.0.1"),
        ("tls:80", "127.0.0.1"),
        ("tcp:80:interface=127.0.0.2", "127.0.0.2"),
        ("tcp6:80", "::"),
        ("unix:a", ""),
        ("systemd:domain=INET:index=0", ""),
    ]:
        assert parse(text).on("127.0.0.1").host == host
        assert parse(text).on("") == parse(text)


def test_an_interface_is_an_address() -> None:
    for text in ("127.0.0.1", "::1", "fe80::1%eth0", "0.0.0.0"):
        assert interface(text) == text
    for text in ("", "localhost", "127.0.0.1:80", "127.1", "[::1]", "eth0"):
        with pytest.raises(ValueError, match="is no IP address"):
            interface(text)


# --- TCP and UDP ---------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_bound_socket_listens_and_does_not_block(host: str) -> None:
    with bind(Endpoint("0", "tcp", host)) as bound:
        assert not bound.getblocking()
        for level, option in [
            (socket.SOL_SOCKET, socket.SO_REUSEADDR),
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            (socket.IPPROTO_TCP, socket.TCP_NODELAY),
        ]:
            assert bound.getsockopt(level, option)
        with socket.create_connection(bound.getsockname()[:2], 5) as client:
            assert client.getpeername()[:2] == bound.getsockname()[:2]


def test_all_ipv6_addresses_leave_the_ipv4_port_free() -> None:
    with bind(parse("tcp6:0")) as six:
        port = six.getsockname()[1]
        with bind(Endpoint("x", "tcp", port=port)) as four:
            assert four.getsockname()[1] == port


def test_a_scope_is_the_name_of_a_network_interface() -> None:
    with pytest.raises(StartError) as refusal:
        bind(parse("tcp6:0:interface=fe80\\:\\:1%nosuch0"))
    assert str(refusal.value) == (
        "tcp [fe80::1%nosuch0]:0: cannot listen: no interface with this name"
    )
    with bind(parse("tcp6:0:interface=\\:\\:1%lo")) as bound:
        assert bound.getsockname()[0] == "::1"


def test_a_port_in_use_is_told_with_the_remedy() -> None:
    with bind(Endpoint("0", "tcp", "127.0.0.1")) as first:
        port = first.getsockname()[1]
        with pytest.raises(StartError) as refusal:
            bind(Endpoint("x", "tcp", "127.0.0.1", port))
    assert str(refusal.value) == (
        f"tcp 127.0.0.1:{port} is in use; stop what listens there, or choose another port"
    )


def test_a_datagram_port_in_use_is_told_with_the_remedy() -> None:
    with bind_udp(Endpoint("0", "tcp", "127.0.0.1")) as first:
        assert first.type == socket.SOCK_DGRAM
        assert not first.getblocking()
        port = first.getsockname()[1]
        with pytest.raises(StartError, match=rf":{port} \(UDP\) is in use; stop what"):
            bind_udp(Endpoint("x", "tcp", "127.0.0.1", port))


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_an_address_of_another_machine_is_told_with_the_remedy(host: str) -> None:
    with pytest.raises(StartError) as refusal:
        bind(Endpoint("0", "tcp", host))
    assert str(refusal.value).endswith(
        ":0: this machine has no such address; see `ip address` for those it has"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may listen on any port")
def test_a_port_that_only_root_may_use_is_told_with_the_remedy() -> None:
    with pytest.raises(StartError) as refusal:
        bind(Endpoint("x", "tcp", "127.0.0.1", 1))
    assert str(refusal.value) == (
        "tcp 127.0.0.1:1: no permission; choose a port above 1023, or start as root with --uid"
    )


# --- unix sockets --------------------------------------------------------------------------


@contextmanager
def listening(path: Path, backlog: int = 1) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
        bound.listen(backlog)
        yield bound


def at(path: Path) -> Endpoint:
    return Endpoint(f"unix:{path}", "unix", path=str(path))


def test_a_free_path_is_left_free(tmp_path: Path) -> None:
    check_unix(at(tmp_path / "s"))
    assert not (tmp_path / "s").exists()


def test_a_socket_that_nobody_listens_on_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listening(path):
        pass
    assert stat.S_ISSOCK(path.stat().st_mode)
    check_unix(at(path))
    assert not path.exists()


def test_a_socket_that_somebody_listens_on_stays_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listening(path) as bound:
        with pytest.raises(StartError) as refusal:
            check_unix(at(path))
        with closing(bound.accept()[0]), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
    assert str(refusal.value) == (
        f"unix {path} is in use; stop what listens there, or choose another path"
    )


def test_a_listener_too_busy_to_accept_is_in_use_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listening(path, backlog=0), socket.socket(socket.AF_UNIX) as first:
        first.connect(str(path))  # the queue is full now
        with pytest.raises(StartError, match="is in use"):
            check_unix(at(path))
    assert path.exists()


def test_any_other_file_stays_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with pytest.raises(StartError, match="is in use"):
        check_unix(at(path))
    assert path.read_text() == "mine"
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(StartError, match="is in use"):
        check_unix(at(link))
    assert link.is_symlink()
    with pytest.raises(StartError, match="is in use"):
        check_unix(at(tmp_path))


def test_a_datagram_socket_stays_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        with pytest.raises(StartError, match="cannot listen: Protocol wrong type for socket"):
            check_unix(at(path))
    assert path.exists()


def test_a_folder_that_is_missing_is_told_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "none" / "s"
    with pytest.raises(StartError) as refusal:
        check_unix(at(path))
    assert str(refusal.value) == (
        f"unix {path}: no such folder; create it: mkdir -p {tmp_path}/none"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_told_with_the_remedy(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StartError) as refusal:
        check_unix(at(tmp_path / "s"))
    assert str(refusal.value) == (
        f"unix {tmp_path}/s: no permission; choose a folder that you may write to"
    )


def test_the_default_backlog_is_generous() -> None:
    assert parse("80").backlog == BACKLOG >= 511


def test_tcp6_takes_no_ipv4_address() -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.1 is no IPv6 address"):
        parse("tcp6:80:interface=127.0.0.1")
