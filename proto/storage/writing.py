"""What the thread that writes does with a batch of questions.  Knows no threads and no reactor.

A batch is one transaction.  What was refused took no sequence number, so that a room counts 1, 2,
3 whatever went wrong, and is never seen; `certain.py` tells how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Final, TypeAlias

from twisted.logger import Logger
from twisted.python.failure import Failure

from proto.chat.events import Spoken, Stored, TopicSet
from proto.chat.history import (
    SESSIONS,
    Recent,
    RecentCallback,
    RefusedCallback,
    Session,
    SessionCallback,
    Span,
    StoredCallback,
)
from proto.errors import PeerError
from proto.storage.certain import Certain
from proto.storage.pruning import DAY, Keep, Pruning
from proto.storage.reading import KINDS, Answer, cannot_read, lines
from proto.storage.store import Line, Store, Writing
from proto.storage.troubles import Troubles
from proto.storage.words import words

BEHIND: Final = 2000
"""Lines that may be stored and not indexed while there is no time for it; a search looks at each
of them."""
BITE: Final = 500
"""Lines that are indexed at once: so long, and no longer, others wait."""
IDLE: Final = 1.0
"""Seconds after which `tidy` wants to be called when nobody asks anything."""
_NAMES: Final = {kind: name for name, kind in KINDS.items()}


@dataclass(frozen=True, slots=True)
class Append:
    """`History.append`."""

    room: str
    event: Spoken
    stored: StoredCallback
    refused: RefusedCallback


@dataclass(frozen=True, slots=True)
class Look:
    """`History.recent`."""

    room: str
    count: int
    then: RecentCallback
    refused: RefusedCallback


@dataclass(frozen=True, slots=True)
class KeepSession:
    """`History.keep_session`."""

    session: Session


@dataclass(frozen=True, slots=True)
class FindSession:
    """`History.find_session`."""

    digest: bytes
    then: SessionCallback
    refused: RefusedCallback


Question: TypeAlias = Append | Look | KeepSession | FindSession


@dataclass(slots=True)
class _Plan:
    """What a batch comes to, if it is not refused; the keys are places in the batch."""

    before: dict[str, int]
    """The newest number of each room."""
    newest: dict[str, int]
    """The same, by the end of the batch."""
    lines: list[Line] = field(default_factory=list)
    sessions: dict[bytes, Session] = field(default_factory=dict)
    stored: dict[int, Stored] = field(default_factory=dict)
    seen: dict[int, int] = field(default_factory=dict)
    """For each `Look`, the newest number of its room by then."""
    found: dict[int, Session | None] = field(default_factory=dict)


class Batches:
    """Answers batches of questions.  All of it belongs to one thread, which may wait for a disk."""

    log = Logger()

    def __init__(
        self,
        store: Store,
        certain: Certain,
        troubles: Troubles,
        keep: Keep,
        now: Callable[[], float],
    ) -> None:
        """`troubles` is told in the reactor, with the answers; `now` is in seconds since 1970."""
        self._store = store
        self._certain = certain
        self._troubles = troubles
        self._pruning = Pruning(keep, now)
        self._session_age = int(keep.session_days * DAY * 1000)
        self._now = now
        self._link: Writing | None = None
        self._unkept: dict[bytes, Session] = {}
        """Sessions that the store did not take; they are tried again with the next batch."""
        self._failing = self._untidy = False
        self._behind = BEHIND
        """How many lines may be stored and not indexed; more are where the last process ended."""

    def answers(self, batch: Sequence[Question]) -> list[Answer]:
        """Store the batch; its answers in order, and what to tell the log."""
        answers: list[Answer] = []
        deed = "reached"
        self._failing = False
        try:
            link = self._connected(answers)
            answers.append(partial(self._troubles.now, deed, ""))
            deed = "read"
            plan = self._plan(link, batch)
        except Exception as error:
            why = self._failed(deed, error, answers)
            self._later(each.session for each in batch if isinstance(each, KeepSession))
            return answers + refusals(batch, why)
        refusal = self._write(link, plan, answers)
        looks: dict[tuple[str, int, int], Recent | PeerError] = {}
        for place, question in enumerate(batch):
            if isinstance(question, Append):
                if refusal is None:
                    answers.append(partial(question.stored, plan.stored[place]))
                else:
                    answers.append(partial(question.refused, refusal))
            elif isinstance(question, Look):
                sure = plan.seen[place] if refusal is None else plan.before[question.room]
                asked = (question.room, question.count, sure)
                if asked not in looks:  # many come back at once after a restart
                    looks[asked] = self._look(*asked, answers)
                answers.append(_told(question, looks[asked]))
            elif isinstance(question, FindSession):
                answers.append(partial(question.then, plan.found[place]))
        self._certain.shed()
        return answers

    @property
    def rest(self) -> float:
        """Seconds until `tidy` is to be called if nobody asks anything."""
        more = self._pruning.pending() or self._behind >= BEHIND
        return 0.0 if more and not self._failing else IDLE

    def tidy(self, idle: bool) -> list[Answer]:
        """Between two batches: settle what is in doubt, drop a little; what to tell the log."""
        answers: list[Answer] = []
        if self._failing and not idle:
            return answers
        deed = "reached"
        try:
            link = self._connected(answers)
            if self._failing:
                answers.append(partial(self._troubles.now, deed, ""))
            deed = "tidied"
            self._settle(link)
            self._index(link, idle)
            if self._pruning.bite(link) and self._untidy:
                answers.append(partial(self._troubles.now, deed, ""))
                self._untidy = False
            self._failing = False
        except Exception as error:
            self._untidy = True
            self._failed(deed, error, answers)
        return answers

    def _index(self, link: Writing, idle: bool) -> None:
        if self._behind >= BEHIND or (idle and self._behind):
            self._behind = max(BEHIND, self._behind) if link.index(BITE) else 0

    def close(self) -> None:
        """Give the connection back."""
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def _connected(self, answers: list[Answer]) -> Writing:
        if self._link is not None and not self._link.alive():
            self.close()
        if self._link is None:
            self._link = self._store.writing()
            if not self._link.same:
                self._certain.renewed()
            if self._link.news:
                told = partial(self.log.error, "{name}: {news}", name=self._store.name)
                answers.append(partial(told, news=self._link.news))
        return self._link

    def _plan(self, link: Writing, batch: Sequence[Question]) -> _Plan:
        """What is to be stored, and what must be read before that."""
        rooms = {each.room for each in batch if isinstance(each, Append | Look)}
        unknown = self._certain.unknown(rooms)
        known = link.newest(unknown) if unknown else {}
        for room in unknown:
            self._certain.learn(room, known.get(room, 0))
        before = {room: self._certain.newest(room) for room in rooms}
        plan = _Plan(before, dict(before), sessions=dict(self._unkept))
        at = int(self._now() * 1000)
        for place, question in enumerate(batch):
            if isinstance(question, Append):
                room, event = question.room, question.event
                number = plan.newest[room] = plan.newest[room] + 1
                found_by = " ".join(words(event.text))
                kind = _NAMES[type(event)]
                plan.lines.append(Line(room, number, at, kind, event.sender, event.text, found_by))
                plan.stored[place] = Stored(number, at, event)
            elif isinstance(question, Look):
                plan.seen[place] = plan.newest[question.room]
            elif isinstance(question, KeepSession):
                plan.sessions[question.session.digest] = question.session
            else:
                kept = plan.sessions.get(question.digest) or link.session(question.digest)
                young = kept is not None and kept.at >= at - self._session_age
                plan.found[place] = kept if young else None
        return plan

    def _write(self, link: Writing, plan: _Plan, answers: list[Answer]) -> PeerError | None:
        """Commit what is planned; the refusal if that failed."""
        if not plan.lines and not plan.sessions:
            return None
        before = {line.room: plan.before[line.room] for line in plan.lines}
        try:
            self._settle(link)
            self._certain.begin(before)
            link.write(plan.lines, list(plan.sessions.values()))
        except Exception as error:
            self._certain.failed()
            self._later(plan.sessions.values())
            return _not_stored(self._failed("written", error, answers))
        self._unkept = {}
        self._behind += len(plan.lines)
        self._certain.stored({room: plan.newest[room] for room in before})
        for room, newest in before.items():
            self._pruning.grown(room, newest, plan.newest[room])
        answers.append(partial(self._troubles.now, "written", ""))
        return None

    def _settle(self, link: Writing) -> None:
        if self._certain.doubts:
            link.settle(self._certain.doubts)
            self._certain.settled()

    def _look(
        self, room: str, count: int, newest: int, answers: list[Answer]
    ) -> Recent | PeerError:
        """How the room stood when that was its newest line."""
        try:
            link = self._connected(answers)
            recent = lines(link, room, Span(count), newest + 1)
            topic = link.topic(room, newest + 1)
        except Exception as error:
            return cannot_read(self._failed("read", error, answers))
        answers.append(partial(self._troubles.now, "read", ""))
        return Recent(recent.lines, newest, TopicSet(*topic) if topic else None)

    def _later(self, sessions: Iterable[Session]) -> None:
        self._unkept.update({session.digest: session for session in sessions})
        for digest in list(islice(self._unkept, max(0, len(self._unkept) - SESSIONS))):
            del self._unkept[digest]

    def _failed(self, deed: str, error: Exception, answers: list[Answer]) -> str:
        """Why that is, as those are told who asked; what to tell the log."""
        self._failing = True
        trouble = self._store.trouble(error)
        if trouble is None:
            answers.append(partial(self.log.failure, "the chat's log failed", Failure(error)))
            return ""
        if trouble.lost:
            self.close()
        answers.append(partial(self._troubles.now, deed, trouble.told))
        return trouble.why


def _not_stored(why: str) -> PeerError:
    why = why or "the log cannot be written"
    return PeerError(f"That was not stored, so nobody saw it: {why}.")


def refusals(batch: Sequence[Question], why: str) -> list[Answer]:
    """The answers to questions that nobody can answer."""
    return [
        partial(each.refused, _not_stored(why) if isinstance(each, Append) else cannot_read(why))
        for each in batch
        if not isinstance(each, KeepSession)
    ]


def _told(look: Look, answer: Recent | PeerError) -> Answer:
    if isinstance(answer, PeerError):
        return partial(look.refused, answer)
    return partial(look.then, answer)
