from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from proto.web.rpc.faults import INVALID_PARAMS, UNKNOWN_METHOD, RPCError
from proto.web.rpc.registry import LONGEST_NAME, Method, Registry, openrpc, xml_signatures


@dataclass
class Point:
    x: int
    y: int = 0


def add(a: int, b: int = 0) -> int:
    """Add two numbers.

    Or leave one as it is.
    """
    return a + b


def place(point: Point) -> Point:
    return point


def shown(data: bytes, at: datetime, names: list[str], options: dict[str, Any]) -> None:
    pass


def loose(first, *rest: int, **named: str):  # type: ignore[no-untyped-def]
    pass


def method(function: Any) -> Method:
    registry = Registry()
    registry.register("m", function)
    return registry.find("m")


def why(function: Any, *positional: Any, **named: Any) -> str:
    with pytest.raises(RPCError) as refused:
        method(function).bind(positional, named)
    assert (refused.value.code, refused.value.message) == (INVALID_PARAMS, "Invalid params")
    return str(refused.value.data)


def test_parameters_are_passed_by_place_or_by_name() -> None:
    assert method(add).bind([1, 2], {}) == ((1, 2), {})
    assert method(add).bind([], {"b": 2, "a": 1}) == ((1, 2), {})
    assert method(add).bind([1], {}) == ((1,), {})
    assert method(loose).bind(["x", 1, 2], {"n": "y"}) == (("x", 1, 2), {"n": "y"})


def test_values_become_what_the_signature_wants() -> None:
    assert method(place).bind([{"x": 1}], {}) == ((Point(1),), {})
    at = datetime(2020, 1, 2, 3, 4, 5)
    for data, when in (("aGk=", "2020-01-02T03:04:05"), (b"hi", at)):
        args, _ = method(shown).bind([data, when, [], {}], {})
        assert args == (b"hi", at, [], {})


@pytest.mark.parametrize(
    ("positional", "named", "told"),
    [
        ([], {}, "m: missing a required argument: 'a'"),
        ([1, 2, 3], {}, "m: too many positional arguments"),
        ([1], {"a": 2}, "m: multiple values for argument 'a'"),
        ([1], {"c": 2}, "m: got an unexpected keyword argument 'c'"),
        (["1"], {}, "a: Expected `int`, got `str`"),
        ([1, None], {}, "b: Expected `int`, got `null`"),
        ([1.5], {}, "a: Expected `int`, got `float`"),
        ([True], {}, "a: Expected `int`, got `bool`"),
    ],
)
def test_what_does_not_fit_is_told(positional: list[Any], named: dict[str, Any], told: str) -> None:
    assert why(add, *positional, **named) == told


def test_what_is_within_is_looked_at_too() -> None:
    assert "Expected `int`, got `str` - at `$.x`" in why(place, {"x": "1"})
    assert why(loose, 1, "2") == "rest: Expected `int`, got `str`"
    assert why(loose, 1, n=2) == "n: Expected `str`, got `int`"


@pytest.mark.parametrize("name", ["", "a b", "grüß", "x" * (LONGEST_NAME + 1), "a\n"])
def test_a_name_that_xml_rpc_cannot_say_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no name"):
        Registry().register(name, add)


def test_what_cannot_be_registered_is_told() -> None:
    registry = Registry()
    registry.register("add", add)
    for name, function, told in (
        ("add", add, "registered twice"),
        ("system.x", add, "are our own"),
        ("rpc.x", add, "are our own"),
        ("x", 5, "cannot be called"),
    ):
        with pytest.raises(ValueError, match=told):
            registry.register(name, function)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="its signature cannot be used"):
        registry.register("y", _unknown)


def _unknown(a: Missing) -> None:  # type: ignore[name-defined]  # noqa: F821
    pass


def test_a_method_that_is_not_there_is_told() -> None:
    with pytest.raises(RPCError) as refused:
        Registry().find("nothing")
    assert (refused.value.code, refused.value.message) == (UNKNOWN_METHOD, "Method not found")


def test_signatures_are_told_in_the_types_of_xml_rpc() -> None:
    assert xml_signatures(method(add)) == [["int", "int"], ["int", "int", "int"]]
    assert xml_signatures(method(place)) == [["struct", "struct"]]
    told = ["nil", "base64", "dateTime.iso8601", "array", "struct"]
    assert xml_signatures(method(shown)) == [told]
    assert xml_signatures(method(loose)) == []

    def half(a: int):  # type: ignore[no-untyped-def]
        pass

    def apart(*, a: int) -> int | None:
        return a

    def either(a: int | str) -> None:
        pass

    assert xml_signatures(method(half)) == xml_signatures(method(apart)) == []
    assert xml_signatures(method(either)) == [["nil", "undef"]]


def test_all_of_it_is_told_as_openrpc() -> None:
    registry = Registry()
    registry.register("add", add)
    registry.register("loose", loose)
    described, free = openrpc(registry)["methods"]
    assert described == {
        "name": "add",
        "description": "Add two numbers.\n\nOr leave one as it is.",
        "params": [
            {"name": "a", "required": True, "schema": {"type": "integer"}},
            {"name": "b", "required": False, "schema": {"type": "integer"}},
        ],
        "result": {"name": "result", "schema": {"type": "integer"}},
    }
    assert free["params"][0] == {"name": "first", "required": True, "schema": {}}
    assert [method.name for method in registry] == ["add", "loose"]
    assert len(registry) == 2
