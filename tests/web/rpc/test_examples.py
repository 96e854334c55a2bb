"""Every example of section 7 of https://www.jsonrpc.org/specification.

What our errors say besides, `data`, the examples leave open; all else is compared.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.web.rpc.test_door import House

PARSE_ERROR = (-32700, "Parse error")
INVALID = (-32600, "Invalid Request")
MISSING = (-32601, "Method not found")


def error(told: tuple[int, str], id: Any = None) -> dict[str, Any]:
    code, message = told
    return {"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": id}


def result(value: Any, id: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "result": value, "id": id}


EXAMPLES: dict[str, tuple[str, Any]] = {
    "positional parameters": (
        '{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}',
        result(19, 1),
    ),
    "positional parameters, the other way round": (
        '{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}',
        result(-19, 2),
    ),
    "named parameters": (
        '{"jsonrpc": "2.0", "method": "subtract", '
        '"params": {"subtrahend": 23, "minuend": 42}, "id": 3}',
        result(19, 3),
    ),
    "named parameters in another order": (
        '{"jsonrpc": "2.0", "method": "subtract", '
        '"params": {"minuend": 42, "subtrahend": 23}, "id": 4}',
        result(19, 4),
    ),
    "a notification": ('{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', None),
    "a notification without parameters": ('{"jsonrpc": "2.0", "method": "foobar"}', None),
    "a method that is not there": (
        '{"jsonrpc": "2.0", "method": "foobar", "id": "1"}',
        error(MISSING, "1"),
    ),
    "invalid JSON": (
        '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
        error(PARSE_ERROR),
    ),
    "an invalid request": ('{"jsonrpc": "2.0", "method": 1, "params": "bar"}', error(INVALID)),
    "a batch of invalid JSON": (
        '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},'
        ' {"jsonrpc": "2.0", "method"]',
        error(PARSE_ERROR),
    ),
    "an empty batch": ("[]", error(INVALID)),
    "an invalid batch that is not empty": ("[1]", [error(INVALID)]),
    "an invalid batch": ("[1,2,3]", [error(INVALID)] * 3),
    "a batch": (
        '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},'
        ' {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},'
        ' {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},'
        ' {"foo": "boo"},'
        ' {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},'
        ' {"jsonrpc": "2.0", "method": "get_data", "id": "9"}]',
        [
            result(7, "1"),
            result(19, "2"),
            error(INVALID),
            error(MISSING, "5"),
            result(["hello", 5], "9"),
        ],
    ),
    "a batch of notifications": (
        '[{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},'
        ' {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}]',
        None,
    ),
}


def without_data(answer: Any) -> Any:
    """The answer as the examples show it."""
    if isinstance(answer, list):
        return [without_data(each) for each in answer]
    answer.get("error", {}).pop("data", None)
    return answer


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_specification(example: str) -> None:
    asked, expected = EXAMPLES[example]
    answer = House().post(asked.encode())
    if expected is None:
        assert (answer.status, answer.body) == (204, b"")
    else:
        assert answer.status == 200
        assert without_data(json.loads(answer.body)) == expected
