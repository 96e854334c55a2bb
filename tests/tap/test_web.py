from __future__ import annotations

from pathlib import Path

import pytest

from proto.errors import StartError
from proto.tap.web import Options, WebSettings, check


def settings(*arguments: str) -> WebSettings:
    options = Options()
    options.parseOptions(list(arguments))
    result = options.read(WebSettings)
    assert isinstance(result, WebSettings)
    return result


def test_the_options_of_twisteds_own_web_keep_their_meaning(tmp_path: Path) -> None:
    given = settings(
        *["--listen", "tcp:8081", "--path", str(tmp_path), "--index", "home.html"],
        *["--ignore-ext", ".html", "--mime-type", "text/plain", "--logfile", "access.log"],
        *["--add-header", "X-Served-By: us", "--display-tracebacks"],
    )
    assert [str(port) for port in given.port] == ["tcp 0.0.0.0:8081"]
    assert (given.path, given.index) == (tmp_path, ("home.html",))
    assert (given.ignore_ext, given.mime_type) == ((".html",), "text/plain")
    assert (given.logfile, given.add_header) == (Path("access.log"), (("X-Served-By", "us"),))
    assert given.display_tracebacks
    assert settings("--class", "a.B").class_ == "a.B"
    assert settings("--resource-script", "x.rpy").resource_script == Path("x.rpy")


def test_types_and_indexes_may_be_given_more_than_once() -> None:
    given = settings("--type", ".a=text/a", "--type", ".b=text/b; charset=x", "--index", "i")
    assert given.type == ((".a", "text/a"), (".b", "text/b; charset=x"))
    assert settings("--index", "a", "--index", "b").index == ("a", "b")
    assert settings().index == ("index.html", "index.htm")


def test_only_one_root_is_served(tmp_path: Path) -> None:
    check(settings("--path", str(tmp_path)))
    with pytest.raises(StartError, match="--path and --resource-script: only one of them"):
        check(settings("--path", str(tmp_path), "--resource-script", "x.rpy"))
