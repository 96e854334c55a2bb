from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proto.web.proxy.cache.entry import Entry, Terms
from proto.web.proxy.cache.memory import MemoryStore
from tests.web.proxy.cache.results import now

KEYS = [b"%064d" % n for n in range(20)]


def entry(size: int) -> Entry:
    return Entry(200, b"OK", (), bytes(size), 0, 0, Terms(1))


def test_what_was_put_is_found_until_it_is_removed() -> None:
    store = MemoryStore(10_000)
    assert now(store.get(KEYS[0])) is None
    assert now(store.put(KEYS[0], entry(10)))
    assert now(store.put(KEYS[0], entry(20)))
    assert now(store.get(KEYS[0])) == entry(20)
    assert store.entries == 1
    now(store.remove(KEYS[0]))
    now(store.remove(KEYS[0]))
    assert now(store.get(KEYS[0])) is None
    assert (store.size, store.entries) == (0, 0)


def test_what_was_used_longest_ago_goes_first() -> None:
    store = MemoryStore(3_000)
    for key in KEYS[:2]:
        assert now(store.put(key, entry(1000)))
    assert now(store.get(KEYS[0]))
    assert now(store.put(KEYS[2], entry(1000)))
    assert now(store.get(KEYS[1])) is None
    assert now(store.get(KEYS[0]))


def test_what_is_larger_than_the_store_replaces_nothing_but_its_key() -> None:
    store = MemoryStore(3_000)
    for key in KEYS[:2]:
        assert now(store.put(key, entry(100)))
    assert not now(store.put(KEYS[0], entry(10_000)))
    assert now(store.get(KEYS[0])) is None
    assert now(store.get(KEYS[1]))


def test_closed_it_holds_nothing() -> None:
    store = MemoryStore(3_000)
    now(store.put(KEYS[0], entry(1)))
    now(store.close())
    assert (store.size, store.entries) == (0, 0)


STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "get", "remove"]), st.sampled_from(KEYS),
              st.integers(0, 12_000)),
    max_size=60,
)  # fmt: skip


@given(STEPS, st.integers(0, 10))
def test_whatever_comes_it_stays_below_its_bounds(
    steps: list[tuple[str, bytes, int]], most: int
) -> None:
    store = MemoryStore(10_000, most_entries=most)
    model: dict[bytes, Entry] = {}
    for what, key, size in steps:
        if what == "put":
            model[key] = entry(size)
            assert now(store.put(key, model[key])) is (now(store.get(key)) is not None)
        elif what == "get":
            assert now(store.get(key)) in (None, model.get(key))
        else:
            now(store.remove(key))
            assert now(store.get(key)) is None
        found = [each for key in KEYS if (each := now(store.get(key)))]
        assert store.entries == len(found) <= most
        assert sum(each.cost for each in found) <= store.size <= 10_000
