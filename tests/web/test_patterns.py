from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.web.patterns import PathTemplate, Value


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("/", b"/", {}),
        ("/a/b", b"/a/b", {}),
        ("/a/", b"/a/", {}),
        ("/hello/<name>", b"/hello/you", {"name": "you"}),
        ("/hello/<str:name>", b"/hello/J\xc3\xbcrgen", {"name": "Jürgen"}),
        ("/t/<int:id>/u/<x_1>", b"/t/042/u/y", {"id": 42, "x_1": "y"}),
    ],
)
def test_a_path_gives_its_named_segments(
    template: str, path: bytes, values: dict[str, Value]
) -> None:
    assert PathTemplate(template).match(path[1:].split(b"/")) == values


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/a", b"/b"),
        ("/a", b"/a/"),
        ("/hello/<name>", b"/hello/"),
        ("/hello/<name>", b"/hello"),
        ("/hello/<name>", b"/hello/a/b"),
        ("/hello/<name>", b"/hello/\xff"),
        ("/t/<int:id>", b"/t/x"),
        ("/t/<int:id>", b"/t/-1"),
        ("/t/<int:id>", b"/t/" + b"1" * 19),
        ("/t/<int:id>", "/t/٣".encode()),
    ],
)
def test_another_path_does_not_match(template: str, path: bytes) -> None:
    assert PathTemplate(template).match(path[1:].split(b"/")) is None


@pytest.mark.parametrize(
    "template", ["", "a", "/<a", "/x<a>", "/<float:a>", "/<a>/<a>", "/<1a>", "/a>"]
)
def test_a_template_that_makes_no_sense_is_refused_at_once(template: str) -> None:
    with pytest.raises(ValueError, match=r"template|neither|none of"):
        PathTemplate(template)


@given(st.lists(st.binary(max_size=8), max_size=4))
def test_any_segments_match_or_do_not(segments: list[bytes]) -> None:
    values = PathTemplate("/<a>/<int:b>").match(segments)
    assert values is None or set(values) == {"a", "b"}
