from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.usage import UsageError

from proto.errors import StartError
from proto.metrics import Metrics
from proto.tap.web import Options, WebSettings
from proto.tap.webproxy import check, mount
from proto.web.handlers import Handlers
from proto.web.mounts import Mounts
from proto.web.proxy.probing import Check
from proto.web.proxy.servers import Server
from proto.web.site import ProtoSite
from proto.web.tree import build_tree
from tests.support import connect


class Reactor(MemoryReactorClock):
    """One that calls at once what comes from threads."""

    def callFromThread(self, call: Any, *args: Any) -> None:
        call(*args)


class Process:
    """What a door sees of its process."""

    def __init__(self) -> None:
        self.reactor: Any = Reactor()
        self.metrics = Metrics()


def settings(*arguments: str) -> WebSettings:
    options = Options()
    options.parseOptions(list(arguments))
    result = options.read(WebSettings)
    assert isinstance(result, WebSettings)
    return result


def test_several_paths_have_servers_each_with_its_words() -> None:
    given = settings(
        *["--proxy", "/app=http://a:8000 weight=3 max_fails=2,http://b:8000 backup"],
        *["--proxy", "/=https://c/base", "--proxy-trust", "10.0.0.0/8", "--proxy-trust", "::1"],
        *["--proxy-check", "/health interval=1s", "--proxy-method", "least_conn"],
    )
    assert [route.path for route in given.proxy] == ["/app", "/"]
    assert given.proxy[0].servers == (
        Server("a", 8000, weight=3, max_fails=2),
        Server("b", 8000, backup=True),
    )
    assert given.proxy_trust == (ip_network("10.0.0.0/8"), ip_network("::1"))
    assert given.proxy_check == Check("/health", interval=1.0)
    check(given)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--proxy", "/app"),
        ("--proxy", "app=http://a"),
        ("--proxy", "/app=a:8000"),
        ("--proxy", "/app=http://a weight=0"),
        ("--proxy", "/app=http://a/x,http://b/y"),
        ("--proxy-method", "any"),
        ("--proxy-host", "mine"),
        ("--proxy-trust", "everybody"),
        ("--proxy-keepalive", "-1"),
        ("--proxy-connect-timeout", "0"),
        ("--proxy-check", "health"),
        ("--proxy-cache", "disk"),
    ],
)
def test_a_wrong_value_names_the_option_and_what_was_expected(arguments: tuple[str, str]) -> None:
    with pytest.raises((SystemExit, UsageError)) as caught:
        settings(*arguments)
    told = str(caught.value)
    assert arguments[0] in told
    assert "expected" in told
    assert "\n" not in told


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("/app=http://a,http://a", r"--proxy /app: a:80 is given twice; change"),
        ("/app=http://a backup", "at least one server must be no backup"),
        ("/a//b=http://a", "has an empty part"),
    ],
)
def test_servers_that_make_no_group_are_told_before_anything_starts(text: str, why: str) -> None:
    with pytest.raises(StartError, match=why):
        check(settings("--proxy", text))


@pytest.mark.parametrize(("option", "value"), [("check", "/health"), ("cache", "memory:1M")])
def test_what_belongs_to_a_proxy_is_of_no_use_without_one(option: str, value: str) -> None:
    with pytest.raises(StartError, match=f"--proxy-{option}: there is no --proxy"):
        check(settings(f"--proxy-{option}", value))


def test_a_cache_needs_a_folder_that_can_be_written(tmp_path: Path) -> None:
    place = tmp_path / "none" / "deep"
    with pytest.raises(StartError, match="name a folder that can be written"):
        check(settings("--proxy", "/=http://a", "--proxy-cache", f"files:{place}:1G"))


def test_a_file_of_servers_is_read_before_anything_starts(tmp_path: Path) -> None:
    listed = tmp_path / "servers"
    text = f"/app=@{listed}"
    with pytest.raises(StartError, match="servers: No such file or directory; name a file"):
        check(settings("--proxy", text))
    listed.write_text("http://a\nhttp://a")
    with pytest.raises(StartError, match="--proxy /app: a:80 is given twice; change"):
        check(settings("--proxy", text))
    listed.write_text("http://a\nhttp://b")
    check(settings("--proxy", text))


def test_what_is_asked_for_behind_the_clients_backs_ends_with_the_service() -> None:
    process, mounts = Process(), Mounts()
    clock = process.reactor
    chosen = settings("--proxy", "/app=http://127.0.0.1:1", "--proxy-cache", "memory:64K")
    (part,) = mount(chosen, cast(Any, process), mounts, Handlers())
    part.start()
    tree = build_tree(None, cast(Any, clock), mounts=mounts)
    protocol, wire = connect(ProtoSite(tree, cast(Any, clock), streams=tree.streams), "192.0.2.1")
    ask = b"GET /app HTTP/1.1\r\nHost: site\r\n\r\n"
    protocol.dataReceived(ask)
    server = clock.tcpClients[0][2].buildProtocol(None)
    theirs = StringTransport()
    server.makeConnection(theirs)
    terms = b"Cache-Control: max-age=1, stale-while-revalidate=60\r\n"
    server.dataReceived(b"HTTP/1.1 200 OK\r\n%bContent-Length: 2\r\n\r\nok" % terms)
    clock.advance(2)
    theirs.clear()
    wire.clear()
    protocol.dataReceived(ask)
    assert wire.value().endswith(b"ok")
    assert theirs.value().startswith(b"GET /app ")
    part.close()
    assert theirs.disconnected
