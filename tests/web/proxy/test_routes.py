from __future__ import annotations

import pytest

from proto.web.proxy.routes import Route, is_unix
from proto.web.proxy.servers import Server


def test_a_path_has_servers_and_each_its_words() -> None:
    route = Route.parse("/app=http://a:8000 weight=3 max_fails=2, https://b backup")
    assert route == Route(
        "/app",
        (Server("a", 8000, weight=3, max_fails=2), Server("b", 443, True, backup=True)),
        None,
    )


@pytest.mark.parametrize(
    ("text", "base"), [("http://a", None), ("http://a/", ""), ("http://a/b/", "/b")]
)
def test_a_url_with_a_path_is_another_thing_than_one_without(text: str, base: str | None) -> None:
    assert Route.parse(f"/app={text}").base == base


def test_a_server_may_be_a_unix_socket() -> None:
    route = Route.parse("/app=unix:/run/a.sock weight=2,unix:/run/b.sock")
    assert route.servers == (Server("/run/a.sock", 0, weight=2), Server("/run/b.sock", 0))
    assert route.base is None
    assert Route.parse("/app=unix:/run/a.sock:/base").base == "/base"
    assert is_unix(route.servers[0])
    assert not is_unix(Server("a", 80))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/app",
        "app=http://a",
        "/app=",
        "/app=a:8000",
        "/app=http://a,",
        "/app=http://a/x,http://b/y",
        "/app=http://a,http://b/",
        "/app=http://a weight",
        "/app=unix:run/a.sock",
        "/app=unix:/" + "x" * 107,
        "/../app=http://a",
    ],
)
def test_anything_else_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(ValueError, match=r".{10}"):
        Route.parse(text)
