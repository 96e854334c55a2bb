from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock

from proto.errors import StartError
from proto.web.proxy.cache.files import FileStore
from proto.web.proxy.cache.memcached import MemcachedStore
from proto.web.proxy.cache.memory import MemoryStore
from proto.web.proxy.cache.opening import check_store, open_store
from proto.web.proxy.cache.store import Store, parse_store
from tests.web.proxy.cache.results import results_of


class Nowhere:
    """An endpoint to which nothing connects."""

    def connect(self, _: object) -> Deferred[Any]:
        return fail(OSError("refused"))


def opened(text: str, clock: Clock | None = None) -> tuple[Store, Any]:
    dialled: list[tuple[str, int]] = []

    def dial(host: str, port: int) -> IStreamClientEndpoint:
        dialled.append((host, port))
        return cast(IStreamClientEndpoint, Nowhere())

    found = open_store(
        parse_store(text), clock or Clock(), call_in_reactor=lambda *_: None, dial=dial
    )
    assert dialled == ([("127.0.0.1", 9)] if text.startswith("memcached") else [])
    return found


def test_each_name_opens_its_store(tmp_path: Path) -> None:
    for text, kind in (
        ("memory:64M", MemoryStore),
        (f"files:{tmp_path / 'new'}:1M", FileStore),
        ("memcached:127.0.0.1:9", MemcachedStore),
    ):
        store, close = opened(text)
        assert isinstance(store, kind)
        assert results_of(close()) == [None]


def test_a_folder_is_made_for_nobody_else(tmp_path: Path) -> None:
    _, close = opened(f"files:{tmp_path / 'new'}:1M")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    close()


def test_what_cannot_be_opened_is_told_before_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "none" / "folder"):
        spec = parse_store(f"files:{folder}:1M")
        with pytest.raises(StartError, match="name a folder that can be written to"):
            check_store(spec)
        with pytest.raises(StartError):
            opened(f"files:{folder}:1M")


def test_a_check_leaves_nothing_behind(tmp_path: Path) -> None:
    check_store(parse_store(f"files:{tmp_path / 'new'}:1M"))
    check_store(parse_store("memory:64M"))
    check_store(parse_store("memcached:127.0.0.1:9"))
    assert list(tmp_path.iterdir()) == []


def test_a_memcached_that_is_away_stops_nothing() -> None:
    clock = Clock()
    _, close = opened("memcached:127.0.0.1:9", clock)
    assert clock.getDelayedCalls()
    close()
    assert not clock.getDelayedCalls()
