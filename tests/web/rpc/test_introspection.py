from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from proto.metrics import Metrics
from proto.web.rpc.calling import Caller
from proto.web.rpc.faults import RPCError
from proto.web.rpc.introspection import MOST_CALLS, Introspection
from proto.web.rpc.registry import Registry
from tests.web.rpc.functions import registry_of
from tests.web.rpc.test_calling import run


def caller() -> Caller:
    made = Caller(registry_of(), Clock(), Metrics())
    Introspection(made.registry, made.call).register()
    return made


def ask(name: str, *params: Any) -> Any:
    return run(caller().call(name, params, {}))


def test_all_names_are_listed_our_own_too() -> None:
    names = ask("system.listMethods")
    assert names == sorted(names)
    ours = {"rpc.discover", "system.getCapabilities", "system.listMethods", "system.methodHelp"}
    ours |= {"system.methodSignature", "system.multicall"}
    assert ours < set(names)
    assert "subtract" in names


def test_a_method_tells_of_itself() -> None:
    assert ask("system.methodHelp", "subtract") == "The difference of two numbers."
    assert ask("system.methodSignature", "subtract") == [["int", "int", "int"]]
    assert ask("system.methodSignature", "sum") == "undef"
    assert ask("system.methodSignature", "system.listMethods") == [["array"]]
    for name in ("system.methodHelp", "system.methodSignature"):
        with pytest.raises(RPCError) as refused:
            ask(name, "nothing")
        assert refused.value.code == -32601


def test_what_is_kept_here_is_told_with_its_address() -> None:
    told = ask("system.getCapabilities")
    assert told["faults_interop"]["specVersion"] == 20010516
    assert all(each["specUrl"].startswith("http") for each in told.values())


def test_discover_gives_a_document_of_all_methods() -> None:
    document = ask("rpc.discover")
    assert document["openrpc"].startswith("1.")
    described = {each["name"]: each for each in document["methods"]}
    assert described["subtract"]["result"]["schema"] == {"type": "integer"}
    assert set(described) == set(ask("system.listMethods"))


def test_each_call_of_many_has_its_result_or_its_fault() -> None:
    with capturedLogs():
        answers = ask(
            "system.multicall",
            [
                {"methodName": "subtract", "params": [42, 23]},
                {"methodName": "nothing", "params": []},
                {"methodName": "get_data"},
                {"methodName": "refuse", "params": [7, "no"]},
                {"methodName": "fail", "params": []},
                {"methodName": "system.multicall", "params": [[]]},
                {"methodName": "later", "params": {"value": 1}},
                {"params": []},
                5,
            ],
        )
    codes = [each["faultCode"] if isinstance(each, dict) else each for each in answers]
    assert codes == [
        *([19], -32601, [["hello", 5]], 7, -32603),
        *(-32600, -32600, -32600, -32600),
    ]


def test_there_may_be_so_many_calls_and_no_more() -> None:
    call = {"methodName": "get_data", "params": []}
    assert len(ask("system.multicall", [call] * MOST_CALLS)) == MOST_CALLS
    with pytest.raises(RPCError) as refused:
        ask("system.multicall", [call] * (MOST_CALLS + 1))
    assert refused.value.code == -32602


def test_our_names_are_taken_once() -> None:
    registry = Registry()
    Introspection(registry, caller().call).register()
    with pytest.raises(ValueError, match="registered twice"):
        Introspection(registry, caller().call).register()
