"""A real store whose commits can be made to fail, before they take place or after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Event
from typing import Any, cast

from proto.chat.history import Session
from proto.storage.store import Line, Store, Trouble, Writing


class CutError(Exception):
    """The connection was cut."""


class Faults:
    """What goes wrong; a test changes it while the threads run."""

    def __init__(self, store: Store) -> None:
        self.store = cast(Store, _FaultyStore(store, self))
        self.before = False
        self.after = False
        self.settling = False
        self.hold: Event | None = None
        """A commit that took place is not known of until then."""
        self.committed = Event()
        self.settled = Event()
        self.sizes: list[int] = []
        """How many lines each transaction had."""


class _Delegate:
    def __init__(self, inner: Any, faults: Faults) -> None:
        self._inner = inner
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _FaultyStore(_Delegate):
    def writing(self) -> Writing:
        return cast(Writing, _FaultyWriting(self._inner.writing(), self._faults))

    def trouble(self, error: Exception) -> Trouble | None:
        if isinstance(error, CutError):
            return Trouble("the line is cut", "cut", lost=True)
        found: Trouble | None = self._inner.trouble(error)
        return found


class _FaultyWriting(_Delegate):
    def write(self, lines: Sequence[Line], sessions: Sequence[Session]) -> None:
        self._faults.sizes.append(len(lines))
        if self._faults.before:
            raise CutError
        self._inner.write(lines, sessions)
        self._faults.committed.set()
        if self._faults.hold is not None:
            self._faults.hold.wait(20)
        if self._faults.after:
            raise CutError

    def settle(self, newest: Mapping[str, int]) -> None:
        if self._faults.settling:
            raise CutError
        self._inner.settle(newest)
        self._faults.settled.set()
