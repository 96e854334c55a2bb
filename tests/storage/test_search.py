"""What a search finds, with each of the real databases."""

from __future__ import annotations

from proto.chat.history import Lines, Span
from tests.storage.waiting import Asker


def test_a_search_finds_words_in_any_order_case_and_accent(where: str) -> None:
    asker = Asker(where)
    asker.log.start()
    texts = ["Hello, W\u00d6RLD!", "hello moon", "na\u00efve caf\u00e9", "\u6771\u4eac\u3067", "!!"]
    for text in texts:
        asker.say("lobby", text)
    asker.say("den", "hello den")
    asker.wait(6)
    for words, expected in {
        "hello": texts[:2],
        "HEL": texts[:2],
        "world hello": texts[:1],
        "wo he": texts[:1],
        "cafe NAIVE": texts[2:3],
        "caf\u00c9": texts[2:3],
        "\u4eac": texts[3:4],
        "ello": [],
        "den": [],
        "hello'); DROP TABLE lines --": [],
        'hel"lo': [],
        'hel" "wor*': texts[:1],
        "moon OR world": [],
        "lobby": [],
        "1": [],
        "1\u00b7hello": [],
    }.items():
        assert asker.found("lobby", words) == expected, words
    assert asker.found("attic", "hello") == []
    asker.log.close()


def test_a_search_without_a_letter_is_refused(where: str) -> None:
    asker = Asker(where)
    asker.log.start()
    for words in ("", "!!", '"', "' & |", "\u00b7", "\U0001f600"):
        assert asker.search("lobby", words) == "Search for what? Letters or digits are needed."
    asker.log.close()


def test_a_search_gives_the_newest_below_a_number_and_says_whether_there_is_more(
    where: str,
) -> None:
    asker = Asker(where)
    asker.log.start()
    for number in range(1, 21):
        asker.say("lobby", f"{'even' if number % 2 == 0 else 'odd'} {number}")
    asker.wait(20)
    for span, expected, more in (
        (Span(3), [16, 18, 20], True),
        (Span(3, before=16), [10, 12, 14], True),
        (Span(3, before=8), [2, 4, 6], False),
        (Span(10), list(range(2, 21, 2)), False),
        (Span(2, after=16), [18, 20], False),
        (Span(2, after=4), [6, 8], True),
    ):
        lines = asker.search("lobby", "even", span)
        assert isinstance(lines, Lines)
        assert ([line.sequence for line in lines.lines], lines.more) == (expected, more)
    asker.log.close()
