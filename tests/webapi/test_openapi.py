from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from proto.webapi import others
from proto.webapi.declared import refusals_of
from proto.webapi.openapi import document
from proto.webapi.operations import OPERATIONS

TAGS = {name: f"All {name}." for name in ("tasks", "users", "chat", "log")}


def made(**options: Any) -> dict[str, Any]:
    found = document(OPERATIONS, title="proto", version="1", tags=TAGS, **options)
    read: dict[str, Any] = json.loads(msgspec.json.encode(found))
    return read


WHOLE = made(tokens=True, others=[*others.CHAT, *others.LOG], others_problem=others.PlainProblem)


@pytest.mark.parametrize("told", [made(), made(tokens=True), WHOLE])
def test_it_is_a_document_of_openapi_3_1(told: dict[str, Any]) -> None:
    assert [str(error) for error in OPENAPI_31_VALIDATOR.iter_errors(told)] == []


def test_the_validator_would_have_told() -> None:
    wrong = made()
    del wrong["paths"]["/api/v1/tasks"]["get"]["parameters"][0]["in"]
    assert list(OPENAPI_31_VALIDATOR.iter_errors(wrong))


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if "$ref" in value else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_every_schema_that_is_mentioned_is_there_and_no_other() -> None:
    names = {each.rpartition("/")[2] for each in references(WHOLE)}
    assert names == set(WHOLE["components"]["schemas"])


def test_every_operation_is_in_it_with_all_that_it_may_answer() -> None:
    told = made()
    for each in OPERATIONS:
        path = each.path.replace("<int:id>", "{id}")
        operation = told["paths"][path][each.method.lower()]
        assert operation["operationId"] == each.name
        expected = {*(reply.status for reply in each.replies), *refusals_of(each, tokens=False)}
        assert {int(status) for status in operation["responses"]} == expected
        assert ("requestBody" in operation) is (each.body is not None)
        assert "security" not in operation


def test_parameters_have_the_bounds_that_are_enforced() -> None:
    told = made()["paths"]["/api/v1/tasks"]["get"]["parameters"]
    by_name = {each["name"]: each for each in told}
    assert list(by_name) == ["completed", "q", "sort", "page", "limit", "cursor", "If-None-Match"]
    assert by_name["limit"]["schema"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 100,
        "default": 20,
    }
    assert by_name["completed"]["schema"] == {"type": "boolean"}
    assert by_name["limit"]["description"] == "Items of a page."
    match = made()["paths"]["/api/v1/tasks/{id}"]["put"]["parameters"][1]
    assert (match["name"], match["in"], match["required"]) == ("If-Match", "header", True)


def test_with_tokens_each_of_ours_needs_one_and_nobody_elses() -> None:
    assert WHOLE["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    place = WHOLE["paths"]["/api/v1/tasks"]["get"]
    assert place["security"] == [{"token": []}, {"basic": []}]
    assert "401" in place["responses"]
    assert "security" not in WHOLE["paths"]["/api/v1/chat/rooms"]["get"]


def test_only_the_tags_that_are_used_are_told() -> None:
    assert [each["name"] for each in made()["tags"]] == ["tasks", "users"]
    assert [each["name"] for each in WHOLE["tags"]] == ["tasks", "users", "chat", "log"]
