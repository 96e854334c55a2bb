from __future__ import annotations

from pathlib import Path

import pytest
from twisted.python.usage import UsageError

from proto.errors import StartError
from proto.tap.web import Options, WebSettings
from proto.tap.webdav import Shared, check
from tests.web.test_passwords import HASH


def settings(*arguments: str) -> WebSettings:
    options = Options()
    options.parseOptions(list(arguments))
    result = options.read(WebSettings)
    assert isinstance(result, WebSettings)
    return result


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users"
    path.write_text(f"ann:{HASH}\n")
    return path


@pytest.mark.parametrize(
    ("text", "path", "folder"),
    [
        ("share", "/dav", "share"),
        ("/srv/share", "/dav", "/srv/share"),
        ("/files=share", "/files", "share"),
        ("/files/=/srv/a=b", "/files", "/srv/a=b"),
        ("/=share", "/", "share"),
        ("a=b", "/dav", "a=b"),
    ],
)
def test_a_folder_stands_at_dav_unless_it_is_said(text: str, path: str, folder: str) -> None:
    assert Shared.parse(text) == Shared(path, Path(folder))


def test_a_folder_for_those_in_a_file_or_for_everybody(tmp_path: Path, users: Path) -> None:
    check(settings())
    check(settings("--dav", str(tmp_path), "--dav-users", str(users)))
    check(settings("--dav", str(tmp_path), "--dav-open"))


@pytest.mark.parametrize("text", ["", "/a=", "/a?b=c", "/../x=c"])
def test_what_is_no_folder_is_refused(text: str) -> None:
    with pytest.raises((SystemExit, UsageError)) as caught:
        settings("--dav", text)
    assert "--dav" in str(caught.value)
    assert "\n" not in str(caught.value)


def refusal(*arguments: str) -> str:
    with pytest.raises(StartError) as caught:
        check(settings(*arguments))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_nobody_is_let_in_by_mistake(tmp_path: Path, users: Path) -> None:
    share = ("--dav", str(tmp_path))
    assert "--dav-users FILE, or say --dav-open" in refusal(*share)
    assert "leave out one" in refusal(*share, "--dav-users", str(users), "--dav-open")
    assert "--dav-users: " in refusal(*share, "--dav-users", str(tmp_path / "none"))


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "no such folder" in refusal("--dav", str(tmp_path / "none"), "--dav-open")


def test_options_without_a_folder_are_a_mistake(users: Path) -> None:
    for option in (("--dav-users", str(users)), ("--dav-open",), ("--dav-read-only",)):
        assert refusal(*option) == f"{option[0]}: there is no --dav; add one"


def test_several_processes_share_no_locks(tmp_path: Path) -> None:
    share = ("--dav", str(tmp_path), "--dav-open", "--workers", "2")
    assert "leave out --workers" in refusal(*share)
    check(settings(*share, "--dav-read-only"))


@pytest.mark.parametrize(
    ("shared", "locked"), [("/dav", "/dav/a"), ("/dav", "/DAV//%61/b"), ("/", "/private")]
)
def test_a_lock_within_the_folder_that_a_copy_would_pass_by_is_refused(
    tmp_path: Path, users: Path, shared: str, locked: str
) -> None:
    given = ("--dav", f"{shared}={tmp_path}", "--dav-open", "--auth", f"{locked}={users}")
    said = refusal(*given)
    assert f"--auth {locked}: " in said
    assert f"lock {shared}, or add --dav-read-only" in said
    check(settings(*given, "--dav-read-only"))


@pytest.mark.parametrize("locked", ["/dav", "/DAV/", "/", "/dave"])
def test_a_lock_around_the_folder_or_beside_it_is_taken(
    tmp_path: Path, users: Path, locked: str
) -> None:
    check(settings("--dav", str(tmp_path), "--dav-open", "--auth", f"{locked}={users}"))
