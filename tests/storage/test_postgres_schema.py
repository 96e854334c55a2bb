from __future__ import annotations

from proto.storage.postgres import PostgresStore
from proto.storage.postgres_schema import MIGRATIONS
from tests.storage.postgres import Server


def test_the_tables_are_made_once_in_a_schema_of_their_own(server: Server) -> None:
    url = server.new()
    for _ in range(2):
        PostgresStore(url).prepare()
    with server.ask(url) as database:
        versions = database.execute("SELECT version FROM proto_chat.versions").fetchall()
        schemas = database.execute(
            "SELECT DISTINCT schemaname FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
    assert versions == [(number,) for number in range(1, len(MIGRATIONS) + 1)]
    assert schemas == [("proto_chat",)]


def test_tables_that_are_dropped_while_it_runs_are_made_again(server: Server) -> None:
    url = server.new()
    store = PostgresStore(url)
    store.prepare()
    store.writing().close()
    with server.ask(url) as database:
        database.execute("DROP SCHEMA proto_chat CASCADE")
    writing = store.writing()
    assert not writing.same
    assert writing.newest(["lobby"]) == {}
    writing.close()
    writing = store.writing()
    assert writing.same
    writing.close()
