"""Log events as JSON lines."""

from __future__ import annotations

import json
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogEvent, Logger, LogLevel, capturedLogs
from twisted.python.failure import Failure

from proto.logs import format_json


def read(event: LogEvent) -> dict[str, Any]:
    """The one JSON object that the event became; constants that JSON lacks are refused."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    line = format_json(event)
    assert line is not None
    assert line.endswith("\n")
    assert len(line.splitlines()) == 1
    assert line.isascii()
    return cast("dict[str, Any]", json.loads(line, parse_constant=refuse))


def test_an_event_is_one_line_with_time_level_source_message_and_fields() -> None:
    with capturedLogs() as events:
        Logger("proto.chat").warn(
            "{name} left after {count} lines", name="bob", count=3, room=object(), mute=None
        )
    events[0]["log_time"] = 1_700_000_000.1234
    assert read(events[0]) == {
        "time": "2023-11-14T22:13:20.123Z",
        "level": "warn",
        "source": "proto.chat",
        "message": "bob left after 3 lines",
        "name": "bob",
        "count": 3,
        "mute": None,
    }


def test_a_failure_brings_its_traceback() -> None:
    try:
        raise ValueError("no such thing")
    except ValueError:
        failure = Failure()
    record = read({"log_failure": failure, "log_level": LogLevel.critical, "log_format": "broken"})
    assert record["message"] == "broken"
    assert record["traceback"].endswith("ValueError: no such thing\n")


def test_an_event_that_says_nothing_is_a_line_all_the_same() -> None:
    assert read({}) == {
        "time": "1970-01-01T00:00:00.000Z",
        "level": "info",
        "source": "",
        "message": "",
    }


def test_a_field_cannot_stand_in_for_what_the_line_is() -> None:
    record = read(
        {
            "log_format": "{level} {traceback}",
            "level": "forged",
            "time": "never",
            "message": "forged",
            "traceback": "forged",
            "log_failure": Failure(KeyError("x")),
        }
    )
    assert record["level"] == "info"
    assert record["time"] == "1970-01-01T00:00:00.000Z"
    assert record["message"] == "forged forged"
    assert "KeyError" in record["traceback"]


def test_the_numbers_that_json_lacks_become_text() -> None:
    record = read({"lag": float("nan"), "rate": float("inf"), "log_format": "x"})
    assert (record["lag"], record["rate"]) == ("nan", "inf")


@given(st.text())
def test_no_peer_can_forge_a_line(said: str) -> None:
    record = read({"log_format": "{peer} said {said}", "peer": "192.0.2.1:1", "said": said})
    assert record["said"] == said
    assert record["message"] == f"192.0.2.1:1 said {said}"
