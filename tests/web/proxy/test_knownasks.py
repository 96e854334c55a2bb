from __future__ import annotations

import pytest

from proto.web.http1 import parse_head
from proto.web.proxy.knownasks import Key, KnownAsks
from proto.web.proxy.messages import Ask
from tests.web.proxy.scripted import OK, Proxied, values

ASKED = (Ask(b"GET", b"/", ()), b"")


def key(number: int, size: int = 10) -> Key:
    return (b"%*d" % (size, number), "192.0.2.1", False)


def test_the_oldest_makes_room_and_what_is_long_is_not_kept() -> None:
    known = KnownAsks(most=2, longest=20)
    for number in range(3):
        known.keep(key(number), ASKED)
    known.keep(key(9, 21), ASKED)
    assert [known.get(key(number)) is not None for number in range(3)] == [False, True, True]
    assert known.get(key(9, 21)) is None


@pytest.mark.parametrize("name", ["Authorization", "COOKIE", "Proxy-Authorization"])
def test_what_has_a_secret_is_not_kept(name: str) -> None:
    plain = "GET / HTTP/1.1\r\nHost: x\r\n"
    assert KnownAsks().may_keep(parse_head(f"{plain}\r\n".encode()))
    assert not KnownAsks().may_keep(parse_head(f"{plain}{name}: a\r\n\r\n".encode()))


def test_two_clients_with_one_head_are_told_apart() -> None:
    proxied = Proxied()
    for host in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
        client = proxied.client(host)
        client.get()
        assert values(proxied.servers.last.heard, b"x-real-ip") == [host.encode()]
        proxied.servers.last.say(OK)
        assert client.heard.endswith(b"ok")
