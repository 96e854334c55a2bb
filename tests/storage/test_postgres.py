from __future__ import annotations

import itertools
import signal
import subprocess
import sys

import pytest
from twisted.logger import capturedLogs

from proto.chat.events import Stored
from proto.errors import StartError
from proto.storage.opening import check
from proto.storage.postgres import PostgresStore
from proto.storage.postgres_schema import LOCK
from tests.storage.postgres import Server
from tests.storage.waiting import Asker
from tests.system.programs import environment

AWAY = "That was not stored, so nobody saw it: the database is away."


def test_a_server_that_crashes_and_comes_back_loses_nothing_and_shows_nothing_refused(
    server: Server,
) -> None:
    asker = Asker(server.new())
    asker.log.start()
    said = [asker.insist("lobby", "a")[0]]
    assert asker.found("lobby", "a") == ["a"]
    with capturedLogs() as events:
        for number in range(200):
            asker.say("lobby", f"storm {number}")
        server.crash()
        storm = asker.wait(200)
        said += [each for each in storm if isinstance(each, Stored)]
        asker.say("lobby", "meanwhile")
        asker.look("lobby")
        assert asker.wait(2) == [AWAY, "The log cannot be read: the database is away."]
        assert asker.search("lobby", "a") == "The log cannot be read: the database is away."
        server.start()
        line, refusals = asker.insist("lobby", "b")
    assert set(refusals) <= {AWAY}
    said.append(line)
    assert asker.recent("lobby", 1000).lines == tuple(said)
    assert asker.found("lobby", "storm meanwhile") == []
    assert [line.sequence for line in said] == list(range(1, len(said) + 1))
    asker.log.close()
    reached = [event["log_format"] for event in events if event.get("deed") == "reached"]
    assert reached[-1] == "{name} can be {deed} again"


def test_a_restart_while_nobody_speaks_costs_no_line(server: Server) -> None:
    # A clock on which the last try is always long ago.
    asker = Asker(PostgresStore(server.new(), itertools.count(0.0, 10.0).__next__))
    asker.log.start()
    asker.insist("lobby", "a")
    server.crash()
    server.start()
    asker.say("lobby", "b")
    (answer,) = asker.wait(1)
    assert isinstance(answer, Stored), answer
    asker.log.close()


def test_lines_wait_for_a_server_that_hangs_and_the_end_does_not(server: Server) -> None:
    asker = Asker(server.new(), patience=0.2)
    asker.log.start()
    asker.insist("lobby", "a")
    server.signal(signal.SIGSTOP)
    try:
        asker.say("lobby", "b")
        with capturedLogs() as events:
            asker.log.close()
            asker.rest()
        assert asker.answers == []
    finally:
        server.signal(signal.SIGCONT)
    assert [event["log_format"].partition(" for")[0] for event in events] == [
        "{name} did not answer"
    ]
    (answer,) = asker.wait(1)  # it is told all the same, should somebody still listen
    closed = "That was not stored, so nobody saw it: the log is closed."
    assert isinstance(answer, Stored) or answer == closed


def test_a_connection_that_the_server_ends_is_made_again(server: Server) -> None:
    url = server.new()
    asker = Asker(url)
    asker.log.start()
    for number in range(1, 4):
        line, refusals = asker.insist("lobby", str(number))
        assert line.sequence == number
        assert set(refusals) <= {AWAY}
        assert asker.found("lobby", str(number)) == [str(number)]
        with server.ask(url) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE application_name LIKE 'proto chat %' AND datname = current_database()"
            )
    asker.log.close()


def test_what_another_process_stored_meanwhile_is_kept_and_counted(server: Server) -> None:
    url = server.new()
    first = Asker(url)
    first.log.start()
    first.insist("lobby", "1")
    with server.ask(url) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE application_name LIKE 'proto chat writer %' AND datname = current_database()"
        )
        other.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        first.say("lobby", "refused")
        assert first.wait(1) == [AWAY]
        other.execute("UPDATE proto_chat.writer SET mark = 'somebody else'")
        other.execute("UPDATE proto_chat.rooms SET newest = 2")
        other.execute(
            "INSERT INTO proto_chat.lines SELECT number, 2, 0, 'said', 'x', '2', ''"
            " FROM proto_chat.rooms"
        )
    line, refusals = first.insist("lobby", "3")
    assert line.sequence == 3
    assert set(refusals) <= {AWAY}
    assert first.lines("lobby") == [(1, "1"), (2, "2"), (3, "3")]
    first.log.close()


def test_a_server_that_may_lose_what_it_confirmed_is_told_not_to(server: Server) -> None:
    url = server.new()
    with server.ask(url) as other:
        database = url.partition("@/")[2].partition("?")[0]
        other.execute(f"ALTER DATABASE {database} SET synchronous_commit = off".encode())
    store = PostgresStore(url)
    store.prepare()
    writing = store.writing()
    assert writing._database.execute("SHOW synchronous_commit").fetchone() == ("on",)
    writing.close()


def test_what_is_no_database_of_ours_is_refused_in_one_line_with_a_remedy(server: Server) -> None:
    newer, other, ascii_, fresh = (server.new() for _ in range(4))
    Asker(newer).log.close()
    with server.ask(newer) as database:
        database.execute("INSERT INTO proto_chat.versions VALUES (99)")
    with server.ask(other) as database:
        database.execute("CREATE SCHEMA proto_chat")
    with server.ask(ascii_) as database:
        database.execute("CREATE ROLE stranger LOGIN")
        database.execute(
            "CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C'"
            " LC_CTYPE 'C'"
        )
    stranger = fresh.replace("proto@", "stranger@")
    told = {
        newer: "a newer proto wrote it (schema 99, this one knows 1); start that one or",
        other: "schema proto_chat is another program's; rename that",
        server.url("ascii"): "its encoding is not UTF8; make one: createdb -E UTF8",
        server.url("nowhere"): 'database "nowhere" does not exist; correct host',
        "postgresql://proto@/x?host=/nowhere": "correct host, user,",
    }
    for url, expected in told.items():
        for look in (Asker, check):
            with pytest.raises(StartError) as refused:
                look(url)
            assert expected in str(refused.value)
            assert str(refused.value).startswith("postgresql://proto@")
            assert "\n" not in str(refused.value)
    with pytest.raises(StartError, match="let its user CREATE in the database"):
        Asker(stranger)


def test_checking_makes_nothing(server: Server) -> None:
    url = server.new()
    check(url)
    with server.ask(url) as database:
        assert database.execute("SELECT to_regnamespace('proto_chat')").fetchone() == (None,)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://bob:s3cr%zz@host/db",
        "postgresql://bob:s3cr@127.0.0.1:1/db",
        "postgresql://bob:s3cr@[::1/db",
        "postgresql://bob@127.0.0.1:1/db?password=s3cr",
        "postgresql://bob:s3cr@host/db?s3cr=1",
        "postgres://:s3cr@127.0.0.1:1",
    ],
)
def test_a_password_is_never_told(url: str) -> None:
    with pytest.raises(StartError) as refused:
        Asker(url)
    assert "s3cr" not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_a_password_in_an_answer_of_the_server_is_not_told() -> None:
    store = PostgresStore("postgresql://bob:s3cr@host/db")
    trouble = store.trouble(StartError("x"))
    assert trouble is not None
    assert store.name == "postgresql://bob@host/db"
    assert "s3cr" not in repr(vars(store)["name"])


def test_no_other_connection_is_tried_within_a_second() -> None:
    now = [100.0]
    store = PostgresStore("postgresql://bob@127.0.0.1:1/db", lambda: now[0])
    told = []
    for now[0] in (100.0, 100.9, 101.0):
        with pytest.raises(Exception, match="connect") as refused:
            store.reading()
        told.append("a moment ago" in str(refused.value))
    assert told == [False, True, False]


def test_a_missing_driver_is_told_in_one_line_with_the_remedy() -> None:
    code = """
import sys
sys.modules["psycopg"] = None
from proto.errors import StartError
from proto.storage.opening import check, open_history
for look in (check, lambda url: open_history(url, print)):
    try:
        look("postgresql://bob@host/db")
    except StartError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment()
    )
    told = "PostgreSQL needs psycopg, which is not installed: pip install 'psycopg[binary]'\n"
    assert (done.stdout, done.stderr) == (told * 2, "")
