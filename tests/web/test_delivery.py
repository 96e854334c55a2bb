from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport

from proto.web.aside import AtOnce
from proto.web.delivery import is_counted
from proto.web.encodings import Maker, find_makers
from proto.web.made import MadeBodies
from proto.web.site import ProtoSite
from proto.web.static import build_files
from proto.web.tree import build_tree
from proto.web.visits import MAX_PAGE, Visits
from tests.support import connect
from tests.web.descriptors import open_below
from tests.web.threads import Held, Threads
from tests.web.wire import ask, clock_now, hang_up, read_answer, request_bytes, site_for

TEXT = b"text " * 100


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder of files; whatever a test does, no descriptor may stay open."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.txt").write_bytes(TEXT)
    (root / "page.html").write_bytes(b"<body>" + TEXT + b"</body>")
    yield root
    assert open_below(root) == []


def site_with(folder: Path, **options: Any) -> ProtoSite:
    clock = clock_now()
    return site_for(build_tree(None, clock, files=build_files(folder, clock, **options)))


def site_making(folder: Path, threads: Threads, make: Callable[[bytes], bytes]) -> ProtoSite:
    """A site whose only coding is made in a thread."""
    made = MadeBodies(threads.aside, makers={"gzip": Maker(make, "")})
    return site_with(folder, aside=threads.aside, made=made)


def begin(site: ProtoSite, path: str, method: str = "GET") -> tuple[Protocol, StringTransport]:
    protocol, wire = connect(site)
    headers = {"Accept-Encoding": "gzip"}
    protocol.dataReceived(request_bytes(path, method, headers, b""))
    return protocol, wire


# Codings


def test_a_coding_is_made_and_is_what_it_says(folder: Path) -> None:
    site = site_with(folder)
    answer = ask(site, "/a.txt", Accept_Encoding="gzip")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(answer.body) == TEXT
    assert ask(site, "/a.txt", Accept_Encoding="gzip") == answer
    head = ask(site, "/a.txt", "HEAD", Accept_Encoding="gzip")
    assert head.headers == answer.headers


def test_without_a_coding_the_answer_varies_all_the_same(folder: Path) -> None:
    answer = ask(site_with(folder), "/a.txt")
    assert (answer.headers["Vary"], answer.body) == ("Accept-Encoding", TEXT)
    assert "Content-Encoding" not in answer.headers


def test_ranges_are_of_the_coded_bytes(folder: Path) -> None:
    site = site_with(folder)
    whole = ask(site, "/a.txt", Accept_Encoding="gzip")
    part = ask(site, "/a.txt", Accept_Encoding="gzip", Range="bytes=5-9")
    assert (part.status, part.body) == (206, whole.body[5:10])
    assert part.headers["Content-Range"] == f"bytes 5-9/{len(whole.body)}"
    assert part.headers["Content-Encoding"] == "gzip"
    assert ask(site, "/a.txt", Accept_Encoding="gzip", Range="bytes=9999-").status == 416


def test_an_unchanged_coding_is_304_without_being_made(folder: Path) -> None:
    tag = ask(site_with(folder), "/a.txt", Accept_Encoding="gzip").headers["ETag"]

    def never(data: bytes) -> bytes:
        raise AssertionError

    makers = {"gzip": Maker(never, find_makers()["gzip"].stamp)}
    site = site_with(folder, made=MadeBodies(AtOnce(), makers=makers))
    answer = ask(site, "/a.txt", Accept_Encoding="gzip", If_None_Match=tag)
    assert (answer.status, answer.headers["Vary"]) == (304, "Accept-Encoding")
    assert ask(site, "/a.txt", Accept_Encoding="gzip", If_Match='"x"').status == 412


def test_what_gets_no_smaller_is_sent_as_it_is(folder: Path) -> None:
    (folder / "noise.txt").write_bytes(os.urandom(400))
    site = site_with(folder)
    for _ in range(2):
        answer = ask(site, "/noise.txt", Accept_Encoding="gzip")
        assert answer.body == (folder / "noise.txt").read_bytes()
        assert "Content-Encoding" not in answer.headers
        assert answer.headers["ETag"] == ask(site, "/noise.txt").headers["ETag"]


def test_who_refuses_all_that_there_is_gets_406(folder: Path) -> None:
    answer = ask(site_with(folder), "/a.txt", Accept_Encoding="compress, identity;q=0")
    assert (answer.status, answer.headers["Vary"]) == (406, "Accept, Accept-Encoding")


def test_others_are_answered_while_a_coding_is_made(folder: Path) -> None:
    threads, held = Threads(), Held()

    def slowly(data: bytes) -> bytes:
        held()
        return b"made"

    site = site_making(folder, threads, slowly)
    protocol, wire = begin(site, "/a.txt")
    other, others_wire = connect(site)
    other.dataReceived(request_bytes("/a.txt", "GET", {}, b""))
    threads.until(lambda: others_wire.value())
    assert read_answer(others_wire)[0].body == TEXT
    assert wire.value() == b""
    held.let_go()
    threads.until(wire.value)
    assert read_answer(wire)[0].body == b"made"
    for each in (protocol, other):
        hang_up(each)
    threads.until(lambda: not open_below(folder))
    threads.aside.stop()


def test_a_peer_that_leaves_while_a_coding_is_made_hurts_nobody(folder: Path) -> None:
    threads, held = Threads(), Held()

    def slowly(data: bytes) -> bytes:
        held()
        return b"made"

    site = site_making(folder, threads, slowly)
    protocol, wire = begin(site, "/a.txt")
    threads.until(held.begun.is_set)
    hang_up(protocol)
    held.let_go()
    threads.until(lambda: not open_below(folder))
    assert wire.value() == b""
    threads.aside.stop()


def test_a_maker_that_fails_is_500_and_closes_the_file(folder: Path) -> None:
    def broken(data: bytes) -> bytes:
        raise MemoryError

    site = site_with(folder, made=MadeBodies(AtOnce(), makers={"gzip": Maker(broken, "")}))
    assert ask(site, "/a.txt", Accept_Encoding="gzip").status == 500


# Files


def test_a_file_is_found_and_sent_through_threads(folder: Path) -> None:
    threads = Threads()
    site = site_with(folder, aside=threads.aside)
    protocol, wire = connect(site)
    protocol.dataReceived(request_bytes("/page.html", "GET", {}, b""))
    threads.until(wire.value)
    assert read_answer(wire)[0].body == (folder / "page.html").read_bytes()
    hang_up(protocol)
    threads.until(lambda: not open_below(folder))
    threads.aside.stop()


def test_a_listing_and_a_404_come_through_threads(folder: Path) -> None:
    threads = Threads()
    site = site_with(folder, aside=threads.aside)
    for path, status in (("/", 200), ("/none", 404)):
        protocol, wire = connect(site)
        protocol.dataReceived(request_bytes(path, "GET", {}, b""))
        threads.until(wire.value)
        assert read_answer(wire)[0].status == status
        hang_up(protocol)
    threads.until(lambda: not open_below(folder))
    threads.aside.stop()


def test_a_peer_that_leaves_before_its_file_is_found_leaves_nothing_open(folder: Path) -> None:
    threads, held = Threads(size=1, share=1), Held()
    stuck = threads.aside.run(b"", held)
    site = site_with(folder, aside=threads.aside)
    protocol, wire = begin(site, "/never-seen-before")
    hang_up(protocol)
    held.let_go()
    threads.until(lambda: stuck.called)
    assert wire.value() == b""
    threads.until(lambda: not open_below(folder))
    threads.aside.stop()


def test_a_page_is_counted_through_threads(folder: Path, tmp_path: Path) -> None:
    threads = Threads()
    visits = Visits(tmp_path / "visits", clock_now())
    site = site_with(folder, aside=threads.aside, visits=visits)
    for count in (1, 2):
        protocol, wire = begin(site, "/page.html")
        threads.until(wire.value)
        answer = read_answer(wire)[0]
        assert b"<footer>Visits: %d</footer></body>" % count in answer.body
        assert "Content-Encoding" not in answer.headers
        hang_up(protocol)
    threads.until(lambda: not open_below(folder))
    threads.aside.stop()


def test_pages_are_counted_up_to_a_size() -> None:
    assert is_counted("text/html; charset=utf-8", MAX_PAGE)
    assert not is_counted("text/html", MAX_PAGE + 1)
    assert not is_counted("text/plain", 1)


# Listings


def test_a_folder_is_listed_where_that_keeps_no_file_waiting(folder: Path) -> None:
    listers, held = Threads(size=1, waiting=1), Held()
    site = site_with(folder, listers=listers.aside)
    listers.aside.run(b"", held)
    assert held.begun.wait(20)
    (first, one), (second, two) = begin(site, "/"), begin(site, "/")
    assert two.value().startswith(b"HTTP/1.1 503 ")
    assert ask(site, "/a.txt").body == TEXT
    assert one.value() == b""
    held.let_go()
    listers.until(one.value)
    assert b"a.txt" in read_answer(one)[0].body
    hang_up(first)
    hang_up(second)


def test_a_folder_is_not_listed_for_who_has_left(folder: Path) -> None:
    listers, held = Threads(size=1), Held()
    site = site_with(folder, listers=listers.aside)
    listers.aside.run(b"", held)
    protocol, wire = begin(site, "/")
    hang_up(protocol)
    held.let_go()
    after: list[object] = []
    listers.aside.run(b"", lambda: None).addCallback(after.append)
    listers.until(lambda: after)
    assert wire.value() == b""
    assert open_below(folder) == []
