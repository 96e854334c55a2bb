"""Functions to call in the tests, among them those of the JSON-RPC specification's examples."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from proto.errors import PeerError
from proto.web.rpc.faults import RPCError
from proto.web.rpc.registry import Registry

updates: list[tuple[Any, ...]] = []
"""What the notifications were called with."""


def subtract(minuend: int, subtrahend: int) -> int:
    """The difference of two numbers."""
    return minuend - subtrahend


def add(*numbers: int) -> int:
    """The sum of numbers."""
    return sum(numbers)


def get_data() -> list[Any]:
    """Some data."""
    return ["hello", 5]


def update(*what: Any) -> None:
    """Something has changed."""
    updates.append(what)


def refuse(code: int, message: str, data: Any = None) -> None:
    """Refuse, as the application likes."""
    raise RPCError(code, message, data) if data is not None else RPCError(code, message)


def forbid() -> None:
    """Refuse without a number."""
    raise PeerError("not today")


def fail() -> None:
    """Make a mistake."""
    raise RuntimeError("a secret of ours")


def leave() -> None:
    """Try to end the process."""
    raise SystemExit(3)


def puzzle() -> None:
    """Refuse with what nobody can say."""
    raise RPCError(7, "no", object())


def unsayable() -> Any:
    """Give what nobody can say."""
    return object()


async def later(value: Any) -> Any:
    """Give it back in a coroutine."""
    return value


class Waiting:
    """A function that waits until the test lets it go on."""

    def __init__(self) -> None:
        self.calls: list[Deferred[Any]] = []
        self.cancelled = 0

    def wait(self) -> Deferred[Any]:
        """Wait."""
        waiting: Deferred[Any] = Deferred(self._cancel)
        self.calls.append(waiting)
        return waiting

    def _cancel(self, _: Deferred[Any]) -> None:
        self.cancelled += 1


_REFUSING = (refuse, forbid, fail, leave, puzzle)


def registry_of(waiting: Waiting | None = None) -> Registry:
    """All of them."""
    registry = Registry()
    for function in (subtract, get_data, update, later, unsayable, *_REFUSING):
        registry.register(function.__name__, function)
    registry.register("sum", add)
    registry.register("notify_hello", update)
    registry.register("notify_sum", update)
    registry.register("wait", (waiting or Waiting()).wait)
    return registry


registry = registry_of()
