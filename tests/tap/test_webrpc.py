from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.python.usage import UsageError

from proto.errors import StartError
from proto.tap.web import Options, WebSettings, check
from proto.tap.webrpc import Source
from proto.web.rpc.registry import Registry

MODULE = """
from proto.web.rpc.registry import Registry


def add(a: int, b: int) -> int:
    return a + b


class Ship:
    def sail(self) -> str:
        return "ahoy"


ship = Ship()
number = 5
registry = Registry()
registry.register("math.add", add)
"""


def settings(*arguments: str) -> WebSettings:
    options = Options()
    options.parseOptions(list(arguments))
    result = options.read(WebSettings)
    assert isinstance(result, WebSettings)
    return result


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module in the current folder, which is not on sys.path."""
    name = "proto_rpc_functions"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield name
    sys.modules.pop(name, None)


def names(*sources: str) -> list[str]:
    registry = Registry()
    for source in sources:
        Source.parse(source).add_to(registry)
    return [method.name for method in registry]


def test_functions_and_whole_registries_are_found_in_the_current_folder(module: str) -> None:
    assert names(f"{module}:registry", f"{module}:add", f"{module}:ship.sail") == [
        *("math.add", "add", "ship.sail"),
    ]
    given = settings("--rpc", f"{module}:registry", "--rpc", f"{module}:add")
    assert given.rpc == (Source(module, "registry"), Source(module, "add"))
    assert (given.rpc_path, given.rpc_xml_path, given.rpc_at_once) == ("/rpc", "/RPC2", 64)
    check(given)


@pytest.mark.parametrize("text", ["calc", "calc:", ":add", "calc:a-b", "a b:c", "calc:add:x", ""])
def test_what_is_no_module_with_a_name_is_told(text: str) -> None:
    with pytest.raises((SystemExit, UsageError)) as caught:
        settings("--rpc", text)
    assert 'expected a module and a name such as "calc:registry"' in str(caught.value)


def test_what_cannot_be_called_is_told_in_one_line(module: str) -> None:
    for source, why in (
        (f"{module}:nothing", "AttributeError"),
        ("proto_no_such_module:add", "ModuleNotFoundError"),
        (f"{module}:number", "which cannot be called"),
    ):
        with pytest.raises(StartError) as refused:
            check(settings("--rpc", source))
        told = str(refused.value)
        assert told.startswith(f"--rpc {source}")
        assert why in told
        assert "\n" not in told
    with pytest.raises(StartError, match="add is registered twice"):
        check(settings("--rpc", f"{module}:add", "--rpc", f"{module}:add"))


def test_origins_without_functions_make_no_sense() -> None:
    with pytest.raises(StartError, match="--rpc-origin is for --rpc"):
        check(settings("--rpc-origin", "https://example.org"))
