from __future__ import annotations

import json

from proto.web.response import HTTPError
from proto.webapi.problems import Detail, Refused, problem_of


def test_a_refusal_tells_its_code_its_words_and_what_is_wrong() -> None:
    detail = Detail(where="query", field="limit", message="Expected `int` <= 100.")
    error = Refused(422, "invalid_query", "The query is wrong.", [detail], [("X-Why", "y")])
    answer = problem_of(error)
    assert (answer.status, answer.content_type) == (422, "application/problem+json")
    assert answer.headers == (("Cache-Control", "no-store"), ("X-Why", "y"))
    assert json.loads(answer.body) == {
        "type": "about:blank",
        "title": "Unprocessable Entity",
        "status": 422,
        "code": "invalid_query",
        "message": "The query is wrong.",
        "details": [{"in": "query", "field": "limit", "message": "Expected `int` <= 100."}],
    }


def test_a_refusal_of_somebody_else_is_called_by_its_status() -> None:
    told = json.loads(problem_of(HTTPError(429, "Too fast.")).body)
    assert (told["code"], told["message"], told["details"]) == (
        "too_many_requests",
        "Too fast.",
        [],
    )
    assert json.loads(problem_of(HTTPError(418)).body)["code"] == "im_a_teapot"
