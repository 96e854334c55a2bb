from __future__ import annotations

from pathlib import Path

import pytest

from proto.storage.opening import is_url
from proto.storage.tasks_database import Database, Link
from proto.storage.tasks_postgres import PostgresTasks
from proto.storage.tasks_sqlite import SqliteTasks
from tests.storage.tasks_asking import PLACES, place


@pytest.fixture(params=PLACES)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return place(request, tmp_path)


def test_each_database_does_what_is_asked_of_one(where: str) -> None:
    database: Database = PostgresTasks(where) if is_url(where) else SqliteTasks(Path(where))
    database.prepare()
    for role in ("writer", "reader"):
        link: Link = database.link(role)
        assert link.alive()
        link.begin()
        with link.apart():
            assert link.execute(f"SELECT id FROM tasks WHERE id = ?{link.locked}", (1,)) == []
        assert link.within()
        link.commit()
        with link.snapshot():
            assert link.execute(f"SELECT {link.instr}(?, ?)", ("abc", "c")) == [(3,)]
        assert not link.within()
        link.close()
    assert database.trouble(ValueError()) is None
