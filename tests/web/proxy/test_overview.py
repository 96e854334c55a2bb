from __future__ import annotations

import base64
import hashlib
import re
from html import unescape

import msgspec

from proto.web.proxy.overview import POLICY, as_json, as_page, standings
from proto.web.proxy.servers import Group, Server


class Now:
    def __init__(self) -> None:
        self.at = 50.0

    def __call__(self) -> float:
        return self.at


def busy_group() -> tuple[Group, Now]:
    """One server that came back a moment ago, and a backup that fails its checks."""
    now = Now()
    servers = [
        Server("a", 80, weight=4, slow_start=20),
        Server("::1", 81, backup=True),
    ]
    group = Group(servers, "least_conn", now)
    one, backup = group.members
    one.begin()
    one.done(False, "no answer <in> time")
    now.at += 10
    one.begin()
    one.done(True)
    one.begin()
    now.at += 5
    backup.checked(False, "status 503", rise=1, fall=1)
    now.at += 2.5
    return group, now


def cells(page: str) -> list[list[str]]:
    """The text of each row of each table, as a person reads it."""
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.S)
    found = []
    for row in rows:
        texts = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.S)
        found.append([unescape(" ".join(re.sub(r"<[^>]*>", "", text).split())) for text in texts])
    return found


def test_a_program_reads_how_each_server_stands() -> None:
    group, _ = busy_group()
    assert msgspec.json.decode(as_json({"/app": group})) == {
        "groups": [
            {
                "group": "/app",
                "method": "least_conn",
                "servers": [
                    {
                        "server": "a:80",
                        "state": "slow",
                        "backup": False,
                        "weight": 4,
                        "weight_now": 1.5,
                        "active": 1,
                        "requests": 3,
                        "failures": 1,
                        "last_check": None,
                        "last_error": {
                            "passed": False,
                            "detail": "no answer <in> time",
                            "ago": 17.5,
                        },
                    },
                    {
                        "server": "[::1]:81",
                        "state": "down",
                        "backup": True,
                        "weight": 1,
                        "weight_now": 1.0,
                        "active": 0,
                        "requests": 0,
                        "failures": 0,
                        "last_check": {"passed": False, "detail": "status 503", "ago": 2.5},
                        "last_error": {"passed": False, "detail": "status 503", "ago": 2.5},
                    },
                ],
            }
        ]
    }


def test_a_person_reads_the_same_in_a_table() -> None:
    group, now = busy_group()
    head, *rows = cells(as_page({"/app": group}).decode())
    assert head == [
        *["Server", "State", "Weight", "Active", "Requests", "Failures"],
        *["Last check", "Last error"],
    ]
    last = "no answer <in> time, 18 s ago"
    assert rows == [
        ["a:80", "slow", "1.5 of 4", "1", "3", "1", "", last],
        ["[::1]:81 (backup)", "down", "1", "0", "0", "0", *["status 503, 2 s ago"] * 2],
    ]
    now.at += 100
    assert cells(as_page({"/app": group}).decode())[1][1:3] == ["up", "4"]


def test_what_a_server_or_a_path_is_called_is_never_markup() -> None:
    group, _ = busy_group()
    page = as_page({"/<b>": group}).decode()
    assert "<b>" not in page
    assert "<in>" not in page
    assert "<h2>/&lt;b&gt;</h2>" in page


def test_the_policy_lets_only_this_script_run_and_ask_only_this_server() -> None:
    page = as_page({}).decode()
    scripts = re.findall(r"<script>(.*?)</script>", page, re.S)
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert len(scripts) == 1
    assert f"script-src 'sha256-{digest}'; connect-src 'self'" in POLICY
    assert POLICY.startswith("default-src 'none';")
    assert not re.search(r"(?:src|href)=|https?://", page)


def test_no_groups_are_no_mistake() -> None:
    assert as_json({}) == b'{"groups":[]}'
    assert b"There are none." in as_page({})


def test_a_clock_that_went_back_makes_nothing_happen_in_the_future() -> None:
    group, now = busy_group()
    now.at = 0
    last = standings({"/app": group})[0].servers[0].last_error
    assert last is not None
    assert last.ago == 0
