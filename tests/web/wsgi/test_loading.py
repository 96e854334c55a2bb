from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proto.web.wsgi.loading import CannotLoad, Name, look_in, wrapped

MODULE = """
import sys
def app(environ, start_response): return []
class Holder:
    app = app
def outer(inner): return ("outer", inner) and (lambda *args: ["outer", *inner(*args)])
def inner(inner): return lambda *args: ["inner", *inner(*args)]
def failing(inner): raise RuntimeError("no")
def empty(inner): return None
number = 5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "loadable_app.py").write_text(MODULE)
    (tmp_path / "loadable_broken.py").write_text("raise RuntimeError('two\\nlines')")
    (tmp_path / "loadable_exit.py").write_text("raise SystemExit('gone')")
    (tmp_path / "loadable_syntax.py").write_text("def (")
    before = list(sys.path)
    look_in([tmp_path])
    yield tmp_path
    sys.path[:] = before
    for name in [name for name in sys.modules if name.startswith("loadable_")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    "text", ["loadable_app:app", "loadable_app.app", "loadable_app:Holder.app"]
)
def test_an_application_is_named_in_several_ways(folder: Path, text: str) -> None:
    assert Name.parse(text).load()(None, None) == []


@pytest.mark.parametrize(
    "text", ["", "app", ":app", "a:", "a b:c", "a:b()", "a..b", ".a", "a.b:c.", "/a"]
)
def test_what_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="names nothing"):
        Name.parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("loadable_none:app", "ModuleNotFoundError: No module named 'loadable_none'"),
        ("loadable_app:none", "AttributeError: module 'loadable_app' has no attribute 'none'"),
        ("loadable_broken:app", "RuntimeError: two lines"),
        ("loadable_exit:app", "SystemExit: gone"),
        ("loadable_syntax:app", "SyntaxError: "),
        ("loadable_app:number", "it is int, which cannot be called"),
    ],
)
def test_what_cannot_be_loaded_is_told_in_one_line(folder: Path, text: str, why: str) -> None:
    with pytest.raises(CannotLoad) as told:
        Name.parse(text).load()
    assert str(told.value).startswith(why)
    assert "\n" not in str(told.value)


def test_the_first_around_it_is_the_outermost(folder: Path) -> None:
    names = [Name.parse("loadable_app:outer"), Name.parse("loadable_app:inner")]
    assert wrapped(lambda *args: ["app"], names)() == ["outer", "inner", "app"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("loadable_app:failing", "loadable_app:failing: RuntimeError: no"),
        ("loadable_app:empty", "loadable_app:empty: it made NoneType, which cannot be called"),
        ("loadable_app:none", "loadable_app:none: AttributeError"),
    ],
)
def test_what_makes_nothing_of_it_is_told(folder: Path, text: str, why: str) -> None:
    with pytest.raises(CannotLoad) as told:
        wrapped(len, [Name.parse(text)])
    assert str(told.value).startswith(why)


def test_a_folder_is_looked_in_once_and_first(tmp_path: Path) -> None:
    before = list(sys.path)
    try:
        look_in([tmp_path, tmp_path / "b"])
        look_in([tmp_path])
        assert sys.path[:2] == [str(tmp_path), str(tmp_path / "b")]
        assert sys.path.count(str(tmp_path)) == 1
    finally:
        sys.path[:] = before
