from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from proto.chat.names import (
    RESERVED,
    NameEmpty,
    NameInvalid,
    NameLooksLike,
    NameRefused,
    NameReserved,
    Names,
    NameTaken,
    NameTooLong,
    NameUnchanged,
    fold,
    is_given,
    valid_identifier,
    valid_name,
)
from proto.chat.text import clean


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("bob", "bob"),
        ("  Bob ", "Bob"),
        ("\uff22\uff2f\uff22", "BOB"),  # full width
        ("e\u0301a", "\u00e9a"),
        ("\u65e5\u672c", "\u65e5\u672c"),
        ("\u05e9\u05dc\u05d5\u05dd", "\u05e9\u05dc\u05d5\u05dd"),
        ("x" * 32, "x" * 32),
        ("bob-2_b.c", "bob-2_b.c"),
    ],
)
def test_a_name_is_letters_and_digits_of_any_script(wanted: str, name: str) -> None:
    assert valid_name(wanted) == name


@pytest.mark.parametrize(
    ("wanted", "refusal"),
    [
        ("", NameEmpty),
        ("   ", NameEmpty),
        ("x" * 33, NameTooLong),
        ("\u65e5" * 17, NameTooLong),  # 34 columns
        ("a" + "\u0301" * 64, NameTooLong),
        ("bob smith", NameInvalid),
        ("bob\u3000smith", NameInvalid),
        ("/bob", NameInvalid),
        ("!bob", NameInvalid),
        ("*", NameInvalid),
        ("\U0001f600", NameInvalid),
        ("a\u05d0", NameInvalid),  # mixed directions
        ("Server", NameReserved),
        ("ADMIN", NameReserved),
        ("\u0430dmin", NameReserved),  # Cyrillic a
        ("\u0410DMIN", NameReserved),  # Cyrillic A
        ("guest-7", NameReserved),
        ("GUEST-house", NameReserved),
        ("gue\u0455t-7", NameReserved),  # Cyrillic s
        ("192.0.2.7", NameReserved),
        ("192.0.2.7:4242", NameInvalid),
        ("2001:db8::1", NameInvalid),
        ("server:", NameInvalid),
        ("al,bo", NameInvalid),
        ("bob.", NameInvalid),
        ("\u01c3", NameInvalid),
        ("\u01c3private", NameInvalid),
        ("127.o.o.1", NameReserved),
        ("admi\u0307n", NameReserved),
        ("ADM\u0130N", NameReserved),
        ("l92.O.2.7", NameReserved),
    ],
)
def test_a_name_that_cannot_be_had_is_refused_with_its_reason(
    wanted: str, refusal: type[NameRefused]
) -> None:
    with pytest.raises(refusal) as raised:
        valid_name(wanted)
    assert type(raised.value) is refusal
    assert str(raised.value).endswith(".")


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_every_reserved_name_is_refused(name: str) -> None:
    with pytest.raises(NameReserved):
        valid_name(name)


def test_a_refusal_speaks_of_what_was_to_be_named() -> None:
    with pytest.raises(NameInvalid, match="A room is one word, without spaces"):
        valid_identifier("my den", "room")


@given(st.text(max_size=80))
def test_whatever_is_a_name_is_one_visible_word_that_fits_and_stays_itself(wanted: str) -> None:
    try:
        name = valid_name(wanted)
    except NameRefused:
        return
    assert 0 < wcswidth(name) <= 32
    assert name.split() == [name]
    assert name[0].isalnum()
    assert valid_name(name) == name
    assert fold(fold(name)) == fold(name)


def test_names_are_the_same_however_they_are_capitalised() -> None:
    names: Names[str] = Names()
    names.change(names.assign(None, "first"), "Stra\u00dfe", "first")
    assert names.holder("STRASSE") == "first"
    second = names.assign(None, "second")
    with pytest.raises(NameTaken, match="strasse is taken"):
        names.change(second, "strasse", "second")
    assert names.holder(second) == "second"


@pytest.mark.parametrize("wanted", ["paypaI", "p\u0430ypal", "PAYPA1", "\u0420AYPAL"])
def test_a_name_that_looks_like_one_taken_is_refused(wanted: str) -> None:
    names: Names[str] = Names()
    names.change(names.assign(None, "first"), "paypal", "first")
    second = names.assign(None, "second")
    with pytest.raises(NameLooksLike):
        names.change(second, wanted, "second")


def test_one_may_take_a_variant_of_ones_own_name_but_not_the_same() -> None:
    names: Names[str] = Names()
    names.change(names.assign(None, "me"), "bob", "me")
    with pytest.raises(NameUnchanged):
        names.change("bob", "bob", "me")
    assert names.change("bob", "BOB", "me") == "BOB"
    assert names.change("BOB", "b\u043eb", "me") == "b\u043eb"
    assert names.holder("bob") is None
    assert len(names) == 1


def test_a_released_name_and_its_looks_are_free() -> None:
    names: Names[str] = Names()
    names.change(names.assign(None, "first"), "modem", "first")
    names.release("modem")
    assert len(names) == 0
    assert names.change(names.assign(None, "second"), "modern", "second") == "modern"


def test_a_newcomer_is_called_by_the_address_unless_it_is_shared_or_hidden() -> None:
    names: Names[int] = Names()
    assert names.assign("192.0.2.1", 1) == "192.0.2.1"
    assert names.assign("192.0.2.1", 2) == "guest-1"
    assert names.assign(None, 3) == "guest-2"
    assert names.assign("2001:db8::1", 4) == "2001:db8::1"
    names.release("192.0.2.1")
    assert names.assign("192.0.2.1", 5) == "192.0.2.1"


@pytest.mark.parametrize("absurd", ["x" * 100_000, "", " ", "\U0001f600", "\ud800"])
def test_nobody_bears_a_name_that_cannot_be(absurd: str) -> None:
    names: Names[int] = Names()
    assert names.holder(absurd) is None


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("guest-1", True),
        ("192.0.2.1", True),
        ("2001:db8::1", True),
        ("192.0.2.1:4242", True),
        ("guest", False),
        ("bob", False),
        ("1984", False),
    ],
)
def test_a_name_that_the_server_gave_is_known(name: str, given: bool) -> None:
    assert is_given(name) is given


def test_whatever_the_server_gives_is_known_as_given_and_nobody_can_choose_it() -> None:
    names: Names[int] = Names()
    for holder, address in enumerate(["192.0.2.1", "192.0.2.1", None, "2001:db8::1"]):
        name = names.assign(address, holder)
        assert is_given(name)
        with pytest.raises(NameRefused):
            valid_name(name)


def test_a_name_is_free_unless_somebody_else_bears_it_or_one_that_looks_like_it() -> None:
    names: Names[str] = Names()
    names.change(names.assign(None, "first"), "paypal", "first")
    names.check_free("bob")
    with pytest.raises(NameTaken, match="PAYPAL is taken"):
        names.check_free("PAYPAL")
    with pytest.raises(NameLooksLike, match="paypaI looks like a name that is taken"):
        names.check_free("paypaI")
    names.check_free("PAYPAL", "first")
    names.check_free("paypaI", "first")
    with pytest.raises(NameTaken):
        names.check_free("paypal", "second")
    names.release("paypal")
    names.check_free("paypaI")


def test_everyone_who_has_a_name_is_listed_once() -> None:
    names: Names[str] = Names()
    assert names.holders() == []
    first = names.assign(None, "first")
    names.assign("192.0.2.1", "second")
    names.change(first, "bob", "first")
    assert sorted(names.holders()) == ["first", "second"]
    names.release("bob")
    assert names.holders() == ["second"]


def test_what_is_not_seen_is_taken_out_of_a_name_so_that_it_is_the_same_at_every_door() -> None:
    assert valid_name("a\u200db\u200b") == "ab"
    assert valid_name("\u0930\u094d\u200d\u091c") == valid_name("\u0930\u094d\u091c")
    assert clean(valid_name("\u0930\u094d\u200d\u091c")) == valid_name("\u0930\u094d\u091c")
