from __future__ import annotations

from proto.web.proxy.cache.entry import OVERHEAD, Entry, Terms, Variants


def test_an_entry_grows_older_with_the_clock_and_never_younger() -> None:
    entry = Entry(200, b"OK", (), b"", 1000.0, 5.0, Terms(lifetime=20))
    assert entry.age(1000) == 5
    assert entry.age(1010) == 15
    assert entry.age(900) == 5  # the clock was set back
    assert entry.remaining(1010) == 5
    assert entry.remaining(1016) == -1


def test_the_first_value_of_a_field_is_found_however_it_is_written() -> None:
    entry = Entry(200, b"OK", ((b"ETag", b'"a"'), (b"etag", b'"b"')), b"", 0, 0, Terms(0))
    assert entry.value(b"etag") == b'"a"'
    assert entry.value(b"expires") == b""


def test_what_is_kept_costs_at_least_its_bytes() -> None:
    entry = Entry(200, b"OK", ((b"A", b"x" * 1000),), b"y" * 5000, 0, 0, Terms(0))
    assert entry.cost > 6000 + OVERHEAD
    assert Variants((b"accept",), b"g").cost > OVERHEAD
