from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any, Final

import pytest
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import implementer

from proto.web.aside import AtOnce
from proto.web.proxy.cache.entry import Entry, Record, Terms
from proto.web.proxy.cache.files import FileStore
from proto.web.proxy.cache.folder import Folder, Ticket
from tests.web.proxy.cache.origin import Street, answer
from tests.web.proxy.cache.results import now, results_of, soon
from tests.web.threads import Threads

KEY: Final = b"%064x" % 1
MINUTE: Final = "Cache-Control: max-age=60"


def entry(body: bytes = b"hello") -> Entry:
    return Entry(200, b"OK", (), body, 0, 0, Terms(1))


class HeldFolder(Folder):
    """A disk that hangs until it is let go."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, 1 << 20)
        self.go = Event()
        self.begun = Event()

    def read(self, key: bytes) -> Record | None:
        assert self.go.wait(20)
        return super().read(key)

    def write(self, key: bytes, record: Record, ticket: Ticket) -> bool:
        self.begun.set()
        assert self.go.wait(20)
        return super().write(key, record, ticket)


class FullFolder(Folder):
    """A disk that is full, as long as it is."""

    is_full = True

    def write(self, key: bytes, record: Record, ticket: Ticket) -> bool:
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(key, record, ticket)


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    """What is warned of."""
    told: list[str] = []

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        if event.get("log_level") is LogLevel.warn:
            told.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield told
    globalLogPublisher.removeObserver(observe)


def at_once(folder: Folder) -> FileStore:
    return FileStore(folder, AtOnce(), Clock())


def test_records_come_and_go_in_threads(tmp_path: Path) -> None:
    threads = Threads(size=4, share=2)
    store = FileStore(Folder(tmp_path, 1 << 20), threads.aside, Clock())
    assert soon(threads.until, store.put(KEY, entry()))
    assert soon(threads.until, store.get(KEY)) == entry()
    assert (store.size, store.entries) == (4096, 1)
    soon(threads.until, store.remove(KEY))
    assert soon(threads.until, store.get(KEY)) is None
    threads.aside.stop()


def test_a_cache_finds_after_a_restart_what_it_had(tmp_path: Path) -> None:
    street = Street(at_once(Folder(tmp_path, 1 << 20)))
    street.answering = lambda _: answer(MINUTE, "Vary: Foo")
    street.get("Foo: 1")
    again = Street(at_once(Folder(tmp_path, 1 << 20)))
    now(again.store.sweep())
    assert again.get("Foo: 1").told == "proto; hit; ttl=60"
    assert again.store.entries == 2


def test_a_full_disk_keeps_nothing_and_is_told_of_once(tmp_path: Path, warnings: list[str]) -> None:
    folder = FullFolder(tmp_path, 1 << 20)
    street = Street(at_once(folder))
    street.answering = lambda _: answer(MINUTE)
    for _ in range(3):
        assert street.get().body == b"hello"
    assert warnings == [
        f"the cache in {tmp_path} takes nothing: [Errno 28] No space left on device"
    ]
    folder.is_full = False
    street.get()
    assert street.get().told.startswith("proto; hit")
    folder.is_full = True
    street.get(target="/other")
    assert len(warnings) == 2


def test_a_folder_that_is_gone_has_nothing(tmp_path: Path, warnings: list[str]) -> None:
    store = at_once(Folder(tmp_path / "gone", 1 << 20))
    assert now(store.get(KEY)) is None
    assert not now(store.put(KEY, entry()))
    now(store.remove(KEY))
    now(store.sweep())
    assert len(warnings) == 1


def test_a_disk_that_hangs_delays_nobody_for_long(tmp_path: Path) -> None:
    threads = Threads(size=4, share=2)
    folder = HeldFolder(tmp_path)
    clock = Clock()
    store = FileStore(folder, threads.aside, clock, patience=1.0)
    finding = results_of(store.get(KEY))
    clock.advance(0.9)
    assert finding == []
    clock.advance(0.1)
    assert finding == [None]
    folder.go.set()
    threads.aside.stop()


def test_so_much_may_wait_for_the_disk(tmp_path: Path) -> None:
    threads = Threads(size=4, share=2)
    folder = HeldFolder(tmp_path)
    store = FileStore(folder, threads.aside, Clock(), most_waiting=10_000)
    first = results_of(store.put(KEY, entry(bytes(6000))))
    assert results_of(store.put(b"%064x" % 2, entry(bytes(6000)))) == [False]
    folder.go.set()
    threads.until(lambda: first)
    assert first == [True]
    assert soon(threads.until, store.put(b"%064x" % 2, entry(bytes(6000))))
    threads.aside.stop()


def test_what_is_removed_while_it_is_written_does_not_come_back(tmp_path: Path) -> None:
    threads = Threads(size=4, share=2)
    folder = HeldFolder(tmp_path)
    store = FileStore(folder, threads.aside, Clock())
    writing = results_of(store.put(KEY, entry()))
    assert folder.begun.wait(20)
    removing = results_of(store.remove(KEY))
    assert results_of(store.get(KEY)) == [None]
    folder.go.set()
    threads.until(lambda: writing and removing)
    assert writing == [False]
    assert soon(threads.until, store.get(KEY)) is None
    threads.aside.stop()


def test_what_the_disk_did_not_remove_is_found_no_more(tmp_path: Path) -> None:
    class Stubborn(Folder):
        def remove(self, key: bytes) -> None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    store = at_once(Stubborn(tmp_path, 1 << 20))
    assert now(store.put(KEY, entry()))
    now(store.remove(KEY))
    assert now(store.get(KEY)) is None
    assert now(store.put(KEY, entry(b"new")))
    assert now(store.get(KEY)) == entry(b"new")


def test_threads_that_take_nothing_more_are_a_miss(tmp_path: Path) -> None:
    threads = Threads()
    threads.aside.stop()
    store: Any = FileStore(Folder(tmp_path, 1 << 20), threads.aside, Clock())
    assert now(store.get(KEY)) is None
    assert not now(store.put(KEY, entry()))
    now(store.remove(KEY))
    now(store.close())
