from __future__ import annotations

from dataclasses import replace

from benchmarks.commands import peer
from benchmarks.contest import Contestant
from benchmarks.figures import Sample
from benchmarks.load.echo import PingPong
from benchmarks.profile.calls import Calls
from benchmarks.profile.report import render
from benchmarks.profile.rounds import Cost, Found
from benchmarks.profile.stacks import Profile, parsed, profile
from benchmarks.profile.subjects import Subject

SUBJECT = Subject(
    "echo",
    "echo: 64 connections",
    "message",
    "messages",
    Contestant("proto", peer("echo_asyncio"), PingPong(64)),
)
COST = Cost(Sample(amount=60_000, seconds=2.0, worked=0.6, memory=0), user=0.15, system=0.45)
RAW = (
    "thread (1): MainThread;main (app.py:1);poll (app.py:7);send (libc.so.6) 60\n"
    "thread (1): MainThread;main (app.py:1);poll (app.py:7) 15\n"
    "thread (2): writer;step (app.py:30) 25\n"
    "thread (2): writer;step (app.py:30);pthread_cond_wait (libc.so.6) 7\n"
)


def test_a_subject_is_told_with_its_cost_its_threads_its_calls_and_both_tables() -> None:
    calls = Calls(200, {"sendto": 100, "recvfrom": 20})
    beside = replace(COST, sample=replace(COST.sample, worked=0.9))
    assert render(Found(SUBJECT, COST, profile(parsed(RAW)), calls, beside)).splitlines() == [
        "echo: 64 connections",
        "  rate     30,000 messages a second, on a core 30% of the time",
        "  CPU      user 0.15 s, system 0.45 s in 2.00 s",
        "  each     10.00 us of CPU for a message: user 2.50, system 7.50",
        "  py-spy   100 samples: MainThread 75%, writer 25%; left out as waiting for a lock: 7",
        "  perf     200 samples, 15.00 us each: kernel 60% (9.00 us): sendto 50% (7.50 us), "
        "recvfrom 10% (1.50 us)",
        "",
        "  the function itself",
        "   60.0%  send  libc.so.6",
        "   25.0%  step  app.py:30",
        "   15.0%  poll  app.py:7",
        "",
        "  with what it calls",
        "   60.0%  send  libc.so.6",
    ]


def test_the_tables_are_no_longer_than_asked_for() -> None:
    text = render(Found(SUBJECT, COST, profile(parsed(RAW)), Calls(0, {}), COST), top=1)
    assert "step" not in text
    assert "send" in text


def test_parts_of_little_are_told_with_more_decimals() -> None:
    cost = Cost(Sample(amount=4_000_000, seconds=2.0, worked=0.8, memory=0), user=0.6, system=0.2)
    text = render(Found(SUBJECT, cost, profile(parsed(RAW)), Calls(100, {"sendto": 10}), cost))
    assert "  each     0.200 us of CPU for a message: user 0.150, system 0.050\n" in text
    assert "kernel 10% (0.020 us): sendto 10% (0.020 us)" in text


def test_where_nothing_was_seen_it_is_said() -> None:
    nothing = Profile(0, 0, {}, [], frozenset())
    lines = render(Found(SUBJECT, COST, nothing, Calls(0, {}), COST)).splitlines()
    assert lines[4:6] == [
        "  py-spy   0 samples: none; left out as waiting for a lock: 0",
        "  perf: saw nothing",
    ]
    assert "\n  perf is not installed" in render(
        Found(SUBJECT, COST, nothing, "perf is not installed", COST)
    )
