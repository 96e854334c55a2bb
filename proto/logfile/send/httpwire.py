"""HTTP, the client's side: lines -> `POST /log`, and statuses -> acknowledgements.

One request at a time; 200 means that its lines are on the disk.  Knows no sockets.
"""

from __future__ import annotations

import re
from typing import Final

from proto.logfile.send.answers import Answer, AnswerInvalid, Answers
from proto.logfile.send.window import Window
from proto.logfile.send.wire import Hopeless, LineRefused, Trouble

MOST_BYTES: Final = 512 * 1024
"""Of one request's body, unless a single line is longer."""
NOT_NOW: Final = (408, 425, 429, 500, 502, 503, 504)


class HttpWire:
    """One HTTP/1.1 connection."""

    def __init__(self, window: Window, host: str) -> None:
        """`host` is what the Host header says."""
        self._window = window
        self._host = host
        self._answers = Answers()

    def begin(self) -> bytes:
        return b""

    def pack(self) -> bytes:
        if self._window.sent:
            return b""
        lines = self._window.take(most_bytes=MOST_BYTES)
        if not lines:
            return b""
        body = b"\n".join(lines) + b"\n"
        head = (
            f"POST /log HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: text/plain\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def end(self) -> bytes:
        return b""

    def feed(self, data: bytes) -> None:
        try:
            answers = self._answers.feed(data)
        except AnswerInvalid as problem:
            raise Trouble(f"the server does not speak HTTP: {problem}") from None
        for answer in answers:
            if not self._window.sent:
                raise Trouble(f"the server hangs up: {answer.status}")
            self._hear(answer)

    def _hear(self, answer: Answer) -> None:
        said = f"the server answers {answer.status} {answer.reason}".rstrip()
        if answer.status == 200:
            self._window.acknowledge(self._window.sent)
        elif answer.status == 413 and self._window.sent > 1:
            self._window.narrow()
        elif answer.status == 413:
            raise LineRefused(f"is too long for the server: {said}")
        elif answer.status in NOT_NOW:
            raise Trouble(said, after=_seconds(answer.headers.get("retry-after", "")))
        else:
            raise Hopeless(said)
        if answer.last:
            raise Trouble("the server hung up after its answer", after=0.0)


def _seconds(text: str) -> float | None:
    """What Retry-After asks for; with a date or 0 the usual pause is made."""
    return float(text) or None if re.fullmatch(r"[0-9]{1,5}", text) else None
