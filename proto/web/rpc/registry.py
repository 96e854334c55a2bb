"""Which functions can be called, under which names, and with what.

    registry = Registry()
    registry.register("add", add)

Their signatures say what may be passed: `def add(a: int, b: int = 0) -> int`.  Knows neither JSON
nor XML, and calls nothing.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from proto.web.rpc.faults import INVALID_PARAMS, UNKNOWN_METHOD, RPCError

Function = Callable[..., Any]
Arguments = tuple[tuple[Any, ...], dict[str, Any]]

LONGEST_NAME: Final = 200
_NAME: Final = re.compile(r"[A-Za-z0-9_.:/]+")  # what XML-RPC allows
_RESERVED: Final = ("rpc.", "system.")
_FREE: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Method:
    """A function under its name."""

    name: str
    function: Function
    signature: inspect.Signature
    help: str

    def bind(self, positional: Sequence[Any], named: Mapping[str, Any]) -> Arguments:
        """What to call the function with.

        Raises:
            RPCError: -32602, and which parameter is missing, too many or of another type.
        """
        try:
            bound = self.signature.bind(*positional, **named)
        except TypeError as error:
            raise _wrong(f"{self.name}: {error}") from None
        for name, value in bound.arguments.items():
            parameter = self.signature.parameters[name]
            kind = parameter.annotation
            if kind is inspect.Parameter.empty:
                continue
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                bound.arguments[name] = tuple(_fitted(name, kind, each) for each in value)
            elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
                bound.arguments[name] = {
                    key: _fitted(key, kind, each) for key, each in value.items()
                }
            else:
                bound.arguments[name] = _fitted(name, kind, value)
        return bound.args, bound.kwargs


class Registry:
    """The functions that can be called from outside."""

    def __init__(self) -> None:
        self._methods: dict[str, Method] = {}

    def __iter__(self) -> Iterator[Method]:
        return iter(self._methods.values())

    def __len__(self) -> int:
        return len(self._methods)

    def register(self, name: str, function: Function) -> None:
        """Let it be called under that name.

        It returns a value, or something to await that gives one; it raises RPCError to refuse.  A
        parameter with a type is passed only what is of it; the first paragraph of the docstring and
        the rest are its help.

        Raises:
            ValueError: the name cannot be used, or the signature makes no sense.
        """
        if name.startswith(_RESERVED):
            raise ValueError(f"{name}: names that begin with rpc. and system. are our own")
        self.add(name, function)

    def add(self, name: str, function: Function) -> None:
        """The same for functions that belong to the protocols.  Raises ValueError."""
        if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
            raise ValueError(
                f"{name!r} is no name: it has 1 to {LONGEST_NAME} letters, digits or any of _.:/"
            )
        if name in self._methods:
            raise ValueError(f"{name} is registered twice")
        if not callable(function):
            raise ValueError(f"{name} is a {type(function).__name__}, which cannot be called")
        signature = _signature(name, function)
        self._methods[name] = Method(name, function, signature, inspect.getdoc(function) or "")

    def find(self, name: str) -> Method:
        """The method of that name.  Raises RPCError, -32601."""
        method = self._methods.get(name)
        if method is None:
            raise RPCError(UNKNOWN_METHOD, "Method not found")
        return method


def _signature(name: str, function: Function) -> inspect.Signature:
    try:
        signature = inspect.signature(function, eval_str=True)
        for parameter in signature.parameters.values():
            if parameter.annotation is not inspect.Parameter.empty:
                msgspec.inspect.type_info(parameter.annotation)
    except Exception as error:  # whatever the evaluation of an annotation raises
        raise ValueError(f"{name}: its signature cannot be used: {error}") from error
    return signature


def _fitted(name: str, kind: Any, value: Any) -> Any:
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _wrong(f"{name}: {error}") from None


def _wrong(why: str) -> RPCError:
    return RPCError(INVALID_PARAMS, "Invalid params", why)


# --- what can be told of a signature -------------------------------------------------------

_XML_NAMES: Final[dict[Any, str]] = {
    bool: "boolean",
    int: "int",
    float: "double",
    str: "string",
    bytes: "base64",
    datetime: "dateTime.iso8601",
    list: "array",
    tuple: "array",
    set: "array",
    frozenset: "array",
    dict: "struct",
    None: "nil",
    type(None): "nil",
}


def xml_signatures(method: Method) -> list[list[str]]:
    """The types of the result and of the parameters, once for each number of them.

    Empty when a function says too little of itself.
    """
    given = method.signature.parameters.values()
    if method.signature.return_annotation is inspect.Signature.empty:
        return []
    kinds = [each.annotation for each in given]
    if any(each.kind in _FREE for each in given) or inspect.Parameter.empty in kinds:
        return []
    if any(each.kind is inspect.Parameter.KEYWORD_ONLY for each in given):
        return []
    names = [_xml_name(kind) for kind in (method.signature.return_annotation, *kinds)]
    needed = sum(each.default is inspect.Parameter.empty for each in given)
    return [names[: count + 1] for count in range(needed, len(kinds) + 1)]


def _xml_name(kind: Any) -> str:
    plain = getattr(kind, "__origin__", kind)
    name = _XML_NAMES.get(plain) if isinstance(plain, type) or plain is None else None
    if name is None and isinstance(plain, type):
        name = "struct"
    return name or "undef"


def openrpc(registry: Registry) -> dict[str, Any]:
    """What can be called, as an OpenRPC document (https://spec.open-rpc.org/)."""
    return {
        "openrpc": "1.3.2",
        "info": {"title": "proto", "version": "1"},
        "methods": [_described(method) for method in registry],
    }


def _described(method: Method) -> dict[str, Any]:
    params = [
        {
            "name": each.name,
            "required": each.default is inspect.Parameter.empty and each.kind not in _FREE,
            "schema": _schema(each.annotation),
        }
        for each in method.signature.parameters.values()
    ]
    result = {"name": "result", "schema": _schema(method.signature.return_annotation)}
    return {"name": method.name, "description": method.help, "params": params, "result": result}


def _schema(kind: Any) -> dict[str, Any]:
    """The JSON schema of a type; of one that has none, the schema of anything."""
    if kind is inspect.Parameter.empty:
        return {}
    try:
        return msgspec.json.schema(kind)
    except TypeError:
        return {}
