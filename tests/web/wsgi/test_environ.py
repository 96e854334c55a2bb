from __future__ import annotations

import os
from typing import Any

import pytest

from proto.web.wsgi.environ import Asked, environ_of, variable_of

PLAIN = Asked(
    method=b"GET",
    script=(b"app",),
    path=(b"x y", b"caf\xc3\xa9"),
    target=b"/app/x%20y/caf%C3%A9?a=%20b",
    query=b"a=%20b",
    protocol=b"HTTP/1.1",
    fields=[(b"Host", b"example.net")],
    server=("192.0.2.1", 8080),
    client=("198.51.100.7", 4242),
    is_secure=False,
)


def of(**changed: Any) -> dict[str, Any]:
    return environ_of(PLAIN._replace(**changed))


def test_a_plain_request_has_these_variables_and_no_others() -> None:
    assert environ_of(PLAIN) == {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "/app",
        "PATH_INFO": "/x y/caf\xc3\xa9",
        "QUERY_STRING": "a=%20b",
        "REQUEST_URI": "/app/x%20y/caf%C3%A9?a=%20b",
        "SERVER_NAME": "192.0.2.1",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "proto",
        "REMOTE_ADDR": "198.51.100.7",
        "REMOTE_PORT": "4242",
        "HTTP_HOST": "example.net",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input_terminated": True,
        "wsgi.multithread": True,
        "wsgi.run_once": False,
    }


def test_nothing_of_our_own_environment_is_told() -> None:
    assert not set(os.environ) & set(environ_of(PLAIN))


@pytest.mark.parametrize(
    ("script", "path", "told"),
    [
        ((), (b"",), ("", "/")),
        ((), (b"a", b""), ("", "/a/")),
        ((b"app",), (), ("/app", "")),
        ((b"app",), (b"",), ("/app", "/")),
        ((b"a", b"b"), (b"c/d",), ("/a/b", "/c/d")),
    ],
)
def test_the_path_is_cut_where_the_application_stands(
    script: tuple[bytes, ...], path: tuple[bytes, ...], told: tuple[str, str]
) -> None:
    environ = of(script=script, path=path)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == told


def test_type_and_length_of_the_body_have_names_of_their_own() -> None:
    environ = of(fields=[(b"content-type", b"text/plain"), (b"Content-Length", b"3")])
    assert environ["CONTENT_TYPE"] == "text/plain"
    assert environ["CONTENT_LENGTH"] == "3"
    assert not any(name.startswith("HTTP_") for name in environ)


def test_a_field_that_comes_again_is_joined() -> None:
    fields = [
        (b"Accept", b"a"),
        (b"X-A", b"1"),
        (b"accept", b"b"),
        (b"Cookie", b"c"),
        (b"Cookie", b"d"),
    ]
    environ = of(fields=fields)
    assert environ["HTTP_ACCEPT"] == "a, b"
    assert environ["HTTP_X_A"] == "1"
    assert environ["HTTP_COOKIE"] == "c; d"


@pytest.mark.parametrize("name", [b"Proxy", b"PROXY", b"X_Forwarded_For", b"Content_Length"])
def test_a_field_that_could_be_taken_for_something_else_is_dropped(name: bytes) -> None:
    assert variable_of(name) is None
    assert (
        environ_of(PLAIN._replace(fields=[(name, b"x")])).keys()
        & {
            "HTTP_PROXY",
            "HTTP_X_FORWARDED_FOR",
            "CONTENT_LENGTH",
        }
        == set()
    )


def test_tls_and_http2_are_told() -> None:
    environ = of(is_secure=True, protocol=b"HTTP/2.0", server=("", 0), client=("", 0))
    assert environ["wsgi.url_scheme"] == "https"
    assert environ["HTTPS"] == "on"
    assert environ["SERVER_PROTOCOL"] == "HTTP/2"
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("localhost", "443")
    assert environ["REMOTE_ADDR"] == ""
    assert "HTTPS" not in environ_of(PLAIN)
