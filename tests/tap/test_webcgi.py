from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.task import Clock

from proto.errors import StartError
from proto.metrics import Metrics
from proto.tap.web import Options, WebSettings, check
from proto.tap.webcgi import CgiPlace, mount, translation, users
from proto.web.handlers import Handlers
from proto.web.mounts import Mounts
from proto.web.prefix import Prefix
from proto.web.request import WebRequest
from proto.web.target import parse_target


def settings(*arguments: str) -> WebSettings:
    options = Options()
    options.parseOptions(list(arguments))
    result = options.read(WebSettings)
    assert isinstance(result, WebSettings)
    return result


@pytest.mark.parametrize(
    ("text", "path", "folder"),
    [
        ("cgi-bin", "/cgi-bin", "cgi-bin"),
        ("/srv/scripts", "/cgi-bin", "/srv/scripts"),
        ("/srv/htbin/", "/htbin", "/srv/htbin/"),
        ("htbin", "/htbin", "htbin"),
        ("/tools=/srv/a=b", "/tools", "/srv/a=b"),
        ("/a/b=x", "/a/b", "x"),
        ("./a=b", "/cgi-bin", "./a=b"),
    ],
)
def test_a_folder_stands_where_its_name_or_the_option_says(
    text: str, path: str, folder: str
) -> None:
    assert CgiPlace.parse(text) == CgiPlace(path, Path(folder))


@pytest.mark.parametrize("text", ["", "/=x", "/a=", "//=x", "/../a=x", "/a?b=x", "/%zz=x", "a\0"])
def test_what_is_no_folder_and_no_path(text: str) -> None:
    with pytest.raises(ValueError, match=r"folder|path|/"):
        CgiPlace.parse(text)


def test_a_folder_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"^--cgi .*none: no such folder; create it: mkdir"):
        check(settings("--cgi", str(tmp_path / "none")))
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match=r"^--cgi .*file: no such folder; name a folder"):
        check(settings("--cgi", f"/x={tmp_path / 'file'}"))
    check(settings("--cgi", str(tmp_path)))


@pytest.mark.parametrize("option", [("--cgi-env", "A=b"), ("--cgi-pass-authorization",)])
def test_an_option_for_scripts_needs_scripts(option: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(StartError, match=rf"^{option[0]}: there is no --cgi; add one$"):
        check(settings(*option))
    check(settings(*option, "--cgi", str(tmp_path)))


class Process:
    """What a door sees of its process."""

    def __init__(self) -> None:
        self.reactor = Reactor()
        self.metrics = Metrics()


class Reactor(Clock):
    """A clock that calls at once what comes from threads."""

    def callFromThread(self, call: Any, *args: Any) -> None:
        call(*args)


def test_each_folder_is_mounted_and_ends_with_the_service(tmp_path: Path) -> None:
    process, mounts = cast(Any, Process()), Mounts()
    chosen = settings("--cgi", str(tmp_path), "--cgi", f"/tools={tmp_path}", "--cgi-max", "3")
    (part,) = mount(chosen, process, mounts, Handlers())
    assert mounts
    for taken in ("/cgi-bin", "/tools"):
        with pytest.raises(ValueError, match="twice"):
            mounts.add(taken, cast(Any, None))
    assert b"proto_web_cgi_running 0.0" in process.metrics.render()
    closing = part.close()
    assert closing is not None
    assert closing.called


def test_two_folders_cannot_stand_at_one_path(tmp_path: Path) -> None:
    chosen = settings("--cgi", str(tmp_path), "--cgi", str(tmp_path))
    with pytest.raises(ValueError, match="/cgi-bin is given twice"):
        mount(chosen, cast(Any, Process()), Mounts(), Handlers())


def test_without_a_folder_nothing_is_mounted() -> None:
    mounts = Mounts()
    assert mount(settings(), cast(Any, Process()), mounts, Handlers()) == ()
    assert not mounts


def test_a_path_is_translated_to_the_file_that_it_would_stand_for() -> None:
    translate = translation(Path("/srv/www"), [((b"media",), Path("/srv/m"))])
    assert translate((b"a b", b"c")) == b"/srv/www/a b/c"
    assert translate((b"media", b"c")) == b"/srv/m/c"
    assert translate((b"mediax",)) == b"/srv/www/mediax"
    assert translation(None, [((b"media",), Path("/srv/m"))])((b"x",)) is None


class Asked:
    """A request with a password."""

    def __init__(self, target: bytes, authorization: str) -> None:
        self.target = parse_target(target)
        self._authorization = authorization

    def header(self, name: str) -> str:
        return self._authorization


@pytest.mark.parametrize(
    ("target", "authorization", "user"),
    [
        (b"/cgi-bin/x", "Basic YW5uOnNlY3JldA==", b"ann"),
        (b"//CGI-bin/x", "Basic YW5uOnNlY3JldA==", b"ann"),
        (b"/other", "Basic YW5uOnNlY3JldA==", None),
        (b"/cgi-bin/x", "Bearer x", None),
    ],
)
def test_a_name_is_told_only_where_a_password_was_asked_for(
    target: bytes, authorization: str, user: bytes | None
) -> None:
    request = cast(WebRequest, Asked(target, authorization))
    assert users([Prefix.parse("/cgi-bin")])(request) == user
    assert users([])(request) is None
