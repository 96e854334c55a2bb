from __future__ import annotations

import pytest
from markupsafe import Markup

from proto.errors import PeerError
from proto.web.response import (
    BINARY,
    HTML,
    JSON,
    TEXT,
    HTTPError,
    Response,
    allowed_methods,
    phrase_of,
    refusal_of,
    response_of,
)


@pytest.mark.parametrize(
    ("value", "response"),
    [
        ("<b>", Response(200, b"<b>", TEXT)),
        (Markup("<b>"), Response(200, b"<b>", HTML)),
        (b"\0", Response(200, b"\0", BINARY)),
        ({"a": [1, None]}, Response(200, b'{"a":[1,null]}', JSON)),
        ([], Response(200, b"[]", JSON)),
        (None, Response(204)),
        (Response(201, b"x"), Response(201, b"x")),
        ("\udcff", Response(200, b"?", TEXT)),
    ],
)
def test_what_a_handler_returns_becomes_a_response(value: object, response: Response) -> None:
    assert response_of(value) == response


def test_what_cannot_be_json_is_a_mistake() -> None:
    with pytest.raises(TypeError):
        response_of(object())


def test_an_error_is_a_refusal_that_names_itself() -> None:
    error = HTTPError(404)
    assert isinstance(error, PeerError)
    assert (error.status, error.detail, str(error)) == (404, "", "Not Found")


@pytest.mark.parametrize("status", [0, 200, 304, 399, 600])
def test_an_error_has_the_status_of_an_error(status: int) -> None:
    with pytest.raises(ValueError, match="400 to 599"):
        HTTPError(status)


def test_a_known_method_is_not_allowed_and_an_unknown_one_not_implemented() -> None:
    known, unknown = refusal_of("POST", ("GET", "HEAD")), refusal_of("B" * 99, ("GET",))
    assert (known.status, known.headers) == (405, (("Allow", "GET, HEAD"),))
    assert (unknown.status, unknown.headers) == (501, ())
    assert len(str(unknown)) < 99


def test_options_tell_what_is_allowed() -> None:
    assert allowed_methods(("GET", "HEAD")) == Response(204, headers=[("Allow", "GET, HEAD")])


def test_every_status_has_a_name() -> None:
    assert [phrase_of(status) for status in (200, 299, 499)] == ["OK", "Answer", "Error"]
