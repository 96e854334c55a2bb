from __future__ import annotations

import pytest

from proto.logfile.formats import FORMATS
from proto.logfile.framing import Run
from proto.logfile.origin import Origin
from proto.weblog.stamp import time_in


@pytest.mark.parametrize("name", ["prefixed", "json", "syslog"])
@pytest.mark.parametrize("seconds", [1_700_000_000.0, 1_700_000_000.25, 1_800_000_000.999999])
def test_the_time_of_every_format_that_has_one_is_found(name: str, seconds: float) -> None:
    record = FORMATS[name]([Run(b"text\n", 1)], Origin("192.0.2.1:1"), seconds, 1)
    assert time_in(record) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"text",
        b" 2023-11-14T22:13:20Z",
        b"2023-11-14T22:13:20",
        b"2023-13-14T22:13:20Z",
        b'{"line":"2023-11-14T22:13:20Z"}',
    ],
)
def test_a_record_that_begins_with_no_time_tells_none(record: bytes) -> None:
    assert time_in(record) is None
