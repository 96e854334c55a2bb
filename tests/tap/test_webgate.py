from __future__ import annotations

from pathlib import Path

import pytest
from twisted.python.usage import UsageError

from proto.errors import StartError
from proto.tap.web import Options, WebSettings, check
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


def test_both_may_be_given_more_than_once(users: Path) -> None:
    given = settings(
        *["--rate-limit", "/=100/s", "--rate-limit", "/api=10/s burst=20"],
        *["--auth", f"/a={users}", "--auth", f"/a/b={users}"],
    )
    assert [(rate.prefix.text, rate.burst) for rate in given.rate_limit] == [
        ("/", 100),
        ("/api", 20),
    ]
    assert [(one.prefix.text, one.file) for one in given.auth] == [("/a", users), ("/a/b", users)]
    check(given)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--rate-limit", "/api"),
        ("--rate-limit", "/api=10/y"),
        ("--auth", "/private"),
        ("--auth", "/private="),
        ("--auth", "private=users"),
        ("--auth", "/../x=users"),
    ],
)
def test_a_wrong_value_names_the_option_and_what_was_expected(arguments: tuple[str, str]) -> None:
    with pytest.raises((SystemExit, UsageError)) as caught:
        settings(*arguments)
    told = str(caught.value)
    assert arguments[0] in told
    assert "expected a path and a" in told
    assert "\n" not in told


def test_a_file_that_cannot_be_used_is_told_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"--auth /a: .*users cannot be read"):
        check(settings("--auth", f"/a={tmp_path / 'users'}"))


def test_a_path_is_locked_once(users: Path) -> None:
    with pytest.raises(StartError, match="--auth //A/: given twice"):
        check(settings("--auth", f"/a={users}", "--auth", f"//A/={users}"))


def test_a_file_that_has_a_second_name_cannot_be_locked_by_its_first(users: Path) -> None:
    with pytest.raises(StartError, match=r"by another name too; lock its folder: /docs$"):
        check(settings("--auth", f"/docs/Index.html={users}"))
    check(settings("--auth", f"/docs/plan.html={users}"))
    for option in (("--ignore-ext", ".html"), ("--allow-ignore-ext",)):
        with pytest.raises(StartError, match=r"lock its folder: /docs$"):
            check(settings("--auth", f"/docs/plan.html={users}", *option))
        check(settings("--auth", f"/docs={users}", *option))
