from __future__ import annotations

import pytest

from proto.webapi.conditions import Preconditions, is_known, tag_of, tag_of_bytes, versions_of


@pytest.mark.parametrize(
    ("field", "versions"),
    [
        (None, None),
        ("*", None),
        (" * ", None),
        ('"3"', {3}),
        ('"3", "4",W/"5"', {3, 4}),
        ('W/"3"', set()),
        ('"03"', set()),
        ('"0"', set()),
        ('"-1"', set()),
        ('"x"', set()),
        ("3", set()),
        ("", set()),
        ('"1234567890123456789"', set()),
        ('"٣"', set()),
    ],
)
def test_if_match_names_the_versions_that_are_meant(
    field: str | None, versions: set[int] | None
) -> None:
    assert versions_of(Preconditions(if_match=field)) == versions


@pytest.mark.parametrize(
    ("field", "known"),
    [
        (None, False),
        ("", False),
        ("*", True),
        ('"3"', True),
        ('W/"3"', True),
        ('"2", "3"', True),
        ('"33"', False),
        ("3", False),
    ],
)
def test_who_reads_tells_what_they_have(field: str | None, known: bool) -> None:
    assert is_known(Preconditions(if_none_match=field), tag_of(3)) is known


def test_other_bytes_have_another_tag() -> None:
    assert tag_of_bytes(b"a") == tag_of_bytes(b"a") != tag_of_bytes(b"b")
    assert is_known(Preconditions(if_none_match=tag_of_bytes(b"a")), tag_of_bytes(b"a"))
