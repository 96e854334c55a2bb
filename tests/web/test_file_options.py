"""What an operator can say about the files: how long they are kept, what stands for what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proto.web.expires import Expires
from proto.web.mime import MediaTypes
from proto.web.site import ProtoSite
from proto.web.static import build_files
from proto.web.tree import build_tree
from proto.web.tryfiles import parse_try_files
from tests.web.threads import Threads
from tests.web.wire import ask, clock_now, site_for


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_bytes(b"0123456789")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "page.html").write_bytes(b"<body>hi</body>")
    (tmp_path / "sub" / "index.html").write_bytes(b"<p>index</p>")
    return tmp_path


def site_with(folder: Path, **options: Any) -> ProtoSite:
    clock = clock_now()
    return site_for(build_tree(None, clock, files=build_files(folder, clock, **options)))


def test_files_of_a_type_may_be_kept_as_long_as_was_chosen(folder: Path) -> None:
    site = site_with(folder, expires=Expires([("text/plain", "max-age=60")]))
    answer = ask(site, "/a.txt")
    assert answer.headers["Cache-Control"] == "max-age=60"
    for asked, status in (
        ({"If_None_Match": answer.headers["ETag"]}, 304),
        ({"Range": "bytes=0-1"}, 206),
    ):
        again = ask(site, "/a.txt", "GET", b"", **asked)
        assert (again.status, again.headers["Cache-Control"]) == (status, "max-age=60")
    assert "Cache-Control" not in ask(site, "/empty").headers
    assert "Cache-Control" not in ask(site, "/a.txt", Range="bytes=99-").headers
    assert ask(site, "/a.txt/none").headers.get("Cache-Control") is None


def test_one_page_stands_for_all_that_are_not_there(folder: Path) -> None:
    site = site_with(folder, try_files=parse_try_files("$uri $uri/ /page.html"))
    page = (folder / "page.html").read_bytes()
    for path in ("/none", "/none/at/all", "/none/", "/a.txt/", "/%2e%2e%5c", "/a%2fb"):
        answer = ask(site, path)
        assert (answer.status, answer.body) == (200, page)
    assert ask(site, "/a.txt").body == b"0123456789"
    assert ask(site, "/sub").headers["Location"] == "/sub/"
    assert ask(site, "/sub/").body == b"<p>index</p>"
    assert ask(site, "/none", "POST").status == 405
    assert ask(site_with(folder, try_files=parse_try_files("$uri =403")), "/none").status == 403


def test_a_fallback_never_shows_what_may_not_be_shown(folder: Path) -> None:
    (folder / ".hidden").write_bytes(b"H")
    site = site_with(folder, try_files=parse_try_files("/.hidden $uri"))
    assert ask(site, "/.hidden").status == 404


def test_what_the_kernel_has_in_memory_is_answered_in_the_same_turn(folder: Path) -> None:
    threads = Threads()
    site = site_with(folder, aside=threads.aside, types=MediaTypes({".png": "image/png"}))
    (folder / "p.png").write_bytes(b"PNG")
    assert ask(site, "/p.png").body == b"PNG"  # nobody has delivered a result of a thread
    threads.aside.stop()


def test_a_disk_that_is_asked_too_much_is_503(folder: Path) -> None:
    threads = Threads()
    threads.aside.stop()
    answer = ask(site_with(folder, aside=threads.aside), "/nobody-asked-before")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
