from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from proto.web.proxy.balancing import METHODS
from proto.web.proxy.health import State
from proto.web.proxy.servers import MOST_SERVERS, Group, Member, Server, parse_server


class Now:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def server(name: str, **options: Any) -> Server:
    return Server(name, 80, **options)


def group_of(*servers: Server, method: str = "round_robin", now: Now | None = None) -> Group:
    return Group(servers, method, now or Now(), Random(1))


def take(group: Group, *tried: Server) -> Member:
    """Begin a request wherever it is sent."""
    member = group.choose("192.0.2.1", tried)
    assert member is not None
    member.begin()
    return member


def fail(group: Group, *names: str) -> None:
    """Let one request fail at each of these."""
    for name in names:
        member = group.find(f"{name}:80")
        assert member is not None
        member.begin()
        member.done(False, "refused")


def taken(group: Group, count: int = 10) -> set[str]:
    """Who gets some requests that all go well."""
    hosts = set()
    for _ in range(count):
        member = take(group)
        member.done(True)
        hosts.add(member.server.host)
    return hosts


@pytest.mark.parametrize(
    ("text", "server", "base"),
    [
        ("http://a:8000", Server("a", 8000, False, 1, False, 1, 10.0, 0.0, 0, False), ""),
        ("http://a:1", Server("a", 1), ""),
        ("http://a:65535", Server("a", 65_535), ""),
        ("https://A.example", Server("a.example", 443, True), ""),
        ("http://10.0.0.1/", Server("10.0.0.1", 80), ""),
        ("HTTP://[2001:DB8:0::1]:81/b/c%20d/", Server("2001:db8::1", 81), "/b/c%20d"),
        (
            "http://a:8000/base weight=3 max_fails=2 fail_timeout=10s slow_start=30s max_conns=100"
            " backup",
            Server("a", 8000, False, 3, True, 2, 10.0, 30.0, 100),
            "/base",
        ),
        (
            " http://a  drain \n fail_timeout=500ms ",
            Server("a", 80, fail_timeout=0.5, drain=True),
            "",
        ),
    ],
)
def test_a_server_is_a_url_with_words_behind_it(text: str, server: Server, base: str) -> None:
    assert parse_server(text) == (server, base)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no URL such as"),
        ("a:8000", "is no URL such as"),
        ("ftp://a", "is no URL such as"),
        ("http://", "is no URL such as"),
        ("http://user@a", "is no URL such as"),
        ("http://a_:80", "is no URL such as"),
        ("http://ä", "is no URL such as"),
        ("http://a/ä", "is no URL such as"),
        ("http://a:0", "has no port from 1 to 65535"),
        ("http://a:65536", "has no port from 1 to 65535"),
        ("http://unix:run", "is no URL such as"),
        ("http://[::g]", "is no URL such as"),
        ("http://[::1::]", "is no address"),
        ("http://10.0.0.256", "is no address"),
        ("http://a/b?c", "has more than a path"),
        ("http://a/b#c", "has more than a path"),
        ("http://a/b/../c", "dot segments"),
        ("http://a/%", "percent sign"),
        ("http://a weight=0", "weight=0 is no whole number from 1 to 10000"),
        ("http://a max_fails=x", "max_fails=x is no whole number from 0 to 1000"),
        ("http://a max_conns=-1", "max_conns=-1 is no whole number from 0 to 1000000"),
        ("http://a fail_timeout=0", "fail_timeout=0 is no time from 0.1s to 24h"),
        ("http://a slow_start=2d", "slow_start=2d is no time from 0s to 24h"),
        ("http://a backup backup", "backup is given twice"),
        ("http://a down", "'down' is none of weight="),
    ],
)
def test_what_is_no_server_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_server(text)
    assert why in str(caught.value)


def test_a_name_has_brackets_around_an_ipv6_address() -> None:
    assert [server("a").name, Server("::1", 81).name] == ["a:80", "[::1]:81"]
    assert Server("/run/a.socket", 0).name == "unix:/run/a.socket"


@pytest.mark.parametrize(
    ("servers", "method", "why"),
    [
        ([], "round_robin", "1 to 1000 servers"),
        ([server(f"h{at}") for at in range(MOST_SERVERS + 1)], "random", "1 to 1000 servers"),
        ([server("a"), server("a", weight=2)], "random", "a:80 is given twice"),
        ([server("a", backup=True)], "random", "at least one server must be no backup"),
        ([server("a")], "fair", "'fair' is none of round_robin, least_conn, ip_hash, random"),
    ],
)
def test_what_is_no_group_is_refused(servers: list[Server], method: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Group(servers, method, Now())


@pytest.mark.parametrize("method", sorted(METHODS))
def test_each_method_chooses_among_those_that_are_up(method: str) -> None:
    group = group_of(server("a"), server("b"), server("c"), method=method)
    fail(group, "a", "b")
    assert taken(group) == {"c"}


def test_a_request_counts_while_it_is_under_way() -> None:
    group = group_of(server("a"), server("b"), method="least_conn")
    one, two = take(group), take(group)
    assert {one.name, two.name} == {"a:80", "b:80"}
    two.done(True)
    assert take(group) is two
    assert (one.active, one.requests, two.active, two.requests) == (1, 1, 1, 2)


def test_more_requests_cannot_end_than_began() -> None:
    member = take(group_of(server("a")))
    member.done(True)
    with pytest.raises(RuntimeError, match="a:80: more requests ended than began"):
        member.done(True)


def test_a_failure_is_told_and_cut() -> None:
    now = Now()
    group = group_of(server("a"), now=now)
    member = take(group)
    member.done(False, "x" * 1_000)
    assert member.last_error is not None
    assert (member.failures, member.last_error.at, len(member.last_error.detail)) == (1, 100, 200)


def test_a_client_that_leaves_says_nothing_of_the_server() -> None:
    group = group_of(server("a"), server("b"))
    member = take(group)
    member.done(None)
    assert (member.failures, member.active, member.is_up) == (0, 0, True)


def test_a_trial_that_its_client_left_is_followed_by_another() -> None:
    now = Now()
    group = group_of(server("a"), now=now)
    fail(group, "a")
    now.at += 10
    member = take(group)
    assert not member.is_up
    member.done(None)
    assert (member.is_up, member.state) == (True, State.TRIAL)


def test_with_the_same_random_numbers_the_same_are_chosen() -> None:
    def names() -> list[str]:
        group = group_of(server("a"), server("b"), server("c"), method="random")
        assert group.method == "random"
        return [take(group).name for _ in range(20)]

    assert names() == names()


def test_a_server_that_failed_is_asked_once_after_its_time_out_and_then_like_all() -> None:
    now = Now()
    group = group_of(server("a"), server("b"), now=now)
    fail(group, "a")
    assert taken(group) == {"b"}
    now.at += 10
    waiting = [take(group) for _ in range(6)]
    assert Counter(one.name for one in waiting) == {"a:80": 1, "b:80": 5}
    for one in waiting:
        one.done(True)
    assert taken(group) == {"a", "b"}


def test_the_head_of_an_answer_ends_a_trial_however_long_the_rest_takes() -> None:
    now = Now()
    group = group_of(server("a"), server("b"), now=now)
    fail(group, "a")
    now.at += 10
    trial = next(one for one in (take(group), take(group)) if one.name == "a:80")
    seen = [trial.state]
    trial.answered()
    seen.append(trial.state)
    assert trial.active == 1
    trial.done(True)
    assert [*seen, trial.state] == [State.TRIAL, State.UP, State.UP]


def test_a_server_that_comes_back_slowly_gets_little_at_first() -> None:
    now = Now()
    group = group_of(server("a", slow_start=100), server("b"), now=now)
    fail(group, "a")
    now.at += 10
    taken(group)
    now.at += 25
    names = Counter(take(group).name for _ in range(100))
    assert names == {"a:80": 20, "b:80": 80}
    now.at += 75
    assert Counter(take(group).name for _ in range(100)) == {"a:80": 50, "b:80": 50}


def test_a_backup_is_asked_only_when_no_other_can_be() -> None:
    group = group_of(server("a"), server("b", max_conns=1), server("c", backup=True))
    assert taken(group) == {"a", "b"}
    fail(group, "a")
    assert taken(group) == {"b"}
    busy = take(group)
    assert taken(group) == {"c"}
    busy.done(True)
    assert taken(group) == {"b"}


def test_who_was_tried_is_not_asked_again_and_a_backup_may_be() -> None:
    a, b, c = server("a"), server("b"), server("c", backup=True)
    group = group_of(a, b, c)
    assert take(group, a).name == "b:80"
    assert take(group, a, b).name == "c:80"
    assert group.choose("", [a, b, c]) is None


def test_when_nobody_is_up_those_that_are_down_are_asked_all_the_same() -> None:
    group = group_of(server("a"), server("b"), server("c", backup=True))
    fail(group, "a", "b", "c")
    assert not any(member.is_up for member in group.members)
    member = take(group)
    assert member.name in {"a:80", "b:80"}
    member.done(True)
    assert member.is_up
    assert taken(group) == {member.server.host}


def test_a_server_that_is_alone_is_asked_whatever_failed() -> None:
    group = group_of(server("a"))
    fail(group, "a", "a", "a")
    assert taken(group) == {"a"}


def test_who_is_full_or_drained_is_not_asked_even_when_nobody_else_is_left() -> None:
    group = group_of(server("a", max_conns=2), server("b"))
    group.members[1].drain()
    take(group)
    one = take(group)
    assert group.choose("") is None
    one.done(True)
    assert take(group) is one


def test_a_full_group_does_not_send_to_those_that_are_down() -> None:
    group = group_of(server("a", max_conns=1), server("b"))
    fail(group, "b")
    take(group)
    assert group.choose("") is None


def test_a_drained_server_ends_what_it_has_and_gets_nothing_new() -> None:
    group = group_of(server("a"), server("b"))
    one = take(group)
    one.drain()
    assert (one.state, one.is_up, one.active) == (State.DRAINED, False, 1)
    assert one.server.host not in taken(group)
    one.done(True)
    one.undrain()
    assert one.is_up
    assert taken(group) == {"a", "b"}


def test_a_drained_server_may_start_slowly_again() -> None:
    one = group_of(server("a", slow_start=10)).members[0]
    seen = [one.state]
    one.undrain()
    seen.append(one.state)
    one.drain()
    one.undrain()
    assert [*seen, one.state] == [State.UP, State.UP, State.SLOW]


def test_checks_are_told_and_count() -> None:
    group = group_of(server("a"), server("b"))
    one = group.members[0]
    one.checked(False, "status 503", rise=1, fall=1)
    assert (one.state, one.is_up) == (State.DOWN, False)
    assert one.last_check is not None
    assert one.last_error is one.last_check
    assert (one.last_check.passed, one.last_check.detail) == (False, "status 503")
    one.checked(True, "status 200", rise=1, fall=1)
    assert one.is_up
    assert one.last_check.detail == "status 200"
    assert one.last_error.detail == "status 503"


def test_somebody_is_told_who_goes_down_and_who_comes_back() -> None:
    told: list[tuple[str, State]] = []
    now = Now()
    group = Group(
        [server("a", max_fails=2), server("b")],
        "random",
        now,
        changed=lambda member: told.append((member.name, member.state)),
    )
    fail(group, "a", "a", "a", "b")
    now.at += 10
    one = group.members[0]
    one.begin()
    one.done(True)
    one.checked(False, "status 503", rise=1, fall=1)
    assert told == [
        *[("a:80", State.DOWN), ("b:80", State.DOWN)],
        *[("a:80", State.UP), ("a:80", State.DOWN)],
    ]


def test_who_stays_in_a_group_keeps_what_is_known_of_it() -> None:
    group = group_of(server("a"), server("b"), server("c"))
    fail(group, "a")
    busy = next(one for one in (take(group), take(group)) if one.name == "b:80")
    gone = group.update([server("b", weight=3), server("d"), server("a", max_fails=2)])
    assert [member.name for member in gone] == ["c:80"]
    assert [member.name for member in group.members] == ["b:80", "d:80", "a:80"]
    assert group.find("b:80") is busy
    assert (busy.active, busy.server.weight) == (1, 3)
    assert taken(group) == {"b", "d"}
    group.update([server("b"), server("d"), server("a", max_fails=0)])
    assert taken(group) == {"a", "b", "d"}
    gone[0].done(True)
    assert group.find("c:80") is None


def test_a_list_can_drain_and_undrain() -> None:
    group = group_of(server("a"), server("b", drain=True))
    assert taken(group) == {"a"}
    group.update([server("a", drain=True), server("b")])
    assert taken(group) == {"b"}


def test_newcomers_start_slowly_and_are_not_given_what_others_are_owed() -> None:
    group = group_of(server("a", weight=9), server("b"))
    take(group)
    group.update([server("a"), server("b"), server("c", slow_start=10)])
    assert group.members[2].state is State.SLOW
    assert [member.credit for member in group.members] == [0, 0, 0]


def test_a_list_that_is_no_group_changes_nothing() -> None:
    group = group_of(server("a"), server("b"))
    with pytest.raises(ValueError, match="given twice"):
        group.update([server("c"), server("c")])
    assert taken(group) == {"a", "b"}
