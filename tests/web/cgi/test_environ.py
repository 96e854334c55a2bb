from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from proto.web.cgi.environ import Call, environment_of, parse_addition, server_name

CALL: Final = Call(
    method=b"GET",
    protocol=b"HTTP/1.1",
    script_name=b"/cgi-bin/x",
    path_info=None,
    path_translated=None,
    query=b"",
    fields=(),
    length=None,
    server_name=b"example.org",
    server_port=8080,
    client=b"192.0.2.7",
)
BARE: Final = {
    b"PATH": b"/usr/local/bin:/usr/bin:/bin",
    b"GATEWAY_INTERFACE": b"CGI/1.1",
    b"QUERY_STRING": b"",
    b"REMOTE_ADDR": b"192.0.2.7",
    b"REMOTE_HOST": b"192.0.2.7",
    b"REQUEST_METHOD": b"GET",
    b"SCRIPT_NAME": b"/cgi-bin/x",
    b"SERVER_NAME": b"example.org",
    b"SERVER_PORT": b"8080",
    b"SERVER_PROTOCOL": b"HTTP/1.1",
    b"SERVER_SOFTWARE": b"proto",
}


def with_fields(*fields: tuple[bytes, *tuple[bytes, ...]]) -> Call:
    return replace(CALL, fields=tuple((name, tuple(values)) for name, *values in fields))


def told(call: Call, *, pass_authorization: bool = False) -> dict[bytes, bytes]:
    """What is there besides that of the barest request."""
    found = environment_of(call, pass_authorization=pass_authorization)
    return {name: value for name, value in found.items() if BARE.get(name) != value}


def test_a_bare_request_gives_these_variables_and_no_other() -> None:
    assert environment_of(CALL) == BARE


def test_all_that_a_request_may_say() -> None:
    call = replace(
        CALL,
        path_info=b"/a b/\xc3\xa9",
        path_translated=b"/srv/a b/\xc3\xa9",
        length=5,
        fields=((b"Content-Type", (b"text/plain",)), (b"Content-Length", (b"5",))),
        is_secure=True,
        user=b"ann",
    )
    assert told(call) == {
        b"PATH_INFO": b"/a b/\xc3\xa9",
        b"PATH_TRANSLATED": b"/srv/a b/\xc3\xa9",
        b"CONTENT_LENGTH": b"5",
        b"CONTENT_TYPE": b"text/plain",
        b"HTTPS": b"on",
        b"AUTH_TYPE": b"Basic",
        b"REMOTE_USER": b"ann",
    }


def test_what_follows_nothing_is_translated_to_nothing() -> None:
    assert told(replace(CALL, path_translated=b"/srv")) == {}


def test_a_field_that_comes_twice_is_one_variable() -> None:
    call = with_fields((b"Accept", b"a", b"b;q=0.5"), (b"Cookie", b"a=1", b"b=2"))
    assert told(call) == {b"HTTP_ACCEPT": b"a, b;q=0.5", b"HTTP_COOKIE": b"a=1; b=2"}


@pytest.mark.parametrize(
    "name",
    [
        b"Proxy",
        b"proxy",
        b"Authorization",
        b"Proxy-Authorization",
        b"Connection",
        b"Keep-Alive",
        b"Proxy-Connection",
        b"TE",
        b"Trailer",
        b"Transfer-Encoding",
        b"Upgrade",
        b"Expect",
        b"Content-Length",
        b"X_Forwarded_For",
        b"Content_Length",
        b"X.Y",
        b"x()",
        b"1st",
        b"-x",
        b"",
    ],
)
def test_fields_that_no_script_sees(name: bytes) -> None:
    assert told(with_fields((name, b"value"))) == {}


def test_authorization_is_told_where_that_is_wanted_and_that_of_proxies_never() -> None:
    call = with_fields((b"Authorization", b"Basic x"), (b"Proxy-Authorization", b"Basic y"))
    assert told(call, pass_authorization=True) == {b"HTTP_AUTHORIZATION": b"Basic x"}


def test_what_is_added_never_hides_what_was_asked() -> None:
    found = environment_of(CALL, [(b"LANG", b"C"), (b"PATH", b"/opt"), (b"QUERY_STRING", b"x")])
    assert found == {**BARE, b"LANG": b"C", b"PATH": b"/opt"}


def test_an_addition() -> None:
    assert parse_addition("LANG=C.UTF-8") == (b"LANG", b"C.UTF-8")
    assert parse_addition("_x1=a=\u00e9") == (b"_x1", b"a=\xc3\xa9")
    assert parse_addition("EMPTY=") == (b"EMPTY", b"")


@pytest.mark.parametrize(
    "text",
    [
        "LANG",
        "=x",
        "1A=x",
        "A B=x",
        "HTTP_PROXY=x",
        "QUERY_STRING=x",
        "HTTPS=on",
        "A=\0",
        "\u00e9=x",
    ],
)
def test_what_cannot_be_added(text: str) -> None:
    with pytest.raises(ValueError, match=r"NAME=VALUE|request says|NUL"):
        parse_addition(text)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        (b"example.org", b"example.org"),
        (b"example.org:8080", b"example.org"),
        (b"[2001:db8::1]:80", b"[2001:db8::1]"),
        (b"[2001:db8::1]", b"[2001:db8::1]"),
        (b"", b"192.0.2.1"),
        (b":80", b"192.0.2.1"),
    ],
)
def test_the_name_that_the_client_used(host: bytes, name: bytes) -> None:
    assert server_name(host, "192.0.2.1") == name


def test_without_a_name_an_address_of_ipv6_stands_in_brackets() -> None:
    assert server_name(b"", "::1") == b"[::1]"
