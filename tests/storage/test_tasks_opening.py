from __future__ import annotations

from pathlib import Path

import pytest

from proto.errors import StartError
from proto.storage.opening import is_url
from proto.storage.tasks_opening import check, open_tasks
from proto.tasks.store import Store
from tests.storage.tasks_asking import PLACES, asking, draft, place


@pytest.fixture(params=PLACES)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return place(request, tmp_path)


def test_a_check_makes_nothing(where: str) -> None:
    check(where)
    assert is_url(where) or not Path(where).exists()
    with asking(where) as ask:
        ask(ask.store.add_task(draft("a")))
        check(where)
    check(where, connect=False)


def test_what_is_opened_is_a_store(where: str) -> None:
    store: Store = open_tasks(where, lambda call: None)
    assert all(hasattr(store, name) for name in dir(Store) if not name.startswith("_"))


def test_a_url_that_cannot_be_read_is_told_at_once() -> None:
    with pytest.raises(StartError, match="cannot be read"):
        check("postgresql://bob@[", connect=False)


def test_a_place_that_cannot_be_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="choose a folder"):
        open_tasks(str(tmp_path / "file" / "state"), lambda call: None)
