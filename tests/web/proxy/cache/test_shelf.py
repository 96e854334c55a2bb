from __future__ import annotations

from collections.abc import Sequence

from proto.web.proxy.cache.entry import Entry, Terms, Variants
from proto.web.proxy.cache.keys import MOST_NAMES
from proto.web.proxy.cache.memory import MemoryStore
from proto.web.proxy.cache.shelf import Shelf
from tests.web.proxy.cache.origin import lines
from tests.web.proxy.cache.results import now

KEY = b"k" * 64
GERMAN = ["Accept-Language: de"]
ENGLISH = ["Accept-Language: en"]


def entry(body: bytes, *vary: str) -> Entry:
    fields = lines(*(f"Vary: {each}" for each in vary))
    return Entry(200, b"OK", tuple(fields), body, 0, 0, Terms(60))


class Library:
    def __init__(self) -> None:
        self.store = MemoryStore(1 << 20)
        self.shelf = Shelf(self.store)

    def keep(self, fields: Sequence[str], entry: Entry, is_worth: bool = True) -> bool:
        return now(self.shelf.keep(KEY, lines(*fields), entry, lambda: is_worth))

    def find(self, *fields: str) -> bytes | None:
        found = now(self.shelf.find(KEY, lines(*fields)))
        return found.entry.body if found.entry else None


def test_an_answer_that_does_not_vary_answers_everybody() -> None:
    library = Library()
    assert library.find() is None
    assert library.keep(GERMAN, entry(b"x"))
    assert library.find(*ENGLISH) == b"x"


def test_variants_are_kept_side_by_side() -> None:
    library = Library()
    for fields, body in ((GERMAN, b"hallo"), (ENGLISH, b"hello"), ([], b"none")):
        assert library.keep(fields, entry(body, "Accept-Language"))
    assert library.find(*GERMAN) == b"hallo"
    assert library.find(*ENGLISH, "Cookie: x") == b"hello"
    assert library.find() == b"none"
    assert library.find("Accept-Language: fr") is None


def test_whoever_drops_one_drops_all_variants_for_ever() -> None:
    library = Library()
    library.keep(GERMAN, entry(b"old", "Accept-Language"))
    now(library.shelf.drop(KEY))
    assert library.find(*GERMAN) is None
    library.keep(ENGLISH, entry(b"new", "Accept-Language"))
    assert library.find(*GERMAN) is None


def test_answers_that_vary_by_this_and_that_are_found_by_both() -> None:
    library = Library()
    library.keep([*GERMAN, "Foo: 1"], entry(b"one", "Accept-Language"))
    library.keep([*GERMAN, "Foo: 2"], entry(b"two", "Foo"))
    assert library.find(*GERMAN, "Foo: 2") == b"two"
    library.keep([*ENGLISH, "Foo: 2"], entry(b"three"))
    assert library.find(*ENGLISH, "Foo: 2") == b"three"
    assert library.find(*GERMAN, "Foo: 2") == b"two"


def test_names_do_not_grow_without_end() -> None:
    library = Library()
    for number in range(MOST_NAMES + 1):
        library.keep([], entry(b"x", f"Foo-{number}"))
    record = now(library.store.get(KEY))
    assert isinstance(record, Variants)
    assert record.names == (f"foo-{MOST_NAMES}".encode(),)


def test_what_is_not_worth_it_is_not_kept() -> None:
    library = Library()
    assert not library.keep([], entry(b"x"), is_worth=False)
    assert not library.keep([], entry(b"x", "Foo"), is_worth=False)
    assert library.store.entries == 0


def test_a_variant_in_the_place_of_an_answer_is_none() -> None:
    library = Library()
    library.keep(GERMAN, entry(b"x", "Accept-Language"))
    place = now(library.shelf.find(KEY, lines(*GERMAN))).place
    now(library.store.put(place, Variants((), b"")))
    assert library.find(*GERMAN) is None
