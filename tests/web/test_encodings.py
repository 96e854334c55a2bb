from __future__ import annotations

import gzip
import subprocess
import sys

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from proto.web.encodings import (
    IDENTITY,
    MAX_SOURCE,
    MIN_SOURCE,
    choose_coding,
    find_makers,
    is_packed,
    is_worth_making,
    wanted_codings,
)

OFFERS = ("br", "zstd", "gzip")


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("", IDENTITY),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("GZIP ; Q=0.5", "gzip"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, zstd", "zstd"),
        ("gzip;q=1.0, br;q=0.9", "gzip"),
        ("gzip;q=0.5, zstd;q=0.501", "zstd"),
        ("deflate", IDENTITY),
        ("gzip;q=0", IDENTITY),
        ("*", "br"),
        ("*, br;q=0", "zstd"),
        ("*;q=0.5, gzip", "gzip"),
        ("identity", IDENTITY),
        ("identity;q=0.5, gzip;q=0.4", IDENTITY),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0, gzip", "gzip"),
        ("identity;q=0", None),
        ("*;q=0", None),
        ("*;q=0, gzip", "gzip"),
        ("*;q=0, identity;q=0.1", IDENTITY),
        ("gzip;q=2, br;q=x", IDENTITY),
        ("gzip;q=0.0001", IDENTITY),
        (",, ;q=1,", IDENTITY),
    ],
)
def test_the_coding_that_is_liked_best_is_chosen(header: str, chosen: str | None) -> None:
    assert choose_coding(header, OFFERS) == chosen


def test_the_earlier_offer_is_chosen_of_those_that_are_liked_alike() -> None:
    assert choose_coding("br, gzip", ("gzip", "br")) == "gzip"


def test_without_offers_there_is_identity_or_nothing() -> None:
    assert choose_coding("gzip", ()) == IDENTITY
    assert choose_coding("*;q=0", ()) is None


def test_a_long_header_is_not_read_to_its_end() -> None:
    assert len(wanted_codings(",".join(f"c{n}" for n in range(9999)))) == 32


@given(st.text(max_size=60))
def test_any_header_is_read(header: str) -> None:
    assert choose_coding(header, OFFERS) in (None, IDENTITY, *OFFERS)


@pytest.mark.parametrize(
    ("kind", "packed", "worth"),
    [
        ("text/html; charset=utf-8", False, True),
        ("text/javascript", False, True),
        ("application/json", False, True),
        ("application/wasm", False, True),
        ("application/manifest+json", False, True),
        ("image/svg+xml", False, True),
        ("image/x-icon", False, True),
        ("font/ttf", False, True),
        ("application/octet-stream", False, False),
        ("application/x-tar", False, False),
        ("application/pdf", False, False),
        ("image/png", True, False),
        ("video/mp4", True, False),
        ("font/woff2", True, False),
        ("application/gzip", True, False),
        ("application/zip", True, False),
    ],
)
def test_what_is_packed_already_is_left_alone(kind: str, packed: bool, worth: bool) -> None:
    assert is_packed(kind) is packed
    assert is_worth_making(kind, MIN_SOURCE) is worth


def test_tiny_and_huge_files_are_not_worth_it() -> None:
    for size, worth in (
        (MIN_SOURCE - 1, False),
        (MAX_SOURCE, True),
        (MAX_SOURCE + 1, False),
    ):
        assert is_worth_making("text/plain", size) is worth


def test_what_is_made_can_be_read_again_and_is_always_the_same() -> None:
    data = b"".join(b"%d\n" % n for n in range(5000))
    makers = find_makers()
    assert list(makers) == list(OFFERS)
    made = {coding: maker.make(data) for coding, maker in makers.items()}
    assert gzip.decompress(made["gzip"]) == data
    assert brotli.decompress(made["br"]) == data
    assert zstandard.ZstdDecompressor().decompress(made["zstd"]) == data
    assert made == {coding: maker.make(data) for coding, maker in makers.items()}
    assert len({maker.stamp for maker in makers.values()}) == 3


def test_without_the_packages_gzip_is_left() -> None:
    code = (
        "import sys; sys.modules.update(brotli=None, zstandard=None)\n"
        "from proto.web.encodings import find_makers; print(*find_makers())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.split() == [b"gzip"]
