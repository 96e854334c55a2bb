from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.web.proxy.cache.entry import Variants
from proto.web.proxy.cache.keys import (
    KEYED,
    MOST_NAMES,
    is_selected,
    key_of,
    selecting,
    variant_key,
    vary_names,
)
from tests.web.proxy.cache.origin import ask, lines


def test_a_key_is_a_file_name_that_nobody_can_choose() -> None:
    key = key_of(b"", ask(target="/../../etc/passwd"))
    assert len(key) == 64
    assert int(key, 16)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ask(target="/a"), ask(target="/b")),
        (ask(target="/a?x=1"), ask(target="/a?x=2")),
        (ask(target="/a"), ask(target="/A")),
        (ask(host="a.test"), ask(host="b.test")),
        *((ask(), ask(f"{name.decode()}: evil")) for name in KEYED if name != b"host"),
        (ask("X-Forwarded-Path: /a"), ask("X-Forwarded-Path: /b")),
        (ask("Forwarded: for=a;host=b"), ask('Forwarded: for="a;host=b, by=c", host=evil')),
    ],
)
def test_what_tells_urls_apart_tells_keys_apart(one: object, other: object) -> None:
    assert key_of(b"", one) != key_of(b"", other)  # type: ignore[arg-type]


def test_a_head_and_other_fields_have_the_key_of_the_get() -> None:
    assert key_of(b"", ask()) == key_of(b"", ask("Cookie: a", method="HEAD", host="A.Test"))


def test_who_asked_is_no_part_of_the_key() -> None:
    one = ask("Forwarded: for=a;proto=http;host=b", "X-Forwarded-For: a")
    other = ask("Forwarded: For=c;proto=http;host=b, for=d;Host=B;proto=http;by=e")
    assert key_of(b"", one) == key_of(b"", other)


def test_scopes_are_kept_apart() -> None:
    assert key_of(b"/app", ask()) != key_of(b"/api", ask())
    assert key_of(b"a", ask(target="b")) != key_of(b"", ask(target="ab"))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], ()),
        (["Foo"], (b"foo",)),
        (["B, a", "b"], (b"a", b"b")),
        (["*"], None),
        (["*, *"], None),
        (["*", "*"], None),
        ([", *"], None),
        (["", "*"], None),
        (["*, Foo"], None),
        (["Foo, *"], None),
        ([", ".join(f"f{n}" for n in range(MOST_NAMES + 1))], None),
    ],
)
def test_by_what_an_answer_varies(values: list[str], expected: tuple[bytes, ...] | None) -> None:
    assert vary_names(lines(*(f"Vary: {value}" for value in values))) == expected


@pytest.mark.parametrize(
    ("name", "one", "other", "same"),
    [
        ("Foo", ["1"], ["1"], True),
        ("Foo", ["1"], ["2"], False),
        ("Foo", ["1"], [], False),
        ("Foo", [], [], True),
        ("Foo", [""], [], False),
        ("Foo", ["1, 2"], ["1", "2"], True),
        ("Foo", ["1", "2"], ["2", "1"], False),
        ("Foo", ["a"], ["A"], False),
        ("Accept-Language", ["en, de"], ["EN,de"], True),
        ("Accept-Language", ["en, de"], ["de, en"], False),
        ("Accept-Encoding", ["gzip;q=1.0, br"], ["gzip; q=1.0,br"], True),
    ],
)
def test_requests_that_select_the_same_variant(
    name: str, one: list[str], other: list[str], same: bool
) -> None:
    first = lines(*(f"{name}: {value}" for value in one))
    second = lines(*(f"{name}: {value}" for value in other))
    names = (name.lower().encode(),)
    variants = Variants(names, b"g")
    assert is_selected(names, first, second) is same
    assert (variant_key(b"k", variants, first) == variant_key(b"k", variants, second)) is same


@given(st.lists(st.binary(max_size=3), max_size=3), st.lists(st.binary(max_size=3), max_size=3))
def test_what_is_there_never_equals_what_is_absent(one: list[bytes], other: list[bytes]) -> None:
    first = selecting(b"x", [(b"x", value) for value in one])
    second = selecting(b"x", [(b"x", value) for value in other])
    if bool(one) != bool(other):
        assert first != second


def test_another_generation_has_other_keys() -> None:
    keys = {variant_key(b"k", Variants((b"a",), each), []) for each in (b"1", b"2")}
    assert len(keys) == 2
