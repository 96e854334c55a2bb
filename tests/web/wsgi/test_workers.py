from __future__ import annotations

import time
from collections.abc import Callable
from threading import Barrier, Event, current_thread
from typing import Final

from proto.web.wsgi.workers import Workers

DEADLINE: Final = 20.0


def stop(workers: Workers) -> None:
    over = Event()
    workers.stop(over.set)
    assert over.wait(DEADLINE)


def add(workers: Workers, job: Callable[[], None]) -> None:
    workers.add(job)
    workers.wake()


def until_idle(workers: Workers) -> None:
    end = time.monotonic() + DEADLINE
    while workers.busy or workers.queued:
        assert time.monotonic() < end


def test_so_many_run_at_once() -> None:
    workers = Workers(4, 0)
    together = Barrier(5)

    def meet() -> None:
        together.wait(DEADLINE)

    for _ in range(4):
        add(workers, meet)
    together.wait(DEADLINE)
    stop(workers)


def test_so_many_wait_and_no_more_are_taken() -> None:
    workers = Workers(2, 3)
    let_go, inside = Event(), [Event(), Event()]

    def work(here: Event) -> Callable[[], None]:
        def job() -> None:
            here.set()
            let_go.wait(DEADLINE)

        return job

    for each in inside:
        add(workers, work(each))
        assert each.wait(DEADLINE)
    done: list[int] = []
    for number in range(3):
        add(workers, lambda number=number: done.append(number))  # type: ignore[misc]
    assert (workers.busy, workers.queued, workers.is_full) == (2, 3, True)
    let_go.set()
    stop(workers)
    assert sorted(done) == [0, 1, 2]
    assert (workers.busy, workers.queued) == (0, 0)


def test_nothing_runs_before_somebody_is_woken() -> None:
    workers, ran = Workers(1, 1), Event()
    workers.add(ran.set)
    assert workers.queued == 1
    workers.wake()
    assert ran.wait(DEADLINE)
    stop(workers)


def test_small_work_keeps_to_few_threads() -> None:
    workers = Workers(16, 1_000)
    names: set[str] = set()
    for _ in range(20):
        done = Event()
        add(workers, lambda: names.add(str(current_thread().ident)))
        add(workers, done.set)
        assert done.wait(DEADLINE)
        until_idle(workers)
    stop(workers)
    assert len(names) < 16


def test_a_job_that_blocks_keeps_none_of_the_others() -> None:
    workers, let_go, rest = Workers(3, 100), Event(), Event()

    def block() -> None:
        let_go.wait(DEADLINE)

    workers.add(block)
    for _ in range(50):
        workers.add(lambda: None)
    workers.add(rest.set)
    workers.wake()
    assert rest.wait(DEADLINE)
    assert not let_go.is_set()
    let_go.set()
    stop(workers)


def test_after_the_end_nothing_is_taken_and_what_waited_is_done() -> None:
    workers, done = Workers(1, 10), Event()
    workers.add(done.set)
    workers.wake()
    stop(workers)
    assert done.is_set()
    assert workers.is_full


def test_who_never_worked_ends_at_once() -> None:
    over: list[bool] = []
    Workers().stop(lambda: over.append(True))
    assert over == [True]


def test_the_time_that_each_took_is_told() -> None:
    seconds: list[float] = []
    workers = Workers(2, 10, observe=seconds.append)
    for _ in range(5):
        add(workers, lambda: None)
    stop(workers)
    assert len(seconds) == 5
    assert all(each >= 0 for each in seconds)
