"""What holds for every test of the cache."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import implementer


@pytest.fixture(autouse=True)
def nothing_fails_unseen() -> Iterator[None]:
    """What is logged as a failure is a bug."""
    failures: list[str] = []

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        if event.get("log_failure") is not None:
            failures.append(f"{formatEvent(event)}: {event['log_failure'].getTraceback()}")

    globalLogPublisher.addObserver(observe)
    yield
    globalLogPublisher.removeObserver(observe)
    assert failures == []
