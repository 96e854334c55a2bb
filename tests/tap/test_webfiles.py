from __future__ import annotations

from pathlib import Path

import pytest

from proto.errors import StartError
from proto.tap.web import Options, WebSettings, check
from proto.tap.webfiles import HSTS_SECONDS
from proto.web.tryfiles import parse_try_files


def settings(*arguments: str) -> WebSettings:
    options = Options()
    options.parseOptions(list(arguments))
    result = options.read(WebSettings)
    assert isinstance(result, WebSettings)
    return result


def test_several_folders_have_addresses_of_their_own(tmp_path: Path) -> None:
    given = settings("--alias", f"/media={tmp_path}", "--alias", "/a/b/=rel=ative")
    assert given.alias == (((b"media",), tmp_path), ((b"a", b"b"), Path("rel=ative")))


def test_the_other_settings_are_read() -> None:
    given = settings(
        *["--try-files", "$uri /index.html", "--expires", "image/*=30d"],
        *["--expires", "text/html=no-cache", "--error-page", "404,410=/errors/none.html"],
    )
    assert given.try_files == parse_try_files("$uri /index.html")
    assert given.expires == (("image/*", "max-age=2592000"), ("text/html", "no-cache"))
    assert given.error_page == (((404, 410), "/errors/none.html"),)
    assert given.hsts == HSTS_SECONDS
    assert settings("--hsts", "0").hsts == 0


def test_folders_that_are_not_there_are_told_of(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"--alias /media=\S+none: no such folder; create it"):
        check(settings("--alias", f"/media={tmp_path}/none"))
    with pytest.raises(StartError, match="--alias /a is given twice"):
        check(settings("--alias", f"/a={tmp_path}", "--alias", f"/a/={tmp_path}"))
    check(settings("--alias", f"/a={tmp_path}", "--alias", f"/a/b={tmp_path}"))


def test_options_that_do_not_fit_together_are_told_of(tmp_path: Path) -> None:
    path = ["--path", str(tmp_path)]
    with pytest.raises(StartError, match="--try-files and --ignore-ext: leave out one"):
        check(settings(*path, "--try-files", "$uri", "--ignore-ext", ".html"))
    with pytest.raises(StartError, match="--upload needs --upload-token-file"):
        check(settings(*path, "--upload"))
    with pytest.raises(StartError, match="--upload-token-file is for --upload"):
        check(settings(*path, "--upload-token-file", "token"))
    with pytest.raises(StartError, match="--alias and --class: only one of them"):
        check(settings("--alias", f"/a={tmp_path}", "--class", "a.B"))
