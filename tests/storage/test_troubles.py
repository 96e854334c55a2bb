from __future__ import annotations

from twisted.logger import capturedLogs, formatEvent

from proto.storage.troubles import Troubles


def test_a_trouble_is_told_once_and_so_is_its_end() -> None:
    troubles = Troubles("x.db")
    with capturedLogs() as events:
        for why in ("", "full", "full", "", "", "gone", "other"):
            troubles.now("written", why)
        troubles.now("read", "gone")
    assert [formatEvent(event) for event in events] == [
        "x.db cannot be written: full",
        "x.db can be written again",
        "x.db cannot be written: gone",
        "x.db cannot be written: other",
        "x.db cannot be read: gone",
    ]
