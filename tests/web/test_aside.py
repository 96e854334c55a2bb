from __future__ import annotations

from collections.abc import Iterator
from threading import current_thread, main_thread
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from proto.web.aside import AtOnce, TooBusy
from tests.web.threads import Held, Threads


@pytest.fixture
def held() -> Iterator[Held]:
    """Work that hangs; it is let go in the end, whatever happens."""
    work = Held()
    yield work
    work.let_go()


def results_of(*deferreds: Deferred[Any]) -> list[Any]:
    """A list that fills with results and exceptions as they come."""
    results: list[Any] = []

    def failed(failure: Failure) -> None:
        results.append(failure.value)

    for deferred in deferreds:
        deferred.addCallback(results.append).addErrback(failed)
    return results


def test_work_is_done_in_another_thread_and_its_result_comes_back() -> None:
    threads = Threads()
    results = results_of(threads.aside.run(b"", current_thread))
    threads.until(lambda: results)
    assert results[0] is not main_thread()
    assert results[0].daemon
    threads.aside.stop()


def test_what_the_work_raises_comes_back() -> None:
    threads = Threads()
    results = results_of(threads.aside.run(b"", int, "x"))
    threads.until(lambda: results)
    assert isinstance(results[0], ValueError)
    threads.aside.stop()


def test_work_that_hangs_delays_only_that_with_its_key(held: Held) -> None:
    threads = Threads(size=3, share=2)
    stuck = results_of(*(threads.aside.run(b"nfs", held) for _ in range(9)))
    done = results_of(*(threads.aside.run(b"home", str, n) for n in range(20)))
    threads.until(lambda: len(done) == 20)
    assert stuck == []
    held.let_go()
    threads.until(lambda: len(stuck) == 9)
    threads.aside.stop()


def test_two_jobs_at_once_get_two_threads(held: Held) -> None:
    threads = Threads(size=2, share=2)
    first = results_of(threads.aside.run(b"", str, 1))
    threads.until(lambda: first)  # now one thread is idle
    stuck = results_of(threads.aside.run(b"", held))
    done = results_of(threads.aside.run(b"", str, 2))
    threads.until(lambda: done)
    held.let_go()
    threads.until(lambda: stuck)
    threads.aside.stop()


def test_more_than_may_wait_is_refused_with_503(held: Held) -> None:
    threads = Threads(size=1, share=1, waiting=2)
    stuck = results_of(threads.aside.run(b"", held))
    assert held.begun.wait(20)
    waiting = results_of(*(threads.aside.run(b"", str, n) for n in range(2)))
    refused = results_of(threads.aside.run(b"", str, 3))
    assert isinstance(refused[0], TooBusy)
    assert (refused[0].status, refused[0].headers) == (503, (("Retry-After", "5"),))
    held.let_go()
    threads.until(lambda: len(waiting) == 2)
    assert stuck == ["held"]
    threads.aside.stop()


def test_what_is_cancelled_before_it_began_is_never_done(held: Held) -> None:
    threads = Threads(size=1, share=1)
    stuck = results_of(threads.aside.run(b"", held))
    assert held.begun.wait(20)
    done: list[int] = []
    unwanted = threads.aside.run(b"", done.append, 1)
    failed = results_of(unwanted)
    unwanted.cancel()
    assert isinstance(failed[0], CancelledError)
    last = results_of(threads.aside.run(b"", str, 2))
    held.let_go()
    threads.until(lambda: last)
    assert (done, stuck) == ([], ["held"])
    threads.aside.stop()


def test_a_result_that_nobody_wants_any_more_is_given_back(held: Held) -> None:
    threads = Threads(size=1, share=1)
    given_back: list[object] = []
    working = threads.aside.run(b"", held, "a file", unwanted=given_back.append)
    failed = results_of(working)
    assert held.begun.wait(20)
    working.cancel()
    assert isinstance(failed[0], CancelledError)
    held.let_go()
    threads.until(lambda: given_back)
    assert given_back == ["a file"]
    threads.aside.stop()


def test_nothing_is_taken_after_the_stop() -> None:
    threads = Threads()
    threads.aside.stop()
    assert isinstance(results_of(threads.aside.run(b"", str, 1))[0], TooBusy)


def test_without_threads_it_is_done_before_run_returns() -> None:
    assert results_of(AtOnce().run(b"", str, 1)) == ["1"]
    assert isinstance(results_of(AtOnce().run(b"", int, "x"))[0], ValueError)
