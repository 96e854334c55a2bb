from __future__ import annotations

import inspect

from proto.storage.tasks import DurableTasks
from proto.tasks.store import Store


def test_what_keeps_tasks_takes_what_the_store_says() -> None:
    names = [name for name in vars(Store) if not name.startswith("_")]
    assert len(names) == 14
    for name in names:
        promised = inspect.signature(getattr(Store, name))
        assert inspect.signature(getattr(DurableTasks, name)) == promised
