from __future__ import annotations

from dataclasses import replace

from benchmarks import disk
from benchmarks.chatcases import EACH_LINE, NOT_BESIDE_FROZEN, STRONGEST, chat
from benchmarks.contest import Case
from benchmarks.load.chat import FanOut
from benchmarks.load.dialect import IRC, OURS, PLAIN
from benchmarks.scale import FULL, Scale


def names(case: Case) -> list[str]:
    return [contestant.name for contestant in case.contestants]


def case_of(words: str, scale: Scale = FULL) -> Case:
    return next(case for case in chat(scale) if words in case.title)


def test_with_little_time_only_the_strongest_chats_are_measured_and_it_is_said() -> None:
    for case in chat(replace(FULL, every_chat=False)):
        if "one sender" not in case.title:
            assert names(case) == [name for name in STRONGEST if name in names(case)]
            assert names(case)[0] == "proto, on disk"
            assert "the weaker chats left out: there is little time" in case.remarks


def test_a_chat_table_tells_where_the_lines_were_kept() -> None:
    for case in chat(FULL):
        if "one sender" not in case.title:  # nobody there keeps them
            assert case.remarks[0] == f"on disk: {disk.described(None)}"


def test_with_one_sender_ours_is_compared_to_those_who_write_each_line() -> None:
    for scale in (FULL, replace(FULL, every_chat=False)):
        case = case_of("one sender", scale)
        assert names(case) == [name for name in EACH_LINE if name in names(case)]
        assert names(case)[:2] == ["proto, memory", "uvloop Protocol"]
        for contestant in case.contestants:
            load = contestant.load
            assert isinstance(load, FanOut)
            assert (load.readers, load.senders, load.window) == (100, 1, 1)


def test_who_cannot_stand_beside_the_frozen_is_left_out_and_it_is_said_why() -> None:
    case = case_of("read nothing", replace(FULL, with_sink=True))
    assert not NOT_BESIDE_FROZEN.keys() & set(names(case))
    assert "asyncio streams left out: it waits for whoever reads nothing" in case.remarks
    assert not [remark for remark in case.remarks if remark.startswith("sink")]


def test_everybody_is_spoken_to_as_it_wants() -> None:
    expected = {"proto, on disk": OURS, "proto, memory": OURS, "ngircd": IRC}
    for contestant in case_of("10 readers").contestants:
        assert isinstance(contestant.load, FanOut)
        assert contestant.load.dialect is expected.get(contestant.name, PLAIN)
