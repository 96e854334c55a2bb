"""What the two threads of a store of tasks do: change in one transaction, and read.

Knows no threads and no reactor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from twisted.logger import Logger
from twisted.python.failure import Failure

from proto.errors import PeerError
from proto.storage.reading import Answer
from proto.storage.tasks_database import Database, Link, Role
from proto.storage.tasks_lane import Question
from proto.storage.tasks_ledger import Ledger
from proto.storage.troubles import Troubles
from proto.tasks.errors import StoreFailed


class _Connected:
    """One connection, opened when it is needed and given up when it is lost."""

    log = Logger()

    def __init__(self, database: Database, role: Role, deed: str, troubles: Troubles) -> None:
        """`deed` is what cannot be done without it; `troubles` is told in the reactor."""
        self._database = database
        self._role = role
        self._deed = deed
        self._troubles = troubles
        self._link: Link | None = None

    def close(self) -> None:
        """Give the connection back."""
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def _connected(self) -> Link:
        if self._link is not None and not self._link.alive():
            self.close()
        if self._link is None:
            self._link = self._database.link(self._role)
        return self._link

    def _failed(self, error: Exception, notes: list[Answer]) -> str:
        """Why that is, for those who asked; what to tell the log."""
        trouble = self._database.trouble(error)
        if trouble is None or trouble.lost:
            self.close()
        return self._told(error, notes)

    def _told(self, error: Exception, notes: list[Answer]) -> str:
        trouble = self._database.trouble(error)
        if trouble is None:
            notes.append(partial(self.log.failure, "the store of tasks failed", Failure(error)))
            return ""
        notes.append(partial(self._troubles.now, self._deed, trouble.told))
        return trouble.why

    def _went_well(self, notes: list[Answer]) -> None:
        notes.append(partial(self._troubles.now, self._deed, ""))


class Changes(_Connected):
    """Changes that are committed together, each apart from the others until then.

    Nothing is answered before the commit: also a refusal may rest on what another one changed.
    """

    def __init__(self, database: Database, troubles: Troubles, now: Callable[[], float]) -> None:
        """`now` is in seconds since 1970."""
        super().__init__(database, "writer", "written", troubles)
        self._now = now

    def answers(self, questions: Sequence[Question[Ledger]]) -> tuple[list[object], list[Answer]]:
        """What came of each, when that is on the disk; when it cannot be, all have failed."""
        notes: list[Answer] = []
        link: Link | None = None
        try:
            link = self._connected()
            link.begin()
            ledger = Ledger(link, self._now())
            answers = [self._answer(link, ledger, each, notes) for each in questions]
            link.commit()
            if notes:
                self.close()  # the tables may be gone, which only a new connection sees to
        except Exception as error:
            if link is not None:
                link.rollback()
            why = self._failed(error, notes)
            return [StoreFailed(why) for _ in questions], notes
        if not notes:
            self._went_well(notes)
        return answers, notes

    def _answer(
        self, link: Link, ledger: Ledger, question: Question[Ledger], notes: list[Answer]
    ) -> object:
        try:
            return question(ledger)
        except PeerError as refusal:
            return refusal.with_traceback(None)  # which would hold all of the batch
        except Exception as error:
            if not link.within():
                raise
            return StoreFailed(self._told(error, notes))  # the others go on


class Lookups(_Connected):
    """Questions that change nothing, each answered by itself."""

    def __init__(self, database: Database, troubles: Troubles) -> None:
        super().__init__(database, "reader", "read", troubles)

    def answers(self, questions: Sequence[Question[Link]]) -> tuple[list[object], list[Answer]]:
        """What is found for each."""
        notes: list[Answer] = []
        answers = [self._answer(each, notes) for each in questions]
        if not notes:
            self._went_well(notes)
        return answers, notes

    def _answer(self, question: Question[Link], notes: list[Answer]) -> object:
        try:
            return question(self._connected())
        except PeerError as refusal:
            return refusal.with_traceback(None)  # which would hold all of the batch
        except Exception as error:
            return StoreFailed(self._failed(error, notes))
