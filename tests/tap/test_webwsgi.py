from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.python.usage import UsageError

from proto.errors import StartError
from proto.tap.web import Options, WebSettings
from proto.tap.webwsgi import check

MODULE = """
def app(environ, start_response):
    return []
def around(inner):
    return inner
text = "x"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "standing_app.py").write_text(MODULE)
    (tmp_path / "standing_broken.py").write_text("import standing_missing")
    before = list(sys.path)
    yield tmp_path
    sys.path[:] = before
    for name in [name for name in sys.modules if name.startswith("standing_")]:
        del sys.modules[name]


def settings(*arguments: str) -> WebSettings:
    options = Options()
    options.parseOptions(list(arguments))
    result = options.read(WebSettings)
    assert isinstance(result, WebSettings)
    return result


def test_applications_stand_at_the_root_or_at_a_path(folder: Path) -> None:
    given = settings(
        *["--wsgi", "standing_app.app", "--wsgi", "/a=standing_app:app"],
        *["--wsgi-path", str(folder), "--wsgi-middleware", "standing_app:around"],
        *["--wsgi-threads", "4", "--wsgi-queue", "0"],
    )
    assert [(one.path, one.name.module) for one in given.wsgi] == [
        ("/", "standing_app"),
        ("/a", "standing_app"),
    ]
    assert (given.wsgi_threads, given.wsgi_queue) == (4, 0)
    check(given)
    assert sys.path[0] == str(folder)
    assert str(Path.cwd()) in sys.path


def test_there_are_sixteen_threads_and_a_queue_unless_it_is_said() -> None:
    assert (settings().wsgi_threads, settings().wsgi_queue) == (16, 64)
    check(settings())


@pytest.mark.parametrize(
    "arguments",
    [
        ("--wsgi", "app"),
        ("--wsgi", "/a"),
        ("--wsgi", "/a=app"),
        ("--wsgi", "/a?b=standing_app:app"),
        ("--wsgi-middleware", "around"),
        ("--wsgi-threads", "0"),
        ("--wsgi-queue", "-1"),
    ],
)
def test_a_wrong_value_names_the_option(arguments: tuple[str, str]) -> None:
    with pytest.raises((SystemExit, UsageError)) as caught:
        settings(*arguments)
    assert arguments[0] in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("--wsgi", "standing_none:app"),
            "--wsgi standing_none:app cannot be used (ModuleNotFound",
        ),
        (("--wsgi", "standing_broken:app"), "No module named 'standing_missing'): name something"),
        (("--wsgi", "/a=standing_app:none"), "--wsgi standing_app:none cannot be used (Attribute"),
        (("--wsgi", "standing_app:text"), "it is str, which cannot be called"),
        (
            ("--wsgi", "standing_app:app", "--wsgi-middleware", "standing_app:none"),
            "--wsgi-middleware standing_app:none cannot be used",
        ),
    ],
)
def test_what_cannot_be_imported_is_told_in_one_line_with_a_remedy(
    folder: Path, arguments: tuple[str, ...], told: str
) -> None:
    with pytest.raises(StartError) as caught:
        check(settings(*arguments, "--wsgi-path", str(folder)))
    assert told in str(caught.value)
    assert str(caught.value).endswith("; --wsgi-path says where modules are")
    assert "\n" not in str(caught.value)


def test_a_folder_of_modules_is_one(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"--wsgi-path .*/none: not a folder"):
        check(settings("--wsgi", "standing_app:app", "--wsgi-path", str(tmp_path / "none")))


@pytest.mark.parametrize(
    "arguments", [("--wsgi-path", "."), ("--wsgi-middleware", "standing_app:around")]
)
def test_options_without_an_application_are_a_mistake(arguments: tuple[str, str]) -> None:
    with pytest.raises(StartError, match=f"{arguments[0]}: there is no --wsgi; add one"):
        check(settings(*arguments))
