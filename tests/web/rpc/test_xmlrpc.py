from __future__ import annotations

import xmlrpc.client
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proto.web.rpc.faults import RPCError
from proto.web.rpc.xmlrpc import DEEPEST, failure, fault_of, read, result

TAGS = st.sampled_from(["value", "int", "array", "data", "struct", "member", "name", "base64"])
NOON = datetime(1998, 7, 17, 14, 8, 55)


def call_of(value: str) -> bytes:
    """A call with one value, as XML."""
    return (
        "<?xml version='1.0'?><methodCall><methodName>m</methodName>"
        f"<params><param>{value}</param></params></methodCall>"
    ).encode()


def parameter(value: str) -> Any:
    name, (given,) = read(call_of(value))
    assert name == "m"
    return given


def refusal(body: bytes) -> str:
    with pytest.raises(RPCError) as refused:
        read(body)
    assert refused.value.code == -32600
    return str(refused.value.data)


def heard(body: bytes) -> Any:
    """What Python's own client makes of an answer."""
    (value,), _ = xmlrpc.client.loads(body, use_builtin_types=True)
    return value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<value>plain</value>", "plain"),
        ("<value> two\n words </value>", " two\n words "),
        ("<value></value>", ""),
        ("<value/>", ""),
        ("<value><string>&lt;&amp;é</string></value>", "<&é"),
        ("<value><string/></value>", ""),
        ("<value>\n  <int>-41</int>\n</value>", -41),
        ("<value><i4>+7</i4></value>", 7),
        ("<value><int> 2147483647 </int></value>", 2**31 - 1),
        ("<value><i8>-9223372036854775808</i8></value>", -(2**63)),
        ("<value><boolean>1</boolean></value>", True),
        ("<value><boolean>0</boolean></value>", False),
        ("<value><double>-12.214</double></value>", -12.214),
        ("<value><double>1e3</double></value>", 1000.0),
        ("<value><dateTime.iso8601>19980717T14:08:55</dateTime.iso8601></value>", NOON),
        ("<value><dateTime.iso8601>1998-07-17T14:08:55</dateTime.iso8601></value>", NOON),
        (
            "<value><dateTime.iso8601>19980717T14:08:55.5Z</dateTime.iso8601></value>",
            NOON.replace(microsecond=500_000, tzinfo=UTC),
        ),
        ("<value><base64>eW91IGNh\n bid0</base64></value>", b"you can't"),
        ("<value><base64/></value>", b""),
        ("<value><nil/></value>", None),
        ("<value><ex:nil/></value>", None),
        ("<value><array><data/></array></value>", []),
        (
            "<value><array><data><value><int>1</int></value><value>a</value></data></array></value>",
            [1, "a"],
        ),
        ("<value><struct/></value>", {}),
        (
            "<value><struct><member><name>low er</name><value><int>18</int></value></member>"
            "<member><name/><value><nil/></value></member></struct></value>",
            {"low er": 18, "": None},
        ),
    ],
)
def test_every_type_is_read(value: str, expected: Any) -> None:
    given = parameter(value)
    assert given == expected
    assert type(given) is type(expected)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("<value><int>1.5</int></value>", "'1.5' is no int"),
        ("<value><int/></value>", "'' is no int"),
        ("<value><int>2147483648</int></value>", "is no int"),
        ("<value><i8>9223372036854775808</i8></value>", "is no i8"),
        ("<value><int>" + "9" * 5000 + "</int></value>", "9..." + "' is no int"),
        ("<value><int>\u0661</int></value>", "is no int"),
        ("<value><boolean>true</boolean></value>", "'true' is no boolean"),
        ("<value><boolean></boolean></value>", "'' is no boolean"),
        ("<value><double>nan</double></value>", "'nan' is no double"),
        ("<value><double>1e999</double></value>", "'1e999' is no double"),
        ("<value><dateTime.iso8601>yesterday</dateTime.iso8601></value>", "is no dateTime"),
        ("<value><dateTime.iso8601>19981317T14:08:55</dateTime.iso8601></value>", "is no date"),
        ("<value><base64>a</base64></value>", "'a' is no base64"),
        ("<value><base64>é</base64></value>", "is no base64"),
        ("<value><nil>x</nil></value>", "'x' is no nil"),
        ("<value><blob>x</blob></value>", "'blob' is no type"),
        ("<value>x<int>1</int></value>", "text in value"),
        ("<value><int>1</int><int>2</int></value>", "a value has one type"),
        ("<value><int><int>1</int></int></value>", "'int' in 'int'"),
        ("<value><array/></value>", "array has one data"),
        ("<value><array><data>x</data></array></value>", "text in data"),
        ("<value><array><data><int>1</int></data></array></value>", "data has values"),
        ("<value><struct><member/></struct></value>", "a member has a name and a value"),
        ("<value><struct><name>x</name></struct></value>", "'name' where member was expected"),
        ("<value>1</value><value>2</value>", "param has one value"),
        ("", "param has one value"),
    ],
)
def test_what_is_no_value_is_told(value: str, why: str) -> None:
    assert why in refusal(call_of(value))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html/>", "'html' where methodCall was expected"),
        (b"<methodCall/>", "a methodCall has a methodName"),
        (b"<methodCall><params/></methodCall>", "a methodCall has a methodName"),
        (b"<methodCall>x<methodName>m</methodName></methodCall>", "text in methodCall"),
        (b"<methodCall><methodName><b/></methodName></methodCall>", "'b' in 'methodName'"),
        (b"<methodCall><methodName>m</methodName><b/></methodCall>", "'b' where params was"),
    ],
)
def test_what_is_no_call_is_told(body: bytes, why: str) -> None:
    assert why in refusal(body)


def test_a_call_may_have_no_parameters() -> None:
    assert read(b"<methodCall><methodName> a.b </methodName></methodCall>") == ("a.b", [])
    assert read(b"<methodCall><methodName>a</methodName><params/></methodCall>") == ("a", [])


def test_the_examples_of_the_specification_are_read_and_written() -> None:
    body = call_of("<value><i4>41</i4></value>").replace(b">m<", b">examples.getStateName<")
    assert read(body) == ("examples.getStateName", [41])
    assert heard(result("South Dakota")) == "South Dakota"
    with pytest.raises(xmlrpc.client.Fault) as caught:
        heard(failure(RPCError(4, "Too many parameters.")))
    assert (caught.value.faultCode, caught.value.faultString) == (4, "Too many parameters.")


@dataclass
class Point:
    x: int
    y: float


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (-5, -5),
        (2**40, 2**40),
        (1.5, 1.5),
        ("<b>&\r\n]]>é𝄞", "<b>&\r\n]]>é𝄞"),
        (b"\0\xff", b"\0\xff"),
        (NOON, NOON),
        (NOON.replace(tzinfo=timezone(timedelta(hours=2))), NOON - timedelta(hours=2)),
        (datetime(1, 1, 1), datetime(1, 1, 1)),
        ([1, ("a", [])], [1, ["a", []]]),
        ({"a": {"b": None}}, {"a": {"b": None}}),
        ({"<&>": 1}, {"<&>": 1}),
        (Point(1, 2.0), {"x": 1, "y": 2.0}),
        ({1, 2}, [1, 2]),
    ],
)
def test_what_is_said_is_what_a_client_reads(value: Any, expected: Any) -> None:
    assert heard(result(value)) == expected


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        *("\0", "\x1b[0m", "\ud800", "\uffff", 2**63, float("nan"), float("inf"), object(), 1j),
        *(nested(DEEPEST + 1), {"\0": 1}),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_what_cannot_be_said_raises(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        result(value)
    assert heard(result(nested(DEEPEST))) == nested(DEEPEST)


def test_a_list_within_itself_raises() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(RecursionError):
        result(endless)


def test_a_fault_says_what_it_can() -> None:
    assert fault_of(RPCError(1, "no", "because")) == {"faultCode": 1, "faultString": "no: because"}
    assert fault_of(RPCError(1, "a\0b", [1]))["faultString"] == "a\ufffdb"
    with pytest.raises(xmlrpc.client.Fault):
        heard(failure(RPCError(1, "\x1b[31m\ud800")))


SAYABLE = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**31), 2**31 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | SAYABLE
    | st.binary(max_size=20)
    | st.datetimes(min_value=datetime(1000, 1, 1)).map(lambda each: each.replace(microsecond=0)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SAYABLE, inner, max_size=4),
    max_leaves=15,
)


@settings(deadline=None)
@given(st.lists(VALUES, max_size=4))
def test_what_pythons_client_says_is_read_and_what_is_answered_it_reads(values: list[Any]) -> None:
    body = xmlrpc.client.dumps(tuple(values), "m", allow_none=True)
    assert read(body.encode()) == ("m", values)
    assert heard(result(values)) == values


@settings(deadline=None)
@given(st.recursive(st.text(max_size=5), lambda inner: st.lists(st.tuples(TAGS, inner))))
def test_any_tree_of_our_elements_is_read_or_refused(tree: Any) -> None:
    def written(node: Any) -> str:
        if isinstance(node, str):
            return node.replace("&", "&amp;").replace("<", "&lt;")
        return "".join(f"<{tag}>{written(inner)}</{tag}>" for tag, inner in node)

    body = call_of(f"<value>{written(tree)}</value>".encode(errors="replace").decode())
    code = 0
    try:
        name, params = read(body)
        assert (name, len(params)) == ("m", 1)
    except RPCError as refused:
        code = refused.code
    assert code in (0, -32600, -32700)
