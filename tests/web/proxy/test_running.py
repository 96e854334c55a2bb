from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from proto.web.proxy.running import Running


class Watched:
    """What became of a coroutine."""

    def __init__(self) -> None:
        self.failures: list[tuple[type[BaseException], str]] = []
        self.waiting: Deferred[str] = Deferred()
        self.told: list[str] = []

    async def wait(self) -> None:
        self.told.append(await self.waiting)

    def failed(self, failure: Failure, subject: str) -> None:
        assert failure.value is not None
        self.failures.append((type(failure.value), subject))

    def run(self) -> Running[str]:
        return Running(self.wait(), self.failed, "it")


def test_it_goes_on_with_what_it_waited_for() -> None:
    watched = Watched()
    watched.run()
    assert watched.told == []
    watched.waiting.callback("well")
    assert watched.told == ["well"]
    assert watched.failures == []


def test_it_does_not_wait_for_what_is_here() -> None:
    watched = Watched()
    watched.waiting.callback("well")
    watched.run().cancel()
    assert watched.told == ["well"]


def test_what_it_raises_is_told_once() -> None:
    watched = Watched()
    watched.run()
    watched.waiting.errback(ValueError())
    assert watched.failures == [(ValueError, "it")]
    again = Watched()
    again.waiting.errback(KeyError())
    again.run()
    assert again.failures == [(KeyError, "it")]


def test_cancelling_cancels_what_it_waits_for() -> None:
    watched = Watched()
    running = watched.run()
    running.cancel()
    running.cancel()
    assert watched.failures == [(CancelledError, "it")]
