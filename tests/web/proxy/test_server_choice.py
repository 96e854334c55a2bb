"""Whatever happened to a group, nobody is asked while somebody better is there."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from proto.web.proxy.balancing import METHODS
from proto.web.proxy.servers import Group, Member, Server


class Now:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "ok", "failed", "left", "wait", "drain", "undrain", "check"]),
        st.integers(0, 4),
        st.booleans(),
    ),
    max_size=60,
)


@given(st.sampled_from(sorted(METHODS)), st.sets(st.integers(0, 4), max_size=4), STEPS)
def test_whatever_happened_nobody_is_asked_before_somebody_better(
    method: str, tried: set[int], steps: list[tuple[str, int, bool]]
) -> None:
    now = Now()
    servers = [
        Server("a", 80, max_conns=2, weight=3),
        Server("b", 80, slow_start=20),
        Server("c", 80, max_fails=2, fail_timeout=5),
        Server("d", 80, backup=True),
        Server("e", 80, backup=True, max_conns=1),
    ]
    group = Group(servers, method, now, Random(1))
    for step, place, flag in steps:
        happen(group, now, step, group.members[place], flag)
        assert_the_best(group, [group.members[each].server for each in tried])
        assert_the_best(group, [])


def happen(group: Group, now: Now, step: str, member: Member, flag: bool) -> None:
    match step:
        case "begin":
            chosen = group.choose("192.0.2.1") if flag else member
            if chosen is not None:
                chosen.begin()
        case "wait":
            now.at += 3
        case "drain":
            member.drain()
        case "undrain":
            member.undrain()
        case "check":
            member.checked(flag, "", rise=2, fall=2)
        case _ if member.active:
            member.done({"ok": True, "failed": False, "left": None}[step])


def assert_the_best(group: Group, tried: list[Server]) -> None:
    left = [each for each in group.members if each.server not in tried and not each.is_drained]
    asked = [each for each in left if each.is_up] or left
    free = [each for each in asked if each.has_room]
    primaries = [each for each in free if not each.server.backup]
    chosen = group.choose("192.0.2.1", tried)
    if chosen is None:
        assert not free
    else:
        assert chosen in (primaries or free)
