from __future__ import annotations

import psycopg
import pytest

from proto.storage.postgres import PostgresStore
from proto.storage.store import Line, Stretch
from tests.storage.postgres import Server


def test_nothing_of_a_transaction_that_fails_is_kept(server: Server) -> None:
    store = PostgresStore(server.new())
    store.prepare()
    writing = store.writing()
    twice = [Line("a", n, 0, "topic", "x", "y", "y") for n in (1, 2, 2)]
    for lines in (twice, [line._replace(kind="said") for line in twice]):
        with pytest.raises(psycopg.IntegrityError):
            writing.write(lines, [])
    assert writing.newest(["a"]) == {}
    assert writing.rows(Stretch("a", 0, 9, True, 5, 1 << 17)) == []
    writing.write(twice[:2], [])
    assert writing.newest(["a"]) == {"a": 2}
    writing.close()


def test_a_connection_that_is_closed_is_no_more_alive(server: Server) -> None:
    store = PostgresStore(server.new())
    reading = store.reading()
    assert reading.alive()
    reading.close()
    reading.close()
    assert not reading.alive()
