from __future__ import annotations

import msgspec
import pytest

from proto.metrics import Metrics
from proto.web.handlers import Handlers
from proto.web.proxy.overview import POLICY
from proto.web.proxy.servers import Group, Server
from proto.web.proxy.status import count_group, mount_status
from proto.web.site import ProtoSite
from tests.web.wire import ask, site_of


def group_of(*names: str) -> Group:
    return Group([Server(name, 80) for name in names], "round_robin", lambda: 0.0)


def site_with(groups: dict[str, Group]) -> ProtoSite:
    handlers = Handlers()
    mount_status(handlers, groups)
    return site_of(handlers=handlers)


@pytest.mark.parametrize("accept", ["", "*/*", "text/html,application/xhtml+xml,*/*;q=0.8"])
def test_who_does_not_ask_for_json_gets_the_page(accept: str) -> None:
    answer = ask(site_with({"/app": group_of("a", "b")}), "/status/upstreams", Accept=accept)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert (answer.headers["Vary"], answer.headers["Cache-Control"]) == ("Accept", "no-store")
    assert b"<td>a:80</td>" in answer.body


@pytest.mark.parametrize(
    ("target", "accept"),
    [
        ("/status/upstreams", "application/json"),
        ("/status/upstreams.json", "text/html"),
        ("/status/upstreams.json", ""),
    ],
)
def test_who_asks_for_json_gets_it(target: str, accept: str) -> None:
    answer = ask(site_with({"/app": group_of("a", "b")}), target, Accept=accept)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    groups = msgspec.json.decode(answer.body)["groups"]
    assert [each["server"] for each in groups[0]["servers"]] == ["a:80", "b:80"]


def test_it_shows_how_things_are_now() -> None:
    groups = {"/app": group_of("a", "b")}
    site = site_with(groups)

    def states() -> list[list[str]]:
        body = ask(site, "/status/upstreams.json").body
        found = msgspec.json.decode(body)["groups"]
        return [[one["state"] for one in group["servers"]] for group in found]

    assert states() == [["up", "up"]]
    groups["/app"].members[1].drain()
    groups["/b"] = group_of("c")
    assert states() == [["up", "drained"], ["up"]]


def test_nobody_can_change_anything_there() -> None:
    site = site_with({})
    refused = ask(site, "/status/upstreams", "POST", b"x")
    assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
    assert ask(site, "/status/upstreams", "HEAD").status == 200
    assert ask(site, "/status").status == 404


def test_prometheus_is_told_who_is_up() -> None:
    metrics, group = Metrics(), group_of("a", "b")
    count_group(metrics, "/app", group)
    group.members[1].drain()
    told = metrics.render().decode()
    assert 'proto_web_proxy_up{group="/app",server="a:80"} 1.0' in told
    assert 'proto_web_proxy_up{group="/app",server="b:80"} 0.0' in told
    group.update([Server("b", 80), Server("c", 80)])
    count_group(metrics, "/app", group)
    told = metrics.render().decode()
    for name, up in [("a", "0.0"), ("b", "1.0"), ("c", "1.0")]:
        assert f'proto_web_proxy_up{{group="/app",server="{name}:80"}} {up}' in told
