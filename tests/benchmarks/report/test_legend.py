from __future__ import annotations

from benchmarks.report.legend import LEGEND, as_markdown, as_text


def test_the_terminal_gets_every_word_in_lines_that_are_not_too_long() -> None:
    text = as_text()
    assert max(map(len, text.splitlines())) <= 97
    for head, words in LEGEND.items():
        assert " ".join([head, words]) in " ".join(text.split())


def test_the_page_gets_a_list() -> None:
    lines = as_markdown().splitlines()
    assert len(lines) == len(LEGEND)
    assert lines[0].startswith("- **median**: of the rounds")
