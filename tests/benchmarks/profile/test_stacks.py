from __future__ import annotations

import pytest

from benchmarks.profile.stacks import Function, Row, Stack, parsed, profile

MAIN = Function("main", "app.py:1")
POLL = Function("Loop.poll", "app/loop.py:7")
SEND = Function("send", "libc.so.6")
WORK = Function("work", "app/work.py:3")


def test_a_line_is_a_thread_its_functions_and_a_count() -> None:
    raw = "thread (12): MainThread;main (app.py:1);Loop.poll (app/loop.py:7) 41\n"
    assert parsed(raw) == [Stack("MainThread", (MAIN, POLL), 41)]


def test_a_thread_without_a_name_is_told_by_its_number() -> None:
    assert parsed("thread (0x7F3A);main (app.py:1) 1\n")[0].thread == "0x7F3A"


def test_an_address_counts_for_the_function_that_called_it() -> None:
    raw = "thread (1): t;0x7f69193ed24a (libc.so.6);main (app.py:1);0x7f691945e4a9 (libc.so.6) 2"
    assert parsed(raw)[0].functions == (MAIN,)


def test_a_compiled_function_is_one_whatever_line_it_is_at() -> None:
    raw = (
        "thread (1): t;sock_recv (socketmodule.c:3552);recv (libc.so.6) 1\n"
        "thread (1): t;sock_recv (socketmodule.c:3580);recv (libc.so.6) 2\n"
    )
    rows = profile(parsed(raw)).rows
    assert Row(Function("sock_recv", "socketmodule.c"), 0, 3) in rows
    assert Row(Function("recv", "libc.so.6"), 3, 3) in rows


def test_two_python_functions_of_one_name_are_two() -> None:
    raw = "thread (1): t;<lambda> (app.py:3) 1\nthread (1): t;<lambda> (app.py:9) 1\n"
    assert {row.function.place for row in profile(parsed(raw)).rows} == {"app.py:3", "app.py:9"}


def test_a_name_with_parentheses_and_one_without_a_place_are_kept() -> None:
    raw = "thread (1): t;operator() (const) (app.cc:3);process 4 1\n"
    assert parsed(raw)[0].functions == (
        Function("operator() (const)", "app.cc"),
        Function("process 4", ""),
    )


@pytest.mark.parametrize("line", ["main (app.py:1) 3", "thread (1): t;main (app.py:1)", "3"])
def test_a_line_that_is_not_py_spys_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"^no line of py-spy's: "):
        parsed(line)


def test_own_time_is_the_innermost_functions_and_total_everybodys_on_the_stack() -> None:
    seen = profile([Stack("t", (MAIN, POLL, SEND), 6), Stack("t", (MAIN, POLL), 3)])
    assert seen.samples == 9
    assert {row.function: (row.own, row.total) for row in seen.rows} == {
        MAIN: (0, 9),
        POLL: (3, 9),
        SEND: (6, 6),
    }


def test_a_function_that_calls_itself_counts_once_for_each_sample() -> None:
    assert profile([Stack("t", (WORK, WORK, WORK), 5)]).rows == [Row(WORK, 5, 5)]


def test_the_tables_begin_with_the_most_and_end_where_they_are_told() -> None:
    seen = profile(
        [Stack("t", (MAIN, POLL), 5), Stack("t", (MAIN, WORK, SEND), 3), Stack("t", (MAIN,), 1)]
    )
    assert [row.function for row in seen.by_own(9)] == [POLL, SEND, MAIN]
    assert [row.function for row in seen.by_own(2)] == [POLL, SEND]
    assert [row.function for row in seen.by_total(9)] == [POLL, SEND, WORK]
    assert [row.function for row in seen.by_total(1)] == [POLL]


def test_who_is_there_whenever_the_thread_is_seen_is_not_in_the_table_with_callees() -> None:
    outer, inner = Function("run", "threading.py:1"), Function("step", "app/writer.py:5")
    seen = profile(
        [
            Stack("main", (MAIN, POLL), 150),
            Stack("main", (MAIN, WORK), 49),
            Stack("main", (), 1),  # torn, yet main is there 199 times of 200
            Stack("writer", (outer, inner), 8),
            Stack("writer", (outer, WORK), 2),
        ]
    )
    assert seen.threads == {"main": 200, "writer": 10}
    assert seen.always == {MAIN, outer}
    assert [row.function for row in seen.by_total(9)] == [POLL, WORK, inner]


@pytest.mark.parametrize(
    "name",
    [
        "pthread_cond_timedwait",
        "sem_clockwait",
        "PyThread_acquire_lock_timed",
        "__futex_abstimed_wait_common64",
    ],
)
def test_a_thread_that_waits_for_a_lock_is_counted_apart(name: str) -> None:
    lock = Function(name, "libc.so.6")
    seen = profile([Stack("t", (MAIN, WORK), 3), Stack("u", (MAIN, lock), 40)])
    assert (seen.samples, seen.waiting, seen.threads) == (3, 40, {"t": 3})
    assert lock not in {row.function for row in seen.rows}


def test_what_called_a_lock_that_was_free_is_not_taken_for_waiting() -> None:
    lock = Function("PyThread_acquire_lock_timed", "libpython3.11.so.1.0")
    seen = profile([Stack("t", (MAIN, lock, SEND), 3)])
    assert (seen.samples, seen.waiting) == (3, 0)


def test_of_no_samples_there_is_nothing() -> None:
    seen = profile(parsed(""))
    assert (seen.samples, seen.threads, seen.by_own(5), seen.by_total(5)) == (0, {}, [], [])
