from __future__ import annotations

import asyncio
import json
from typing import Any

from proto.web.response import HTTPError, Response
from proto.weblog.problems import WrongField, json_of, problems


def answer_to(refusal: Exception | None) -> Response:
    @problems
    async def ask(request: Any) -> Response:
        if refusal is not None:
            raise refusal
        return json_of({"a": 1})

    return asyncio.run(ask(None))


def test_a_refusal_becomes_a_problem_with_its_headers() -> None:
    answer = answer_to(HTTPError(503, "Not now.", [("Retry-After", "5")]))
    assert (answer.status, answer.content_type) == (503, "application/problem+json")
    assert answer.headers == (("Retry-After", "5"),)
    assert json.loads(answer.body) == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "Not now.",
    }


def test_a_wrong_field_is_named() -> None:
    assert json.loads(answer_to(WrongField("No.", "limit")).body)["field"] == "limit"
    assert "field" not in json.loads(answer_to(WrongField("No.")).body)


def test_what_is_no_refusal_stays_as_it_is() -> None:
    answer = answer_to(None)
    assert (answer.status, answer.body) == (200, b'{"a":1}')
    assert answer.headers == (("Cache-Control", "no-store"),)
