from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.web.handshake import check_origin, negotiate, parse_origin
from proto.web.response import HTTPError
from tests.web.sockets import UPGRADE


def refusal(version: str = "HTTP/1.1", **changes: str | None) -> HTTPError:
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    fields = [(name, value) for name, value in {**UPGRADE, **named}.items() if value is not None]
    with pytest.raises(HTTPError) as caught:
        negotiate(version, fields)
    return caught.value


def test_the_answer_of_the_rfc() -> None:
    agreement = negotiate("HTTP/1.1", UPGRADE.items())
    assert agreement.fields == (
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    )
    assert (agreement.extensions, agreement.subprotocol) == ((), None)


def test_deflate_keeps_nothing_between_messages_and_has_small_windows() -> None:
    offer = "permessage-deflate; client_max_window_bits, x-unknown"
    agreement = negotiate("HTTP/1.1", [*UPGRADE.items(), ("Sec-WebSocket-Extensions", offer)])
    assert dict(agreement.fields)["Sec-WebSocket-Extensions"] == (
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
        "server_max_window_bits=12; client_max_window_bits=12"
    )
    assert len(agreement.extensions) == 1


@pytest.mark.parametrize(
    ("offered", "taken"),
    [("b, a", "a"), ("b", "b"), ("c", None), (None, None)],
)
def test_subprotocols(offered: str | None, taken: str | None) -> None:
    fields = [*UPGRADE.items()] + ([("Sec-WebSocket-Protocol", offered)] if offered else [])
    agreement = negotiate("HTTP/1.1", fields, ["a", "b"])
    assert agreement.subprotocol == taken
    assert dict(agreement.fields).get("Sec-WebSocket-Protocol") == taken


def test_refusals_name_what_is_here() -> None:
    for error in (refusal("HTTP/1.0"), refusal(Upgrade=None), refusal(Sec_WebSocket_Version="7")):
        assert error.status == 426
        assert dict(error.headers) == {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
        }


def test_what_is_malformed_is_a_bad_request() -> None:
    assert refusal(Sec_WebSocket_Key="AAAA").status == 400
    assert refusal(Sec_WebSocket_Version=None).status == 400
    assert refusal(Sec_WebSocket_Extensions='a;b="').status == 400


@given(
    st.dictionaries(
        st.sampled_from([*UPGRADE, "Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"]),
        st.text(st.characters(max_codepoint=255), max_size=30),
    )
)
def test_random_fields_are_refused_or_agreed_on(fields: dict[str, str]) -> None:
    status = 101
    try:
        negotiate("HTTP/1.1", {**UPGRADE, **fields}.items(), ["a"])
    except HTTPError as error:
        status = error.status
    assert status in (101, 400, 426)


def test_other_fields_may_hold_what_they_like() -> None:
    assert negotiate("HTTP/1.1", [*UPGRADE.items(), ("User-Agent", "\x1f\xff")]).fields


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("http://a", ("http", "a", 80)),
        ("https://a", ("https", "a", 443)),
        ("http://a:8080", ("http", "a", 8080)),
        ("http://[::1]:80", ("http", "::1", 80)),
        ("app://a:1", ("app", "a", 1)),
    ],
)
def test_origins(text: str, origin: tuple[str, str, int]) -> None:
    assert parse_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    ["", "null", "a", "//a", "http://", "http://a/", "http://a?", "http://u@a", "http://a:x", "app://a",
     "http://a:99999", "http://[", "http://a http://b", "file:///x"],
)  # fmt: skip
def test_what_is_no_origin(text: str) -> None:
    with pytest.raises(ValueError):
        parse_origin(text)


OTHER = frozenset({("https", "chat.example", 443)})


@pytest.mark.parametrize(
    ("told", "host", "is_secure"),
    [
        ([], "a", False),
        (["http://a"], "a", False),
        (["http://a"], "A:80", False),
        (["http://A:8080"], "a:8080", False),
        (["https://a"], "a:443", True),
        (["http://[::1]:8"], "[::1]:8", False),
        (["https://chat.example"], "a", False),
    ],
)
def test_who_may_connect(told: list[str], host: str, is_secure: bool) -> None:
    check_origin(told, host, is_secure, OTHER)


@pytest.mark.parametrize(
    ("told", "host", "is_secure"),
    [
        (["null"], "a", False),
        ([""], "a", False),
        (["http://b"], "a", False),
        (["http://a.b"], "a", False),
        (["https://a"], "a", False),
        (["http://a"], "a", True),
        (["http://a:81"], "a", False),
        (["http://a"], "", False),
        (["http://a"], "a/", False),
        (["http://a", "http://a"], "a", False),
        (["http://chat.example"], "a", False),
    ],
)
def test_who_may_not(told: list[str], host: str, is_secure: bool) -> None:
    with pytest.raises(HTTPError) as caught:
        check_origin(told, host, is_secure, OTHER)
    assert caught.value.status == 403
