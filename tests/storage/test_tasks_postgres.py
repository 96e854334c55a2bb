from __future__ import annotations

import sys

import psycopg
import pytest

from proto.errors import StartError
from proto.storage.tasks_postgres import PostgresTasks
from proto.storage.tasks_schema import POSTGRES
from tests.storage.postgres import Server
from tests.storage.tasks_asking import asking, draft
from tests.system.programs import ROOT, Program


def test_every_commit_is_synced_even_where_the_server_does_not_by_default(server: Server) -> None:
    where = server.new()
    with server.ask(where) as database:
        off = f"ALTER DATABASE {database.info.dbname} SET synchronous_commit = off"
        database.execute(off.encode())
    tasks = PostgresTasks(where)
    tasks.prepare()
    link = tasks.link("writer")
    assert link.execute("SHOW synchronous_commit") == [("on",)]
    link.close()


def test_processes_that_start_at_once_make_one_schema(server: Server) -> None:
    where = server.new()
    code = (
        "import sys; from proto.storage.tasks_postgres import PostgresTasks;"
        "sys.stdin.readline(); PostgresTasks(sys.argv[1]).prepare(); print('made')"
    )
    command = (sys.executable, "-c", code, where)
    with Program(*command, cwd=ROOT) as one, Program(*command, cwd=ROOT) as other:
        for program in (one, other):
            program.type("\n")
        for program in (one, other):
            program.wait_for("made")
            assert program.end() == 0, program.output
    with server.ask(where) as database:
        found = database.execute("SELECT version FROM proto_tasks.versions").fetchall()
    assert found == [(number,) for number in range(1, len(POSTGRES) + 1)]


def test_a_database_that_is_not_ours_is_refused_in_one_line(server: Server) -> None:
    where = server.new()
    tasks = PostgresTasks(where)
    tasks.check()  # nothing is there yet, and nothing is made
    with server.ask(where) as database:
        database.execute("CREATE SCHEMA proto_tasks")
        with pytest.raises(StartError, match="another program's; rename that"):
            tasks.check()
        database.execute("DROP SCHEMA proto_tasks")
        tasks.prepare()
        tasks.check()
        database.execute("INSERT INTO proto_tasks.versions VALUES (99)")
    with pytest.raises(StartError, match="a newer proto keeps its tasks there"):
        tasks.prepare()


def test_a_database_of_another_encoding_is_refused(server: Server) -> None:
    with server.ask("postgres") as database:
        database.execute("CREATE DATABASE latin ENCODING 'SQL_ASCII' TEMPLATE template0")
    with pytest.raises(StartError, match="its encoding is not UTF8"):
        PostgresTasks(server.url("latin")).prepare()


def test_a_server_that_is_not_there_is_told_without_the_password(server: Server) -> None:
    url = f"postgresql://proto:geheim@/tasks?host={server.folder}/nowhere"
    with pytest.raises(StartError, match="start the server") as error:
        PostgresTasks(url).check()
    assert "geheim" not in str(error.value)


def test_tasks_and_the_chat_do_not_meet_in_one_database(server: Server) -> None:
    where = server.new()
    with server.ask(where) as database, asking(where) as ask:
        ask(ask.store.add_task(draft("a")))
        schemas = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'proto%'"
        assert database.execute(schemas).fetchall() == [("proto_tasks",)]


def test_a_part_that_fails_is_undone_and_the_rest_is_committed(server: Server) -> None:
    tasks = PostgresTasks(server.new())
    tasks.prepare()
    link = tasks.link("writer")
    link.begin()
    add = "INSERT INTO users (name, name_folded, created, updated, version) VALUES (?, ?, 1, 1, 1)"
    with link.apart():
        assert link.execute(add, ("a", "a")) == []
    with pytest.raises(psycopg.errors.UniqueViolation), link.apart():
        link.execute(add, ("b", "a"))
    assert link.within()
    link.commit()
    assert not link.within()
    with link.snapshot():
        assert link.execute("SELECT name FROM users") == [("a",)]
    link.close()
    assert not link.alive()
    link.rollback()
    link.close()
