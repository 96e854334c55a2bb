from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.chat.skeleton import skeleton


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("admin", "\u0430dmin"),  # Cyrillic a
        ("paypal", "paypaI"),
        ("modern", "modem"),
        ("bill", "bi11"),
        ("scope", "\u0455\u0441\u043e\u0440\u0435"),  # wholly Cyrillic
        ("foo", "f\u03bf\u03bf"),  # Greek omicron
        ("caf\u00e9", "cafe\u0301"),
    ],
)
def test_what_looks_alike_has_one_skeleton(one: str, other: str) -> None:
    assert one != other
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(("one", "other"), [("bob", "rob"), ("cafe", "caf\u00e9"), ("a1", "a2")])
def test_what_looks_different_has_different_skeletons(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)


@given(st.text(max_size=20))
def test_a_skeleton_is_its_own_skeleton(text: str) -> None:
    assert skeleton(skeleton(text)) == skeleton(text)


@pytest.mark.parametrize(("name", "plain"), [("bobbi\u0307", "bobbi"), ("j\u0307o", "jo")])
def test_a_dot_above_a_letter_that_has_one_is_not_seen(name: str, plain: str) -> None:
    assert skeleton(name) == skeleton(plain)


def test_a_dot_above_another_letter_is_seen() -> None:
    assert skeleton("z\u0307") != skeleton("z")
