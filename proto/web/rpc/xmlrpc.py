"""XML-RPC: bytes to a call, and what came of it back to bytes.

http://xmlrpc.com/spec.md, with `nil` and `i8` as Apache says them.  Calls nothing, and knows no
HTTP; the elements are read by `xmlreading`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final

import msgspec

from proto.web.rpc.faults import INVALID_REQUEST, RPCError
from proto.web.rpc.xmlreading import Element, read_tree

DEEPEST: Final = 64
"""Lists and structs within one another, in a result."""
LONGEST_NUMBER: Final = 40
"""Characters; `i8` has 20 at most, and a double needs no more."""

_INT: Final = re.compile(r"[+-]?[0-9]+")
_DOUBLE: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_TIME: Final = re.compile(
    r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]{1,6})?(Z)?"
)
# What XML 1.0 can say at all (section 2.2).
_UNSAYABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_BLANKS: Final = " \t\r\n"


def read(body: bytes) -> tuple[str, list[Any]]:
    """The name of a method and its parameters.

    Raises:
        RPCError: -32700, -32701 or -32600, and why.
    """
    call = read_tree(body)
    parts = _parts(call, "methodCall")
    if not parts or parts[0].tag != "methodName" or len(parts) > 2:
        raise _wrong("a methodCall has a methodName, and then params")
    params = _parts(parts[1], "params") if len(parts) == 2 else []
    return _plain(parts[0]).strip(_BLANKS), [_value(_only(each, "param")) for each in params]


def result(value: Any) -> bytes:
    """The answer to a call that succeeded.

    Raises:
        TypeError, ValueError, RecursionError: the value cannot be said.
    """
    out: list[str] = []
    _write(msgspec.to_builtins(value, builtin_types=(bytes, datetime)), out.append, 0)
    return _document("<params><param>" + "".join(out) + "</param></params>")


def failure(error: RPCError) -> bytes:
    """The answer to a call that failed."""
    out: list[str] = []
    _write(fault_of(error), out.append, 0)
    return _document("<fault>" + "".join(out) + "</fault>")


def fault_of(error: RPCError) -> dict[str, Any]:
    """The struct of a fault; of what more there is to say, a sentence."""
    text = error.message
    if isinstance(error.data, str):
        text = f"{text}: {error.data}"
    return {"faultCode": error.code, "faultString": _UNSAYABLE.sub("\ufffd", text)}


def _document(inner: str) -> bytes:
    whole = f'<?xml version="1.0"?>\n<methodResponse>{inner}</methodResponse>\n'
    return whole.encode("utf-8")


# --- reading -------------------------------------------------------------------------------


def _parts(element: Element, tag: str) -> list[Element]:
    """The elements in one that has no text."""
    if element.tag != tag:
        raise _wrong(f"{_told(element.tag)} where {tag} was expected")
    if element.text.strip(_BLANKS):
        raise _wrong(f"text in {tag}")
    return element.children


def _only(element: Element, tag: str, inner: str = "value") -> Element:
    parts = _parts(element, tag)
    if len(parts) != 1 or parts[0].tag != inner:
        raise _wrong(f"{tag} has one {inner}")
    return parts[0]


def _plain(element: Element) -> str:
    """The text of an element that has nothing else."""
    if element.children:
        raise _wrong(f"{_told(element.children[0].tag)} in {_told(element.tag)}")
    return element.text


def _value(element: Element) -> Any:
    if not element.children:
        return element.text
    kinds = _parts(element, "value")
    if len(kinds) != 1:
        raise _wrong("a value has one type")
    (kind,) = kinds
    if kind.tag == "array":
        return [_value(each) for each in _values(_only(kind, "array", "data"))]
    if kind.tag == "struct":
        return dict(_member(each) for each in _parts(kind, "struct"))
    reader = _READERS.get(kind.tag)
    if reader is None:
        raise _wrong(f"{_told(kind.tag)} is no type")
    text = _plain(kind)
    try:
        return reader(text)
    except ValueError:
        raise _wrong(f"{_told(text)} is no {kind.tag}") from None


def _values(data: Element) -> list[Element]:
    parts = _parts(data, "data")
    if any(each.tag != "value" for each in parts):
        raise _wrong("data has values")
    return parts


def _member(element: Element) -> tuple[str, Any]:
    parts = _parts(element, "member")
    if [each.tag for each in parts] != ["name", "value"]:
        raise _wrong("a member has a name and a value")
    return _plain(parts[0]), _value(parts[1])


def _integer(bits: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        text = _short(text)
        if not _INT.fullmatch(text):
            raise ValueError
        number = int(text)
        if not -(1 << bits - 1) <= number < 1 << bits - 1:
            raise ValueError
        return number

    return read


def _boolean(text: str) -> bool:
    text = text.strip(_BLANKS)
    if text not in ("0", "1"):
        raise ValueError
    return text == "1"


def _double(text: str) -> float:
    text = _short(text)
    if not _DOUBLE.fullmatch(text):
        raise ValueError
    number = float(text)
    if not isfinite(number):
        raise ValueError
    return number


def _short(text: str) -> str:
    text = text.strip(_BLANKS)
    if len(text) > LONGEST_NUMBER:
        raise ValueError
    return text


def _time(text: str) -> datetime:
    found = _TIME.fullmatch(_short(text))
    if found is None:
        raise ValueError
    year, month, day, hour, minute, second = (int(each) for each in found.groups()[:6])
    micro = round(float(found[7] or 0) * 1_000_000)
    return datetime(year, month, day, hour, minute, second, micro, UTC if found[8] else None)


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError from error


def _nil(text: str) -> None:
    if text.strip(_BLANKS):
        raise ValueError


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "int": _integer(32),
    "i4": _integer(32),
    "i8": _integer(64),
    "ex:i8": _integer(64),
    "boolean": _boolean,
    "double": _double,
    "string": str,
    "dateTime.iso8601": _time,
    "base64": _base64,
    "nil": _nil,
    "ex:nil": _nil,
}


def _told(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _wrong(why: str) -> RPCError:
    return RPCError(INVALID_REQUEST, "Invalid Request", why)


# --- writing -------------------------------------------------------------------------------


def _write(value: Any, put: Callable[[str], None], depth: int) -> None:
    if depth > DEEPEST:
        raise ValueError(f"lists and structs nest deeper than {DEEPEST}")
    match value:
        case None:
            put("<value><nil/></value>")
        case bool():
            put(f"<value><boolean>{value:d}</boolean></value>")
        case int():
            put(f"<value>{_said_integer(value)}</value>")
        case float():
            if not isfinite(value):
                raise ValueError(f"{value} cannot be said in XML-RPC")
            put(f"<value><double>{value!r}</double></value>")
        case str():
            put(f"<value><string>{_said_text(value)}</string></value>")
        case bytes():
            put(f"<value><base64>{base64.b64encode(value).decode()}</base64></value>")
        case datetime():
            put(f"<value><dateTime.iso8601>{_said_time(value)}</dateTime.iso8601></value>")
        case dict():
            _write_struct(value, put, depth)
        case list() | tuple():
            put("<value><array><data>")
            for each in value:
                _write(each, put, depth + 1)
            put("</data></array></value>")
        case _:
            raise TypeError(f"{type(value).__name__} cannot be said in XML-RPC")


def _write_struct(value: dict[Any, Any], put: Callable[[str], None], depth: int) -> None:
    put("<value><struct>")
    for name, inner in value.items():
        put(f"<member><name>{_said_text(str(name))}</name>")
        _write(inner, put, depth + 1)
        put("</member>")
    put("</struct></value>")


def _said_integer(value: int) -> str:
    if -(1 << 31) <= value < 1 << 31:
        return f"<int>{value}</int>"
    if -(1 << 63) <= value < 1 << 63:
        return f"<i8>{value}</i8>"
    raise ValueError("a number of more than 64 bits cannot be said in XML-RPC")


def _said_text(text: str) -> str:
    bad = _UNSAYABLE.search(text)
    if bad is not None:
        raise ValueError(f"the character {ord(bad[0]):#x} cannot be said in XML; give bytes")
    return text.translate(_ESCAPES)


def _said_time(time: datetime) -> str:
    if time.tzinfo is not None:
        time = time.astimezone(UTC).replace(tzinfo=None)
    return f"{time.year:04d}{time.strftime('%m%dT%H:%M:%S')}"
