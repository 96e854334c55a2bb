"""A program that adds and changes tasks for ever, and says what was answered: it is to be killed.

It says `stored ID VERSION` for each answer, and `failed REASON` where the reason changes.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from proto.tasks.errors import StoreFailed
from proto.tasks.values import Task, TaskPatch
from tests.storage.tasks_asking import Asking, draft

AT_ONCE = 20


class Victim:
    """Keeps so many questions on their way."""

    def __init__(self, folder: str) -> None:
        self.ask = Asking(folder)
        self.count = 0
        self.reason = ""

    def add(self) -> None:
        self.count += 1
        asked = self.ask.store.add_task(draft(f"task {self.count}", description="x" * 500))
        asked.addCallbacks(self.added, partial(self.failed, again=self.add))

    def added(self, task: Task) -> None:
        self.told(task)
        patch = TaskPatch(completed=True, title=f"{task.title}!")
        asked = self.ask.store.change_task(task.id, patch, task.version)
        asked.addCallbacks(self.changed, partial(self.failed, again=self.add))

    def changed(self, task: Task) -> None:
        self.told(task)
        self.add()

    def told(self, task: Task) -> None:
        self.reason = ""
        print(f"stored {task.id} {task.version}", flush=True)  # noqa: T201

    def failed(self, failure: Any, again: Any) -> None:
        failure.trap(StoreFailed)
        if failure.value.reason != self.reason:
            self.reason = failure.value.reason
            print(f"failed {self.reason}", flush=True)  # noqa: T201
        again()


if __name__ == "__main__":
    victim = Victim(sys.argv[1])
    for _ in range(AT_ONCE):
        victim.add()
    victim.ask.until(lambda: False)
