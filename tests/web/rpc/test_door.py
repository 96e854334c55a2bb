"""The doors as a peer sees them; the examples of JSON-RPC's section 7 are in test_examples."""

from __future__ import annotations

import json
import xmlrpc.client
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError
from twisted.logger import LogEvent, capturedLogs
from twisted.python.failure import Failure

from proto.metrics import Metrics
from proto.web.mounts import Mounts
from proto.web.rpc.calling import Caller
from proto.web.rpc.door import MAX_BODY, OF_A_BATCH, JsonRpc, Room, XmlRpc
from proto.web.rpc.introspection import Introspection
from proto.web.site import ProtoSite
from proto.web.tree import build_tree
from tests.support import connect
from tests.web.rpc import functions
from tests.web.rpc.functions import Waiting, registry_of
from tests.web.wire import Answer, ask, clock_now, hang_up, read_answer, request_bytes

FRIEND = "https://friend.example"


class House:
    """A site with both doors."""

    def __init__(self, at_once: int = 64) -> None:
        clock = clock_now()
        self.waiting = Waiting()
        self.metrics = Metrics()
        caller = Caller(registry_of(self.waiting), clock, self.metrics)
        Introspection(caller.registry, caller.call).register()
        room = Room(at_once).count(self.metrics)
        mounts = Mounts()
        mounts.add("/rpc", JsonRpc(caller, room, [FRIEND]))
        mounts.add("/RPC2", XmlRpc(caller, room, [FRIEND]))
        tree = build_tree(None, clock, mounts=mounts)
        self.site = ProtoSite(tree, clock, streams=tree.streams)

    def post(self, body: Any, **fields: str) -> Answer:
        """Send JSON, or bytes as they are."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {"Content_Type": "application/json", **fields}
        return ask(self.site, "/rpc", "POST", raw, **named)

    def post_xml(self, body: bytes, **fields: str) -> Answer:
        named = {"Content_Type": "text/xml", **fields}
        return ask(self.site, "/RPC2", "POST", body, **named)

    def call(self, method: str, *params: Any, id: Any = 1) -> Any:
        """The answer to one call, as an object."""
        answer = self.post({"jsonrpc": "2.0", "method": method, "params": params, "id": id})
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
        return json.loads(answer.body)

    def call_xml(self, method: str, *params: Any) -> Any:
        """What Python's own client makes of the answer; raises Fault."""
        answer = self.post_xml(xmlrpc.client.dumps(params, method, allow_none=True).encode())
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/xml; charset=utf-8")
        (value,), _ = xmlrpc.client.loads(answer.body, use_builtin_types=True)
        return value

    def fault(self, method: str, *params: Any) -> tuple[int, str]:
        with pytest.raises(xmlrpc.client.Fault) as caught:
            self.call_xml(method, *params)
        return caught.value.faultCode, caught.value.faultString

    def begin(self, method: str) -> tuple[Any, Any]:
        """A connection on which a call waits."""
        protocol, wire = connect(self.site)
        body = json.dumps({"jsonrpc": "2.0", "method": method, "id": 1}).encode()
        protocol.dataReceived(
            request_bytes("/rpc", "POST", {"Content-Type": "application/json"}, body)
        )
        return protocol, wire


@pytest.fixture
def events() -> Iterator[list[LogEvent]]:
    with capturedLogs() as captured:
        yield captured  # type: ignore[misc]


def test_both_protocols_call_the_same_functions() -> None:
    house = House()
    assert house.call("subtract", 42, 23) == {"jsonrpc": "2.0", "result": 19, "id": 1}
    assert house.call_xml("subtract", 42, 23) == 19
    assert house.call("later", {"a": None})["result"] == {"a": None}
    assert house.call_xml("later", {"a": None}) == {"a": None}
    assert "subtract" in house.call_xml("system.listMethods")
    assert house.post({}).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("nothing", (), -32601),
        ("system.nothing", (), -32601),
        ("subtract", (1,), -32602),
        ("subtract", ("1", 2), -32602),
        ("refuse", (7, "no"), 7),
        ("forbid", (), -32000),
        ("fail", (), -32603),
        ("leave", (), -32603),
        ("unsayable", (), -32603),
    ],
)
def test_both_protocols_tell_the_same_numbers(
    method: str, params: Any, code: int, events: list[LogEvent]
) -> None:
    house = House()
    answer = house.call(method, *params)
    assert (answer["error"]["code"], answer["id"]) == (code, 1)
    assert house.fault(method, *params)[0] == code
    assert "secret" not in json.dumps(answer)
    logged = [event for event in events if "log_failure" in event]
    assert len(logged) == (2 if code == -32603 else 0)


def test_the_data_of_an_error_is_told() -> None:
    house = House()
    assert house.call("refuse", 7, "no", {"a": [1]})["error"]["data"] == {"a": [1]}
    assert house.call("subtract", 1)["error"]["data"].startswith("subtract: missing")
    assert "subtract: missing" in house.fault("subtract", 1)[1]


def test_data_that_nobody_can_say_is_a_mistake(events: list[LogEvent]) -> None:
    error = House().call("puzzle")["error"]
    assert (error["code"], error["message"]) == (-32603, "Internal error")
    assert [event for event in events if "log_failure" in event]


def test_what_xml_cannot_say_is_told_as_a_fault(events: list[LogEvent]) -> None:
    house = House()
    body = (
        b"<methodCall><methodName>later</methodName><params><param><value><base64>AA==</base64>"
        b"</value></param></params></methodCall>"
    )
    assert b"<base64>AA==</base64>" in house.post_xml(body).body
    code, text = house.fault("unsayable")
    assert (code, text.partition(":")[0]) == (-32603, "Internal error")


def test_notifications_run_and_are_not_answered(events: list[LogEvent]) -> None:
    house = House()
    functions.updates.clear()
    for params in ([1, 2], []):
        answer = house.post({"jsonrpc": "2.0", "method": "update", "params": params})
        assert (answer.status, answer.body) == (204, b"")
    assert functions.updates == [(1, 2), ()]
    for method in ("nothing", "fail", "forbid"):
        assert house.post({"jsonrpc": "2.0", "method": method}).status == 204
    told = [event["code"] for event in events if "notification" in str(event["log_format"])]
    assert told == [-32601, -32603, -32000]


def test_calls_of_a_batch_run_together_and_are_answered_in_order() -> None:
    house = House()
    protocol, wire = connect(house.site)
    one = {"jsonrpc": "2.0", "method": "wait"}
    body = json.dumps([{**one, "id": number} for number in range(OF_A_BATCH + 2)]).encode()
    protocol.dataReceived(request_bytes("/rpc", "POST", {"Content-Type": "application/json"}, body))
    calls = house.waiting.calls
    assert len(calls) == OF_A_BATCH
    while calls:
        calls.pop().callback("done")
    answers = json.loads(read_answer(wire)[0].body)
    assert [each["id"] for each in answers] == list(range(OF_A_BATCH + 2))
    hang_up(protocol)


def test_a_peer_that_leaves_cancels_its_call(events: list[LogEvent]) -> None:
    house = House()
    protocol, _ = house.begin("wait")
    assert b"proto_rpc_requests_running 1.0" in house.metrics.render()
    hang_up(protocol)
    assert house.waiting.cancelled == 1
    assert b"proto_rpc_requests_running 0.0" in house.metrics.render()
    assert not [event for event in events if "log_failure" in event]


def test_a_function_that_is_cancelled_by_somebody_else_is_a_mistake(events: list[LogEvent]) -> None:
    house = House()
    protocol, wire = house.begin("wait")
    house.waiting.calls[0].errback(Failure(CancelledError()))
    assert json.loads(read_answer(wire)[0].body)["error"]["code"] == -32603
    hang_up(protocol)


def test_more_than_may_be_answered_at_once_get_503() -> None:
    house = House(at_once=2)
    waiting = [house.begin("wait") for _ in range(2)]
    for answer in (house.post({}), house.post_xml(b"")):
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    house.waiting.calls[0].callback("done")
    assert house.call("subtract", 2, 1)["result"] == 1
    house.waiting.calls[1].callback("done")
    for protocol, _ in waiting:
        hang_up(protocol)


@pytest.mark.parametrize("path", ["/rpc", "/RPC2"])
def test_only_post_is_answered(path: str) -> None:
    site = House().site
    for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH"):
        answer = ask(site, path, method)
        assert (answer.status, answer.headers["Allow"]) == (405, "POST, OPTIONS")
    answer = ask(site, path, "OPTIONS")
    assert (answer.status, answer.headers["Allow"]) == (204, "POST, OPTIONS")
    assert ask(site, path, "BREW").status == 501
    assert ask(site, path + "/below", "POST").status == 404
    assert ask(site, path + "/", "OPTIONS").status == 204


@pytest.mark.parametrize(
    "kind",
    [
        *("", "text/plain", "text/plain; application/json", "application/x-www-form-urlencoded"),
        *("application/jsonx", "text/html", "multipart/form-data; boundary=x"),
    ],
)
def test_what_a_form_can_send_is_refused(kind: str) -> None:
    house = House()
    fields = {"Content_Type": kind}
    form = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n{}\r\n--x--\r\n'
    for answer, taken in (
        (house.post(form, **fields), "application/json, application/json-rpc"),
        (house.post_xml(form, **fields), "text/xml, application/xml"),
    ):
        assert answer.status == 415
        assert answer.headers["Accept-Post"].startswith(taken)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
def test_a_content_type_may_have_parameters(kind: str) -> None:
    assert House().post({}, Content_Type=kind).status == 200
    assert House().post({}, Content_Type=kind, Content_Encoding="gzip").status == 415


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://localhost", "x"])
def test_pages_of_another_origin_may_not_call(origin: str) -> None:
    house = House()
    assert house.post({}, Origin=origin).status == 403
    assert house.post_xml(b"", Origin=origin).status == 403
    assert ask(house.site, "/rpc", "OPTIONS", Origin=origin).status == 403


def test_pages_of_our_own_and_of_friends_may_call() -> None:
    house = House()
    assert house.post({}, Origin="http://localhost").status == 200
    answer = ask(house.site, "/rpc", "OPTIONS", Origin=FRIEND)
    assert answer.headers["Access-Control-Allow-Origin"] == FRIEND
    assert answer.headers["Access-Control-Allow-Headers"] == "Content-Type"
    answer = house.post({}, Origin=FRIEND)
    assert (answer.status, answer.headers["Vary"]) == (200, "Origin")
    assert "Access-Control-Allow-Origin" not in house.post({}).headers


def test_a_body_may_be_so_long_and_no_longer() -> None:
    house = House()
    answer = house.post(b" " * (MAX_BODY - 2) + b"{}")
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (200, -32600)
    assert house.post(b" " * MAX_BODY + b"{}").status == 413
    assert house.post_xml(b" " * MAX_BODY + b"<a/>").status == 413


def test_an_empty_body_is_answered_in_the_protocol() -> None:
    house = House()
    assert json.loads(house.post(b"").body)["error"]["code"] == -32700
    with pytest.raises(xmlrpc.client.Fault, match="-32700"):
        xmlrpc.client.loads(house.post_xml(b"").body)


HOUSE = House()


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300))
def test_any_bytes_get_an_answer_of_the_protocol_and_never_a_500(body: bytes) -> None:
    answer = HOUSE.post(body)
    assert answer.status in (200, 204)
    if answer.status == 200:
        told = json.loads(answer.body)
        for each in told if isinstance(told, list) else [told]:
            assert each["jsonrpc"] == "2.0"
            assert ("error" in each) != ("result" in each)
    answer = HOUSE.post_xml(body)
    assert answer.status == 200
    with pytest.raises(xmlrpc.client.Fault):
        xmlrpc.client.loads(answer.body)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["subtract", "sum", "later", "refuse", "get_data", "system.multicall", "system.methodHelp"]
)


@settings(deadline=None, max_examples=200)
@given(NAMES | st.text(max_size=9), VALUES, VALUES)
def test_any_call_gets_an_answer_of_the_protocol(method: str, params: Any, id: Any) -> None:
    answer = HOUSE.post({"jsonrpc": "2.0", "method": method, "params": params, "id": id})
    told = json.loads(answer.body)
    assert answer.status == 200
    assert ("error" in told) != ("result" in told)
