from __future__ import annotations

import pytest

from proto.web.proxy.places import host_field
from proto.web.proxy.routes import Route
from proto.web.proxy.servers import Server


@pytest.mark.parametrize(
    ("route", "path", "target"),
    [
        ("/app=http://a", b"/app/x", b"/app/x"),
        ("/app=http://a/", b"/app/x", b"/x"),
        ("/app=http://a/", b"/app", b"/"),
        ("/app=http://a/", b"/app/", b"/"),
        ("/app=http://a/base", b"/app", b"/base"),
        ("/app=http://a/base", b"/app/", b"/base/"),
        ("/app=http://a/base/", b"/app/x", b"/base/x"),
        ("/app/deep=http://a/base", b"/app/deep/x/y", b"/base/x/y"),
        ("/app=http://a/base", b"/%61pp/x%2Fy%c3%a4//", b"/base/x%2Fy%c3%a4//"),
        ("/=http://a", b"/x", b"/x"),
        ("/=http://a/base", b"/", b"/base/"),
        ("/=http://a/base", b"/x", b"/base/x"),
    ],
)
def test_a_path_here_is_a_path_there(route: str, path: bytes, target: bytes) -> None:
    assert Route.parse(route).place.target(path, None) == target


def test_the_query_goes_on_as_it_is() -> None:
    place = Route.parse("/app=http://a/base").place
    assert place.target(b"/app/x", b"a=%20&b") == b"/base/x?a=%20&b"
    assert place.target(b"/app/x", b"") == b"/base/x?"


@pytest.mark.parametrize(
    ("route", "url", "here"),
    [
        ("/app=http://a:8000/base", b"http://a:8000/base/x", b"/app/x"),
        ("/app=http://a:8000/base", b"HTTP://A:8000/base?q", b"/app?q"),
        ("/app=http://a:8000/base", b"http://a:8000/base", b"/app"),
        ("/app=http://a:8000/base", b"http://a:8000/basement", b"http://a:8000/basement"),
        ("/app=http://a:8000/base", b"http://a:8000/", b"http://a:8000/"),
        ("/app=http://a:8000/base", b"/base/x", b"/base/x"),
        ("/app=http://a:8000/base", b"http://other/base/x", b"http://other/base/x"),
        ("/app=http://a:8000", b"http://a:8000/app/x", b"/app/x"),
        ("/app=http://a:8000", b"http://a:80001/app/x", b"http://a:80001/app/x"),
        ("/app=http://a", b"http://a/app/x", b"/app/x"),
        ("/app=http://a", b"http://a:80/app/x", b"/app/x"),
        ("/app=https://a", b"https://a/app", b"/app"),
        ("/app=http://a/,http://b:9/", b"http://b:9/x", b"/app/x"),
        ("/=http://a/base", b"http://a/base", b"/"),
    ],
)
def test_a_url_there_is_a_path_here(route: str, url: bytes, here: bytes) -> None:
    assert Route.parse(route).place.location(url) == here


def test_a_server_is_told_its_name_without_the_usual_port() -> None:
    assert host_field(Server("a", 80)) == "a"
    assert host_field(Server("a", 8000)) == "a:8000"
    assert host_field(Server("::1", 443, True)) == "[::1]"
    assert host_field(Server("a", 443)) == "a:443"
    assert host_field(Server("/run/x", 0)) == "localhost"
