"""Reading lines out of a store, and never one that is not certain to be stored.

Knows no threads and no reactor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from twisted.logger import Logger
from twisted.python.failure import Failure

from proto.chat.events import Emoted, Pasted, Said, Spoken, Stored, TopicSet
from proto.chat.history import Lines, LinesCallback, RefusedCallback, Span, fitting
from proto.errors import PeerError
from proto.storage.certain import Certain
from proto.storage.store import ANY, Reading, Store, Stretch
from proto.storage.troubles import Troubles

KINDS: Final[dict[str, type[Spoken]]] = {
    "said": Said,
    "emoted": Emoted,
    "pasted": Pasted,
    "topic": TopicSet,
}
"""What the kinds of lines are called in a store."""

Answer: TypeAlias = Callable[[], object]
"""What is to be done in the reactor."""


@dataclass(frozen=True, slots=True)
class Read:
    """`History.read`, or `History.search` where there are words."""

    room: str
    span: Span
    words: Sequence[str]
    then: LinesCallback
    refused: RefusedCallback


def lines(
    link: Reading, room: str, span: Span, below: int = ANY, words: Sequence[str] = ()
) -> Lines:
    """The lines of a span, with all those words, of those below a number."""
    backwards = span.after is None
    above = min(max(0, span.after or 0), ANY)
    below = min(below, span.before if backwards and span.before is not None else ANY)
    count = max(0, span.count) + 1
    rows = link.rows(Stretch(room, above, max(0, below), backwards, count, span.size, words))
    events = [Stored(row.sequence, row.at, KINDS[row.kind](row.sender, row.text)) for row in rows]
    taken, more = fitting(events, span)
    return Lines(tuple(reversed(taken)) if backwards else tuple(taken), more)


def cannot_read(why: str) -> PeerError:
    """What somebody is told who asked for lines."""
    return PeerError(f"The log cannot be read: {why}." if why else "The log cannot be read.")


class Reads:
    """Answers `Read`.  All of it belongs to one thread, which may wait for a disk."""

    log = Logger()

    def __init__(self, store: Store, certain: Certain, troubles: Troubles) -> None:
        """`troubles` is told in the reactor, with the answers."""
        self._store = store
        self._certain = certain
        self._troubles = troubles
        self._link: Reading | None = None

    def answers(self, question: Read) -> list[Answer]:
        """The answer, and what to tell the log."""
        try:
            found = self._read(question)
        except Exception as error:
            trouble = self._store.trouble(error)
            if trouble is None:
                failed = partial(self.log.failure, "the chat's log failed", Failure(error))
                return [failed, partial(question.refused, cannot_read(""))]
            if trouble.lost:
                self.close()
            return [
                partial(self._troubles.now, "read", trouble.told),
                partial(question.refused, cannot_read(trouble.why)),
            ]
        return [partial(self._troubles.now, "read", ""), partial(question.then, found)]

    def close(self) -> None:
        """Give the connection back."""
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def _read(self, question: Read) -> Lines:
        while True:
            failures, below = self._certain.limit(question.room)
            found = lines(self._connected(), question.room, question.span, below, question.words)
            newest = found.lines[-1].sequence if found.lines else 0
            if self._certain.holds(question.room, failures, newest):
                return found

    def _connected(self) -> Reading:
        if self._link is not None and not self._link.alive():
            self.close()
        if self._link is None:
            self._link = self._store.reading()
        return self._link
