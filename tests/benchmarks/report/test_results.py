from __future__ import annotations

import json
from dataclasses import replace

import pytest

from benchmarks.report.results import ResultsUnreadable, by_name, decoded, encoded, merged
from tests.benchmarks.report.made import entry, of, summary


def test_what_is_encoded_comes_back_as_it_was() -> None:
    entries = [
        replace(
            entry(proto=summary(1 / 3, less=True), Go="it said <&> \N{SNOWMAN}\n"),
            remarks=("the disk is slow",),
            beside=("Go",),
        ),
        replace(entry(), beside=()),
        entry(proto=replace(summary(1), p50=0.001, longest=0.5)),
    ]
    assert decoded(encoded(entries)) == entries


def test_what_was_read_is_encoded_as_it_was() -> None:
    text = encoded([entry(proto=summary(300))])
    assert encoded(decoded(text)) == text


def test_what_is_kept_can_be_compared_line_by_line() -> None:
    text = encoded([entry()])
    assert json.loads(text)[0]["facts"]["proto"] == "0.1.0"
    assert '"median": 300.0,\n' in text
    assert text.endswith("]\n")


@pytest.mark.parametrize(
    "text",
    ["", "{}", '[{"title": 1}]', "[", encoded([entry()]).replace("300.0", '"many"')],
)
def test_what_is_something_else_is_refused(text: str) -> None:
    with pytest.raises(ResultsUnreadable):
        decoded(text)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ResultsUnreadable):
        decoded(b'[{"title": "\xff"}]')


def test_a_case_without_contestants_is_refused() -> None:
    with pytest.raises(ResultsUnreadable, match="without contestants"):
        encoded([replace(entry(), results={})])


def test_the_first_and_whoever_is_named_like_it_are_ours() -> None:
    results = {"no lines": "broke", "Go": "broke too", "proto, memory": "lost lines"}
    assert entry(**results).failures() == ["no lines: broke", "proto, memory: lost lines"]
    assert entry().failures() == []


def test_whether_less_is_better_is_known_while_one_has_not_failed() -> None:
    assert entry(proto="broke", Go=summary(1, less=True)).less
    assert not entry().less


def test_facts_are_found_by_their_first_word() -> None:
    assert by_name("date      today, 12:00\npython    CPython 3.11\nempty\n") == {
        "date": "today, 12:00",
        "python": "CPython 3.11",
    }


def test_a_benchmark_that_was_run_again_replaces_all_it_had_and_the_others_stay() -> None:
    old = [of("echo", "echo: 1"), of("echo", "echo: 64"), of("chat", "chat: 10")]
    new = [of("echo", "echo: 1000")]
    assert merged(old, new, ["chat", "echo"]) == [old[2], new[0]]
    assert merged(old, new, ["echo", "chat"]) == [new[0], old[2]]


def test_a_benchmark_that_is_no_more_is_dropped() -> None:
    assert merged([of("gone", "gone: 1")], [of("echo", "echo: 1")], ["echo"]) == [
        of("echo", "echo: 1")
    ]
