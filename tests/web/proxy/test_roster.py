from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from proto.web.proxy.resource import ProxyResource
from proto.web.proxy.roster import Roster
from proto.web.proxy.routes import Route
from proto.web.proxy.servers import Group, Server
from proto.web.proxy.upstreams import Upstreams


def listed(folder: Path, text: str) -> Route:
    """A path whose servers stand in a file, not read yet."""
    (folder / "servers").write_text(text)
    return Route.parse(f"/app=@{folder / 'servers'}")


def roster_of(route: Route) -> tuple[Roster, ProxyResource, list[str]]:
    """Who answers for it, and a list in which each change is noted."""
    clock, told = Clock(), list[str]()
    group = Group(route.servers, "random", clock.seconds)
    upstreams = Upstreams(group, lambda server, factory: Deferred(), clock)
    resource = ProxyResource(upstreams, route.place, clock, host=None)
    return Roster(route, resource, lambda: told.append("changed")), resource, told


def test_a_file_lists_a_server_in_each_line(tmp_path: Path) -> None:
    route = listed(tmp_path, "# two\n\nhttp://a/x weight=2\r\n  # http://no\nhttp://b/x drain")
    assert (route.servers, route.base) == ((), None)
    read = route.read()
    assert read.servers == (Server("a", 80, weight=2), Server("b", 80, drain=True))
    assert read.base == "/x"


def test_a_path_without_a_file_is_read_already() -> None:
    route = Route.parse("/app=http://a")
    assert route.read() is route


@pytest.mark.parametrize("text", ["", "# none\n", "http://a\nhttp://b/x", "http://a weight=0"])
def test_a_file_that_lists_no_servers_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"a path has servers|no whole number"):
        listed(tmp_path, text).read()


def test_who_stays_keeps_what_is_known_and_redirects_follow(tmp_path: Path) -> None:
    route = listed(tmp_path, "http://a\nhttp://b").read()
    roster, resource, told = roster_of(route)
    members = resource.upstreams.group.members
    members[1].begin()
    listed(tmp_path, "http://b drain\nhttp://c")
    roster.read()
    found = resource.upstreams.group.members
    assert [member.name for member in found] == ["b:80", "c:80"]
    assert found[0] is members[1]
    assert (found[0].active, found[0].is_drained) == (1, True)
    assert resource.place.location(b"http://c/app/x") == b"/app/x"
    assert told == ["changed"]


@pytest.mark.parametrize("text", ["http://a/other", "http://c\nhttp://c", "a:80", "", "\udc80"])
def test_a_list_that_is_wrong_changes_nothing(tmp_path: Path, text: str) -> None:
    roster, resource, told = roster_of(listed(tmp_path, "http://a").read())
    (tmp_path / "servers").write_bytes(text.encode("utf-8", "surrogateescape"))
    roster.read()
    (tmp_path / "servers").unlink()
    roster.read()
    assert [member.name for member in resource.upstreams.group.members] == ["a:80"]
    assert told == []
