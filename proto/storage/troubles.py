"""Telling the log once when something stops to work, and once when it works again."""

from __future__ import annotations

from twisted.logger import Logger


class Troubles:
    """What cannot be done with a store at present.  It belongs to the reactor's thread."""

    log = Logger()

    def __init__(self, name: str) -> None:
        """`name` is what the log calls the store."""
        self._name = name
        self._why: dict[str, str] = {}

    def now(self, deed: str, why: str) -> None:
        """From now on the store cannot be `deed`, or it can when `why` is empty."""
        if self._why.get(deed, "") == why:
            return
        self._why[deed] = why
        if why:
            self.log.error("{name} cannot be {deed}: {why}", name=self._name, deed=deed, why=why)
        else:
            self.log.info("{name} can be {deed} again", name=self._name, deed=deed)
