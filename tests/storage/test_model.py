"""Each database against memory, which has no thread, no disk and no index."""

from __future__ import annotations

import tempfile
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proto.chat.events import Emoted, Pasted, Said, Spoken, TopicSet
from proto.chat.history import MemoryHistory, Session, Span
from tests.storage.postgres import Server
from tests.storage.waiting import Asker

ROOMS = st.sampled_from(["lobby", "den", "d'en \u00e9"])
# What memory finds in the middle of a word, and does not find by its accent, is not asked for.
WORDS = st.sampled_from(["xa", "xab", "yb", "zc", "\u6771", "\u0436"])
KINDS: st.SearchStrategy[type[Spoken]] = st.sampled_from([Said, Emoted, Pasted, TopicSet])
TEXTS = st.one_of(st.lists(WORDS, max_size=4).map(" ".join), st.text(max_size=20))
EDGES = st.none() | st.integers(-1, 12)
SPANS = st.builds(
    Span,
    st.integers(0, 6),
    before=EDGES,
    after=EDGES,
    size=st.sampled_from([0, 5, 20, 1 << 17]),
)
ASKED = st.one_of(
    st.tuples(st.just("append"), ROOMS, KINDS, TEXTS),
    st.tuples(st.just("append"), ROOMS, KINDS, TEXTS),
    st.tuples(st.just("recent"), ROOMS, st.integers(0, 6)),
    st.tuples(st.just("read"), ROOMS, SPANS),
    st.tuples(st.just("search"), ROOMS, st.lists(WORDS, min_size=1, max_size=2), SPANS),
    st.tuples(st.just("keep"), st.sampled_from([b"1", b"2"]), st.integers(0, 9)),
    st.tuples(st.just("find"), st.sampled_from([b"1", b"2"])),
    st.tuples(st.just("restart")),
)


def ask(log: Any, asked: tuple[Any, ...], answered: Any, refused: Any) -> int:
    """Ask it; how many answers that has."""
    match asked:
        case ("append", room, kind, text):
            text = text.encode("utf-8", "replace").decode().replace("\0", "")
            log.append(room, kind("bob", text), answered, refused)
        case ("recent", room, count):
            log.recent(room, count, answered, refused)
        case ("read", room, span):
            log.read(room, span, answered, refused)
        case ("search", room, words, span):
            log.search(room, " ".join(words), span, answered, refused)
        case ("keep", digest, sequence):
            log.keep_session(Session(digest, "bob", "lobby", sequence, 1000))
            return 0
        case ("find", digest):
            log.find_session(digest, answered, refused)
    return 1


QUICKLY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICKLY
@given(st.lists(ASKED, max_size=25))
def test_sqlite_answers_as_memory_does(questions: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        compare(folder, questions)


@pytest.fixture(scope="module")
def database(server: Server) -> str:
    return server.new()


@QUICKLY
@given(st.lists(ASKED, max_size=25))
def test_postgresql_answers_as_memory_does(
    database: str, server: Server, questions: list[tuple[Any, ...]]
) -> None:
    with server.ask(database) as connection:
        connection.execute("DROP SCHEMA IF EXISTS proto_chat CASCADE")
    compare(database, questions)


def compare(where: str, questions: list[tuple[Any, ...]]) -> None:
    """Ask both of them, and expect the same answers."""
    memory = MemoryHistory(lambda: 1.0)
    asker = Asker(where, now=lambda: 1.0)
    asker.log.start()
    try:
        for question in questions:
            if question == ("restart",):
                asker.log.close()
                asker = Asker(where, now=lambda: 1.0)
                asker.log.start()
                continue
            expected: list[Any] = []
            count = ask(memory, question, expected.append, expected.append)
            assert ask(asker.log, question, asker.answered, asker.refused) == count
            assert asker.wait(count) == expected
    finally:
        asker.log.close()
