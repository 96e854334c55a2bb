from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from proto.web.aside import AtOnce
from proto.web.encodings import Maker, find_makers
from proto.web.files import Opened, Root
from proto.web.made import NOT_WORTH_IT, MadeBodies
from tests.web.threads import Held, Threads

TEXT = b"text " * 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_bytes(TEXT)
    (tmp_path / "b.txt").write_bytes(TEXT + b"b")
    return tmp_path


def opened(folder: Path, name: str = "a.txt") -> Opened:
    return Root(folder).open((name.encode(),))


def make(bodies: MadeBodies, file: Opened, coding: str = "gzip") -> Deferred[bytes]:
    return bodies.make(file, coding, AtOnce(), b"")


def results_of(*deferreds: Deferred[Any]) -> list[Any]:
    results: list[Any] = []
    for deferred in deferreds:
        deferred.addBoth(results.append)
    return results


class Counting:
    """A maker that says how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, data: bytes) -> bytes:
        self.calls += 1
        return data[: len(data) // 2]


def test_a_body_is_made_once_and_then_kept(folder: Path) -> None:
    counting = Counting()
    bodies = MadeBodies(AtOnce(), makers={"gzip": Maker(counting, "")})
    with opened(folder) as file:
        assert bodies.kept(file.version, "gzip") is None
        assert results_of(make(bodies, file)) == [TEXT[:250]]
        assert bodies.kept(file.version, "gzip") == TEXT[:250]
    assert counting.calls == 1


def test_it_is_what_the_coding_says(folder: Path) -> None:
    bodies = MadeBodies(AtOnce(), makers=find_makers())
    with opened(folder) as file:
        (body,) = results_of(make(bodies, file))
    assert gzip.decompress(body) == TEXT


def test_another_version_or_coding_is_another_body(folder: Path) -> None:
    bodies = MadeBodies(AtOnce())
    with opened(folder) as file:
        results_of(make(bodies, file))
        assert bodies.kept(file.version, "br") is None
        os.utime(folder / "a.txt", (1, 1))
        with opened(folder) as changed:
            assert bodies.kept(changed.version, "gzip") is None


@pytest.fixture
def held() -> Iterator[Held]:
    work = Held()
    yield work
    work.let_go()


def test_many_who_want_the_same_body_wait_for_one(folder: Path, held: Held) -> None:
    threads = Threads()
    calls: list[bytes] = []

    def slowly(data: bytes) -> bytes:
        calls.append(data)
        held()
        return b"made"

    bodies = MadeBodies(threads.aside, makers={"gzip": Maker(slowly, "")})
    with opened(folder) as file:
        waiting = results_of(*(make(bodies, file) for _ in range(5)))
        assert held.begun.wait(20)
        assert waiting == []
        held.let_go()
        threads.until(lambda: waiting)
    assert waiting == [b"made"] * 5
    assert calls == [TEXT]
    threads.aside.stop()


def test_what_gets_no_smaller_is_remembered_as_such(folder: Path) -> None:
    bodies = MadeBodies(AtOnce(), makers={"gzip": Maker(lambda data: data + b"!", "")})
    with opened(folder) as file:
        assert results_of(make(bodies, file)) == [NOT_WORTH_IT]
        assert bodies.kept(file.version, "gzip") == NOT_WORTH_IT


def test_a_file_that_changes_while_it_is_read_gives_no_body(folder: Path) -> None:
    bodies = MadeBodies(AtOnce())
    with opened(folder) as file:
        (folder / "a.txt").write_bytes(TEXT + b"more")
        assert results_of(make(bodies, file)) == [NOT_WORTH_IT]
        assert bodies.kept(file.version, "gzip") is None


def test_what_was_not_asked_for_the_longest_is_forgotten(folder: Path) -> None:
    makers = {"gzip": Maker(Counting(), "")}
    bodies = MadeBodies(AtOnce(), makers=makers, room=2 * (250 + 512) + 10)
    (folder / "c.txt").write_bytes(TEXT + b"cc")
    files = {name: opened(folder, f"{name}.txt") for name in "abc"}
    for name in "ab":
        results_of(make(bodies, files[name]))
    assert bodies.kept(files["a"].version, "gzip")
    results_of(make(bodies, files["c"]))
    kept = {name for name, file in files.items() if bodies.kept(file.version, "gzip")}
    assert kept == {"a", "c"}
    for file in files.values():
        file.close()


def test_when_too_much_waits_to_be_made_the_file_is_sent_as_it_is(folder: Path) -> None:
    threads = Threads()
    threads.aside.stop()
    bodies = MadeBodies(threads.aside)
    with opened(folder) as file:
        assert results_of(make(bodies, file)) == [NOT_WORTH_IT]
        assert bodies.kept(file.version, "gzip") is None


def test_a_disk_that_fails_is_told_to_all_who_wait(folder: Path) -> None:
    bodies = MadeBodies(AtOnce())
    file = opened(folder)
    os.close(file.fd)
    (failure,) = results_of(make(bodies, file))
    assert failure.check(OSError)
