from __future__ import annotations

import os
from pathlib import Path

import pytest

from proto.chat.events import Said
from proto.errors import StartError
from proto.storage.opening import check, is_url, open_history
from proto.storage.pruning import Keep
from tests.storage.waiting import Asker


def test_a_history_is_opened_where_it_was_before(where: str) -> None:
    log = open_history(where, lambda call: call(), keep=Keep(lines=10), now=lambda: 1.0)
    stored: list[object] = []
    log.append("lobby", Said("bob", "a"), stored.append, stored.append)
    log.close()
    assert len(stored) == 1
    asker = Asker(where)
    asker.log.start()
    assert asker.recent("lobby").lines == tuple(stored)
    asker.log.close()


@pytest.mark.parametrize(
    ("where", "url"),
    [
        ("postgresql://host/db", True),
        ("postgres:///db", True),
        ("postgres", False),
        ("./postgresql:", False),
        ("/var/lib/chat", False),
    ],
)
def test_a_url_is_a_database_and_all_else_a_folder(where: str, url: bool) -> None:
    assert is_url(where) is url


def test_checking_makes_nothing_and_tells_what_is_wrong(tmp_path: Path) -> None:
    check(str(tmp_path / "state"))
    assert os.listdir(tmp_path) == []
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match="choose a folder"):
        check(str(tmp_path / "file" / "x"))
    check("postgresql://bob@127.0.0.1:1/db", connect=False)
    with pytest.raises(StartError, match="correct host, user"):
        check("postgresql://bob@127.0.0.1:1/db")
    with pytest.raises(StartError, match="cannot be read; write it as postgresql://"):
        check("postgresql://bob@[", connect=False)
