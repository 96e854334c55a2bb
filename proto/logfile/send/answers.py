"""Bytes -> HTTP/1.1 answers, as much of RFC 9112 as a client of one kind of request needs.

Plain values; bounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

LONGEST_HEAD: Final = 16 * 1024
LONGEST_BODY: Final = 1024 * 1024
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: ([^\r\n]*))?")
_LENGTH: Final = re.compile(r"[0-9]{1,7}")
_CHUNK: Final = re.compile(rb"([0-9a-fA-F]{1,6})[ \t]*(?:;[^\r\n]*)?\r\n")


class AnswerInvalid(Exception):
    """What came is no answer; the text is one line."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; nobody needs its body."""

    status: int
    reason: str
    headers: dict[str, str]
    """Names in lower case."""
    last: bool
    """Whether the connection ends after it."""


class Answers:
    """The answers on one connection; the interim ones (1xx) are left out."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> list[Answer]:
        """The answers that `data` completes.  Raises AnswerInvalid."""
        self._data += data
        answers: list[Answer] = []
        while self._data:
            head, found, rest = self._data.partition(b"\r\n\r\n")
            if not found:
                if len(head) > LONGEST_HEAD or not b"HTTP/1.".startswith(head[:7]):
                    raise AnswerInvalid("no HTTP/1.1 answer")
                break
            answer = _parse(head)
            end = _end_of_body(answer, rest)
            if end is None:
                break
            self._data = rest[end:]
            if answer.status >= 200:
                answers.append(answer)
        return answers


def _parse(head: bytes) -> Answer:
    first, *lines = head.split(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None or len(head) > LONGEST_HEAD:
        raise AnswerInvalid("no HTTP/1.1 answer")
    headers = {}
    for line in lines:
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    last = "close" in headers.get("connection", "").lower() or first.startswith(b"HTTP/1.0")
    return Answer(int(status[1]), (status[2] or b"").decode("latin-1"), headers, last)


def _end_of_body(answer: Answer, rest: bytes) -> int | None:
    """Where the body ends in `rest`; None if it is not all there yet."""
    if answer.status < 200 or answer.status == 204:
        return 0
    if "chunked" in answer.headers.get("transfer-encoding", "").lower():
        return _end_of_chunks(rest)
    length = answer.headers.get("content-length", "")
    if not _LENGTH.fullmatch(length) or int(length) > LONGEST_BODY:
        raise AnswerInvalid("an answer without a length")
    return int(length) if len(rest) >= int(length) else None


def _end_of_chunks(rest: bytes) -> int | None:
    """Where the last chunk of RFC 9112, section 7.1, ends; trailers are not expected."""
    if len(rest) > LONGEST_BODY:
        raise AnswerInvalid("an endless answer")
    at = 0
    while chunk := _CHUNK.match(rest, at):
        size = int(chunk[1], 16)
        at = chunk.end() + size + 2
        if len(rest) < at:
            return None
        if rest[at - 2 : at] != b"\r\n":
            raise AnswerInvalid("a chunk without its end")
        if size == 0:
            return at
    if b"\r\n" in rest[at:]:
        raise AnswerInvalid("a chunk without a size")
    return None
