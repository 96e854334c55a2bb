from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proto.web.cached import NotInMemory
from proto.web.dates import http_date
from proto.web.expires import Expires
from proto.web.files import Opened, Root
from proto.web.mime import MediaTypes
from proto.web.representation import NotAcceptable, Representation, Selecting
from tests.web.descriptors import open_below

NOW = 1_700_000_000.0
CHANGED = 1_600_000_000
TEXT = b"text " * 100


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    put(tmp_path / "a.txt", TEXT)
    yield tmp_path
    assert open_below(tmp_path) == []


def put(path: Path, contents: bytes, changed: float = CHANGED) -> None:
    path.write_bytes(contents)
    os.utime(path, (changed, changed))


def select(
    folder: Path, accept: str, name: str = "a.txt", **options: Any
) -> tuple[Representation, bytes]:
    """What is selected, and what is in the file that stays open for it."""
    root = Root(folder)
    names = (name.encode(),)
    options.setdefault("types", MediaTypes())
    selected = Selecting(root, **options).select(root.open(names), names, accept)
    with selected.file as file:
        return selected.representation, os.pread(file.fd, 1000, 0)


def test_without_a_coding_it_is_the_file_itself(folder: Path) -> None:
    chosen, contents = select(folder, "")
    assert contents == TEXT
    assert (chosen.coding, chosen.beside, chosen.is_made) == ("", None, False)
    assert (chosen.content_type, chosen.names) == ("text/plain; charset=utf-8", (b"a.txt",))
    assert chosen.source.size == len(TEXT)
    assert chosen.varies  # as another request would get a coding that is made


def test_what_lies_beside_is_preferred_to_what_can_be_made(folder: Path) -> None:
    put(folder / "a.txt.gz", b"GZ")
    put(folder / "a.txt.zst", b"ZST")
    for accept, coding, expected in (
        ("gzip, br", "gzip", b"GZ"),
        ("gzip, br, zstd", "zstd", b"ZST"),
        ("gzip;q=0.1, br;q=0.2", "br", TEXT),
        ("", "", TEXT),
    ):
        chosen, contents = select(folder, accept)
        assert (chosen.coding, contents) == (coding, expected)
        assert chosen.is_made is (coding == "br")
        assert chosen.varies


def test_what_lies_beside_and_is_older_is_of_another_version(folder: Path) -> None:
    put(folder / "a.txt.gz", b"OLD", CHANGED - 1)
    chosen, contents = select(folder, "gzip")
    assert (chosen.is_made, contents) == (True, TEXT)


def test_a_folder_or_what_may_not_be_shown_does_not_lie_beside(folder: Path) -> None:
    (folder / "a.txt.gz").mkdir()
    (folder / "a.txt.br").symlink_to("/etc/hostname")
    for accept in ("gzip", "br"):
        assert select(folder, accept)[0].is_made


def test_a_type_that_is_not_made_may_lie_beside_all_the_same(folder: Path) -> None:
    put(folder / "d.bin", b"D" * 999)
    assert not select(folder, "gzip", "d.bin")[0].varies
    put(folder / "d.bin.gz", b"GZ")
    chosen, contents = select(folder, "gzip", "d.bin")
    assert (chosen.content_type, contents) == ("application/octet-stream", b"GZ")
    assert select(folder, "", "d.bin")[0].varies


def test_a_packed_type_is_sent_as_it_is(folder: Path) -> None:
    put(folder / "p.png", b"P" * 999)
    put(folder / "p.png.gz", b"GZ")
    chosen, contents = select(folder, "gzip", "p.png")
    assert (contents[:1], chosen.coding, chosen.varies) == (b"P", "", False)


def test_each_representation_has_a_tag_of_its_own(folder: Path) -> None:
    tags = {select(folder, accept)[0].validators(NOW).etag for accept in ("", "br", "gzip", "zstd")}
    put(folder / "a.txt.gz", b"GZ")
    tags.add(select(folder, "gzip")[0].validators(NOW).etag)
    assert len(tags) == 5
    assert all(tag.startswith('"') for tag in tags)  # each of them is strong


def test_the_date_is_that_of_what_is_sent(folder: Path) -> None:
    put(folder / "a.txt.gz", b"GZ", CHANGED + 60)
    assert select(folder, "")[0].validators(NOW).modified == CHANGED
    assert select(folder, "br;q=1, gzip;q=0")[0].validators(NOW).modified == CHANGED
    assert select(folder, "gzip")[0].validators(NOW).modified == CHANGED + 60


def test_the_head_tells_validators_and_what_caches_need(folder: Path) -> None:
    chosen, _ = select(folder, "", expires=Expires([("text/plain", "max-age=5")]))
    assert chosen.fields(chosen.validators(NOW)) == [
        ("ETag", chosen.validators(NOW).etag),
        ("Last-Modified", http_date(CHANGED)),
        ("Accept-Ranges", "bytes"),
        ("Vary", "Accept-Encoding"),
        ("Cache-Control", "max-age=5"),
    ]
    put(folder / "tiny.txt", b"t")
    tiny, _ = select(folder, "gzip", "tiny.txt")
    assert [name for name, _ in tiny.fields(tiny.validators(NOW))] == [
        "ETag",
        "Last-Modified",
        "Accept-Ranges",
    ]


def test_who_refuses_everything_gets_nothing(folder: Path) -> None:
    put(folder / "tiny.txt", b"t")
    with pytest.raises(NotAcceptable):
        select(folder, "gzip, identity;q=0", "tiny.txt")


def test_a_value_that_is_kept_is_the_same_as_long_as_the_files_are(folder: Path) -> None:
    before, _ = select(folder, "gzip")
    assert select(folder, "gzip")[0] == before
    put(folder / "a.txt", TEXT, CHANGED + 1)
    assert select(folder, "gzip")[0] != before


def test_at_once_nobody_asks_the_disk_and_nothing_stays_open(folder: Path) -> None:
    root = Root(folder)
    file: Opened = root.open((b"a.txt",))
    with pytest.raises(NotInMemory):
        Selecting(root, MediaTypes()).select(file, (b"a.txt",), "", at_once=True)
