"""JSON-RPC 2.0: bytes to calls, and what came of them back to bytes.

https://www.jsonrpc.org/specification.  Calls nothing, and knows no HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from proto.web.rpc.faults import INVALID_REQUEST, NOTHING, PARSE_ERROR, RPCError

MOST_CALLS: Final = 100
"""Calls in one batch."""
DEEPEST: Final = 64
"""Lists and objects within one another."""

_ID_TYPES: Final = (str, int, float, type(None))


@dataclass(frozen=True, slots=True)
class Call:
    """One request; without an id nobody waits for an answer."""

    method: str
    positional: Sequence[Any] = ()
    named: Mapping[str, Any] = field(default_factory=dict)
    id: Any = NOTHING

    @property
    def is_notification(self) -> bool:
        """Nobody wants to know what comes of it."""
        return self.id is NOTHING


@dataclass(frozen=True, slots=True)
class Broken:
    """Something that is no request, and what is said to it."""

    error: RPCError
    id: Any = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a body asks for: one thing, or a batch, which is answered as a list."""

    asked: Sequence[Call | Broken]
    is_batch: bool


def read(body: bytes) -> Wanted:
    """What a body asks for; whatever it holds."""
    try:
        value = msgspec.json.decode(body)
        if body.count(b"[") + body.count(b"{") > DEEPEST and _is_deeper(value, DEEPEST):
            return _one(PARSE_ERROR, "Parse error", f"lists and objects nest deeper than {DEEPEST}")
    except RecursionError:
        return _one(PARSE_ERROR, "Parse error", f"lists and objects nest deeper than {DEEPEST}")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _one(PARSE_ERROR, "Parse error", str(error))
    if not isinstance(value, list):
        return Wanted([_request(value)], is_batch=False)
    if not value:
        return _one(INVALID_REQUEST, "Invalid Request", "the batch is empty")
    if len(value) > MOST_CALLS:
        return _one(INVALID_REQUEST, "Invalid Request", f"a batch may have {MOST_CALLS} calls")
    return Wanted([_request(each) for each in value], is_batch=True)


def result(call: Call, value: Any) -> bytes:
    """The answer to a call that succeeded.

    Raises:
        TypeError, ValueError, RecursionError: the value cannot be JSON.
    """
    return msgspec.json.encode({"jsonrpc": "2.0", "result": value, "id": call.id})


def failure(id: Any, error: RPCError) -> bytes:
    """The answer to a call that failed.

    Raises:
        TypeError, ValueError, RecursionError: its data cannot be JSON.
    """
    told = {"code": error.code, "message": error.message}
    if error.data is not NOTHING:
        told["data"] = error.data
    return msgspec.json.encode({"jsonrpc": "2.0", "error": told, "id": id})


def answer(wanted: Wanted, answers: Sequence[bytes | None]) -> bytes:
    """The whole answer; empty when nobody waits for one."""
    told = [each for each in answers if each is not None]
    if not told:
        return b""
    return b"[" + b",".join(told) + b"]" if wanted.is_batch else told[0]


def _one(code: int, message: str, why: str) -> Wanted:
    return Wanted([Broken(RPCError(code, message, why))], is_batch=False)


def _request(value: Any) -> Call | Broken:
    if not isinstance(value, dict):
        return _broken("a request is an object")
    id = value.get("id", NOTHING)
    if id is not NOTHING and (isinstance(id, bool) or not isinstance(id, _ID_TYPES)):
        return _broken("id is a string, a number or null")
    if value.get("jsonrpc") != "2.0":
        return _broken('jsonrpc is "2.0"', id)
    method = value.get("method")
    if not isinstance(method, str):
        return _broken("method is a string", id)
    params = value.get("params", [])
    if isinstance(params, list):
        return Call(method, params, {}, id)
    if isinstance(params, dict):
        return Call(method, (), params, id)
    return _broken("params is an array or an object", id)


def _broken(why: str, id: Any = NOTHING) -> Broken:
    error = RPCError(INVALID_REQUEST, "Invalid Request", why)
    return Broken(error, None if id is NOTHING else id)


def _is_deeper(value: Any, most: int) -> bool:
    """Whether lists and objects nest deeper than `most`."""
    level = [value] if isinstance(value, (list, dict)) else []
    for _ in range(most):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (list, dict))
        ]
        if not level:
            return False
    return True
