from __future__ import annotations

import pytest

from proto.web.expires import Expires, parse_rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("image/*=30d", ("image/*", "max-age=2592000")),
        ("text/html=10m", ("text/html", "max-age=600")),
        ("*/*=5", ("*/*", "max-age=5")),
        ("Application/JSON=1w", ("application/json", "max-age=604800")),
        ("a/b=1y", ("a/b", "max-age=31536000")),
        ("a/b=2h", ("a/b", "max-age=7200")),
        ("text/html=no-cache", ("text/html", "no-cache")),
        ("text/html=no-store", ("text/html", "no-store")),
    ],
)
def test_a_rule_is_a_type_and_a_time(text: str, rule: tuple[str, str]) -> None:
    assert parse_rule(text) == rule


@pytest.mark.parametrize(
    "text", ["", "image", "image/*", "image=1d", "*=1d", "image/*=", "image/*=-1", "a/b=1d1h"]
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no rule"):
        parse_rule(text)


def test_the_most_specific_rule_counts_and_of_equals_the_later() -> None:
    rules = ["*/*=1", "image/*=2", "image/png=3", "image/png=4"]
    expires = Expires(map(parse_rule, rules))
    assert expires.of("image/png") == "max-age=4"
    assert expires.of("image/gif") == "max-age=2"
    assert expires.of("Text/HTML; charset=utf-8") == "max-age=1"


def test_without_a_rule_nothing_is_said() -> None:
    assert Expires().of("image/png") == ""
    assert Expires([parse_rule("image/*=1")]).of("text/html") == ""
