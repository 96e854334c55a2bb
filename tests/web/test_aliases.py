from __future__ import annotations

from pathlib import Path

import pytest

from proto.web.aliases import Aliases, Prefixes
from proto.web.site import ProtoSite
from proto.web.static import build_files
from proto.web.tree import build_tree
from tests.web.wire import ask, clock_now, site_for


@pytest.fixture
def site(tmp_path: Path) -> ProtoSite:
    clock = clock_now()
    folders = []
    for name, base in (("root", ()), ("media", (b"media",)), ("new", (b"media", b"new"))):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "which.txt").write_text(name)
        folders.append(build_files(tmp_path / name, clock, base=base))
    return site_for(build_tree(None, clock, files=Aliases(folders)))


def test_the_longest_prefix_wins() -> None:
    prefixes = Prefixes([((b"a",), 1), ((), 0), ((b"a", b"b"), 2)])
    assert prefixes.find((b"a", b"b", b"c")) == ((b"a", b"b"), 2)
    assert prefixes.find((b"a", b"bc")) == ((b"a",), 1)
    assert prefixes.find((b"ab",)) == ((), 0)
    assert Prefixes([((b"a",), 1)]).find((b"b",)) is None


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/which.txt", "root"),
        ("/media/which.txt", "media"),
        ("/media/new/which.txt", "new"),
    ],
)
def test_a_file_comes_from_the_folder_of_its_prefix(site: ProtoSite, path: str, name: str) -> None:
    assert ask(site, path).body.decode() == name


@pytest.mark.parametrize(
    "path",
    ["/medi/which.txt", "/mediaa/which.txt", "/media/../root/which.txt", "/media//which.txt"],
)
def test_nothing_else_comes_from_there(site: ProtoSite, path: str) -> None:
    assert ask(site, path).status in (400, 404)


def test_a_folder_is_redirected_and_listed_under_its_own_address(site: ProtoSite) -> None:
    assert ask(site, "/media").headers["Location"] == "/media/"
    assert ask(site, "/media/new/sub?a").headers["Location"] == "/media/new/sub/?a"
    listing = ask(site, "/media/sub/").body
    assert b"Files in /media/sub/" in listing
    assert b'href="../"' in ask(site, "/media/").body


def test_without_a_folder_at_the_root_the_rest_is_404(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"A")
    clock = clock_now()
    files = build_files(tmp_path, clock, base=(b"media",))
    site = site_for(build_tree(None, clock, files=Aliases([files])))
    assert ask(site, "/a").status == 404
    assert ask(site, "/media/a").body == b"A"
