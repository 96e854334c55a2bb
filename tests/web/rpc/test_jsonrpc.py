from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proto.web.rpc import jsonrpc
from proto.web.rpc.faults import NOTHING, RPCError
from proto.web.rpc.jsonrpc import DEEPEST, MOST_CALLS, Broken, Call, read


def only(body: bytes | str) -> Call | Broken:
    wanted = read(body.encode() if isinstance(body, str) else body)
    assert not wanted.is_batch
    (asked,) = wanted.asked
    return asked


def request(**fields: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", "method": "m", **fields})


@pytest.mark.parametrize("id", ["x", "", 1, 0, -7, 1.5, 10**30, None])
def test_an_id_comes_back_as_it_was(id: Any) -> None:
    call = only(request(id=id))
    assert isinstance(call, Call)
    assert not call.is_notification
    answer = json.loads(jsonrpc.result(call, [1]))
    assert answer == {"jsonrpc": "2.0", "result": [1], "id": id}


def test_without_an_id_nobody_waits() -> None:
    call = only(request())
    assert isinstance(call, Call)
    assert call.is_notification


def test_parameters_have_places_or_names_or_there_are_none() -> None:
    assert only(request(params=[1, 2], id=1)) == Call("m", [1, 2], {}, 1)
    assert only(request(params={"a": 1}, id=1)) == Call("m", (), {"a": 1}, 1)
    assert only(request(id=1)) == Call("m", [], {}, 1)


@pytest.mark.parametrize(
    ("body", "id"),
    [
        ("1", None),
        ('"x"', None),
        ("null", None),
        ("{}", None),
        (request(id=True), None),
        (request(id=[1]), None),
        (request(id={}), None),
        (request(method=1, id=5), 5),
        (request(method=None, id=5), 5),
        (request(params="bar", id=5), 5),
        (request(params=None, id=5), 5),
        (request(jsonrpc="1.0", id=5), 5),
        (request(jsonrpc=2.0, id=5), 5),
        ('{"method": "m", "params": [], "id": 5}', 5),
        ("[]", None),
        (json.dumps([1] * (MOST_CALLS + 1)), None),
    ],
)
def test_what_is_no_request_is_32600_with_the_id_if_there_is_one(body: str, id: Any) -> None:
    broken = only(body)
    assert isinstance(broken, Broken)
    assert (broken.error.code, broken.error.message) == (-32600, "Invalid Request")
    assert broken.id == id
    assert isinstance(broken.error.data, str)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"[1",
        b"nonsense",
        b'{"jsonrpc": "2.0", "method": "m", "id": NaN}',
        b'{"jsonrpc": "2.0", "method": "m", "id": Infinity}',
        b'{"jsonrpc": "2.0", "method": "m", "id": 1e999}',
        b'{"id": ' + b"1" * 5000 + b"}",
        b'"\xff"',
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b"{} {}",
        b"[" * 100_000,
        b"[" * 100 + b"]" * 100,
        b'{"a":' * 100 + b"1" + b"}" * 100,
    ],
    ids=lambda body: repr(body[:50]),
)
def test_what_is_no_json_is_32700(body: bytes) -> None:
    broken = only(body)
    assert isinstance(broken, Broken)
    assert (broken.error.code, broken.error.message) == (-32700, "Parse error")
    assert broken.id is None


def test_it_may_nest_so_deep_and_no_deeper() -> None:
    within = DEEPEST - 2  # the request and its parameters
    deep = "[" * within + "]" * within
    assert isinstance(only(f'{{"jsonrpc":"2.0","method":"m","params":[{deep}],"id":1}}'), Call)
    broken = only(f'{{"jsonrpc":"2.0","method":"m","params":[[{deep}]],"id":1}}')
    assert isinstance(broken, Broken)


def test_each_call_of_a_batch_stands_alone() -> None:
    wanted = read(f"[1, {request(id=1)}, {request()}]".encode())
    assert wanted.is_batch
    broken, call, notification = wanted.asked
    assert isinstance(broken, Broken)
    assert call == Call("m", [], {}, 1)
    assert notification == Call("m", [], {}, NOTHING)


def test_answers_of_a_batch_are_a_list_even_if_there_is_one() -> None:
    batch, single = read(b"[1]"), read(b"1")
    assert jsonrpc.answer(batch, [b"{}", None, b"{}"]) == b"[{},{}]"
    assert jsonrpc.answer(batch, [None, b"{}"]) == b"[{}]"
    assert jsonrpc.answer(single, [b"{}"]) == b"{}"
    assert jsonrpc.answer(batch, [None, None]) == jsonrpc.answer(single, [None]) == b""


def test_an_error_has_data_only_if_there_is_some() -> None:
    assert json.loads(jsonrpc.failure(1, RPCError(5, "no"))) == {
        "jsonrpc": "2.0",
        "error": {"code": 5, "message": "no"},
        "id": 1,
    }
    assert json.loads(jsonrpc.failure(None, RPCError(5, "no", None)))["error"]["data"] is None


@pytest.mark.parametrize("value", [object(), "\ud800", {1j: 2}])
def test_what_cannot_be_json_raises(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        jsonrpc.result(Call("m", id=1), value)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read(body: bytes) -> None:
    for asked in read(body).asked:
        assert isinstance(asked, (Call, Broken))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
FIELDS = st.fixed_dictionaries(
    {}, optional={"jsonrpc": st.just("2.0") | JSON, "method": JSON, "params": JSON, "id": JSON}
)


@settings(deadline=None)
@given(FIELDS | st.lists(FIELDS | JSON, max_size=5) | JSON)
def test_any_json_is_read(value: Any) -> None:
    wanted = read(json.dumps(value).encode())
    assert wanted.is_batch == (isinstance(value, list) and bool(value))
    for asked in wanted.asked:
        if isinstance(asked, Broken):
            assert json.loads(jsonrpc.failure(asked.id, asked.error))["error"]["code"] < 0
