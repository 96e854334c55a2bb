"""Senders that remember what they were told."""

from __future__ import annotations

from collections.abc import Callable


class Sender:
    """One that only pauses and goes on."""

    def __init__(self) -> None:
        self.paused = False
        self.told: list[str] = []
        self.on_resume: Callable[[], None] | None = None
        self.on_pause: Callable[[], None] | None = None

    def waits(self) -> bool:
        return self.paused

    def pause(self) -> None:
        assert not self.paused
        self.paused = True
        self.told.append("pause")
        if self.on_pause is not None:
            self.on_pause()

    def resume(self) -> None:
        assert self.paused
        self.paused = False
        self.told.append("resume")
        if self.on_resume is not None:
            self.on_resume()
