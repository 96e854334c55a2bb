"""Log events as one JSON object a line, in a file that logrotate may move."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Final

from twisted.logger import LogEvent, formatEvent

PLAIN: Final = (str, int, float, bool, type(None))


class LogFile:
    """A text file that is appended to, a line at a time."""

    def __init__(self, path: Path) -> None:
        """Raises OSError if it cannot be opened."""
        self._path = path
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def reopen(self) -> None:
        """Go on in a new file of the same name.  Raises OSError, and then keeps the old one."""
        fresh = self._path.open("a", encoding="utf-8", buffering=1)
        self._file.close()
        self._file = fresh

    def close(self) -> None:
        """No more is written."""
        self._file.close()

    # The log observer calls these.
    def write(self, text: str) -> None:
        """Append."""
        self._file.write(text)

    def flush(self) -> None:
        """Nothing: each line is written when it ends."""


def format_json(event: LogEvent) -> str | None:
    """One line: time (ISO 8601, UTC), level, source, message, the event's plain fields, traceback.

    JSON escapes what a peer may have put into a field, so that no peer can forge a line.
    """
    when = datetime.fromtimestamp(event.get("log_time", 0.0), UTC)
    level = event.get("log_level")
    record: dict[str, object] = {
        "time": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": level.name if level is not None else "info",
        "source": event.get("log_namespace", ""),
        "message": formatEvent(event),
    }
    for key, value in event.items():
        if not key.startswith(("log_", "_")) and key not in record and isinstance(value, PLAIN):
            plain = not isinstance(value, float) or isfinite(value)
            record[key] = value if plain else str(value)  # JSON has no nan and no infinity
    failure = event.get("log_failure")
    if failure is not None:
        record["traceback"] = failure.getTraceback()
    return json.dumps(record, ensure_ascii=True, default=str) + "\n"
