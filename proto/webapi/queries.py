"""The query of a URL -> a Struct, every parameter checked; or all that is wrong with it.

A parameter that nobody declared is refused: a slip of the pen is no query for everything.
No request, no operation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct, inspect

from proto.webapi.problems import Detail, Refused

MOST: Final = 20
"""Parameters of one query."""

S = TypeVar("S", bound=Struct)

_WHOLE: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_TRUTH: Final = {"true": True, "false": False}


def read_query(raw: bytes, shape: type[S]) -> S:
    """The parameters as the Struct declares them.

    Raises:
        Refused: 400 for one that is given twice, too many, or what is no UTF-8; 422 for one that is
            unknown or has a wrong value, with each of them in the details.
    """
    given = _pairs(raw)
    kinds = _kinds(shape)
    wrong = [_detail(name, "There is no such parameter.") for name in given if name not in kinds]
    values: dict[str, object] = {}
    for name in given.keys() & kinds.keys():
        try:
            values[name] = _value(given[name], kinds[name])
        except ValueError as error:
            wrong.append(_detail(name, f"{error}."))
    try:
        found = msgspec.convert(values, shape)
    except msgspec.ValidationError:
        wrong += _unfit(values, shape)
    if wrong:
        wrong.sort(key=lambda each: list(given).index(each.field))
        raise Refused(422, "invalid_query", "The query is not as it should be.", wrong)
    return found


def _unfit(values: Mapping[str, object], shape: type[Struct]) -> list[Detail]:
    """Each of the values that the shape does not take, not only the first."""
    wrong = []
    for name, value in values.items():
        try:
            msgspec.convert({name: value}, shape)
        except msgspec.ValidationError as error:
            wrong.append(_detail(name, said(error)))
    return wrong


def said(error: Exception) -> str:
    """What msgspec says of a value, without the place of it."""
    return f"{str(error).partition(' - at `')[0]}."


def _pairs(raw: bytes) -> Mapping[str, str]:
    if not raw:
        return {}
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, max_num_fields=MOST, errors="strict"
        )
    except UnicodeDecodeError as error:
        raise Refused(400, "malformed_query", "The query is no UTF-8.") from error
    except ValueError as error:
        why = f"A query may have {MOST} parameters."
        raise Refused(400, "malformed_query", why) from error
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            twice = _detail(name, "This parameter is given more than once.")
            raise Refused(400, "repeated_parameter", f"{name} is given more than once.", [twice])
        found[name] = value
    return found


def _detail(name: str, message: str) -> Detail:
    return Detail(where="query", field=name, message=message)


@lru_cache
def _kinds(shape: type[Struct]) -> Mapping[str, type[object]]:
    """Of each parameter: is it a number, true or false, or text?"""
    told = inspect.type_info(shape)
    assert isinstance(told, inspect.StructType)
    return {each.encode_name: _kind(each.type) for each in told.fields}


def _kind(told: Any) -> type[object]:
    while isinstance(told, inspect.Metadata | inspect.UnionType):
        told = told.type if isinstance(told, inspect.Metadata) else told.types[0]
    if isinstance(told, inspect.IntType):
        return int
    return bool if isinstance(told, inspect.BoolType) else str


def _value(text: str, kind: type[object]) -> object:
    """Raises ValueError, with the reason."""
    if kind is bool:
        if text not in _TRUTH:
            raise ValueError("Expected true or false")
        return _TRUTH[text]
    if kind is int:
        if not _WHOLE.fullmatch(text):
            raise ValueError("Expected a whole number")
        return int(text)
    return text
