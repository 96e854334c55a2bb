"""Calls what is registered, whoever asks for it: awaits, counts, and keeps mistakes to the log.

Knows neither JSON nor XML, and no requests.
"""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from proto.errors import PeerError
from proto.metrics import Metrics, Tally
from proto.web.rpc.faults import REFUSED, UNKNOWN_METHOD, RPCError, internal_error
from proto.web.rpc.registry import Registry

T = TypeVar("T")

MOST_NAMES: Final = 100
"""Methods that are counted by name; the others are counted together."""


class Caller:
    """Calls the functions of a registry."""

    log = Logger()

    def __init__(self, registry: Registry, clock: IReactorTime, metrics: Metrics) -> None:
        self.registry = registry
        self._clock = clock
        self._metrics = metrics
        self._tallies: dict[tuple[str, str], Tally] = {}
        self._named: set[str] = set()
        self._seconds = metrics.histogram("rpc_call_seconds", "How long a called function takes")

    async def call(self, name: str, positional: Sequence[Any], named: Mapping[str, Any]) -> Any:
        """What the method of that name gives for those parameters.

        Raises:
            RPCError: it is not there, is called in a wrong way, refuses or fails.
            CancelledError: it was cancelled.
        """
        began = self._clock.seconds()
        outcome = "refused"
        try:
            method = self.registry.find(name)
            args, kwargs = method.bind(positional, named)
            value = method.function(*args, **kwargs)
            if inspect.isawaitable(value):
                value = await value
            outcome = "ok"
            return value
        except RPCError as refusal:
            if refusal.code == UNKNOWN_METHOD:
                name = ""
            raise
        except CancelledError:
            outcome = "cancelled"
            raise
        except PeerError as refusal:
            raise RPCError(REFUSED, str(refusal)) from refusal
        except (Exception, SystemExit) as error:
            outcome = "failed"
            raise self.mistake(name) from error
        finally:
            self._tally(name, outcome).value += 1
            self._seconds.observe(max(0.0, self._clock.seconds() - began))

    def mistake(self, name: str) -> RPCError:
        """Write what was just raised into the log, and give what the caller is told instead."""
        incident = secrets.token_hex(8)
        self.log.failure("call {incident} of {name} failed", incident=incident, name=ascii(name))
        return internal_error(incident)

    def _tally(self, name: str, outcome: str) -> Tally:
        if name not in self._named:
            if name and len(self._named) < MOST_NAMES:
                self._named.add(name)
            else:
                name = "other" if name else "unknown"
        tally = self._tallies.get((name, outcome))
        if tally is None:
            tally = self._tallies[name, outcome] = self._metrics.tally(
                "rpc_calls", "Calls of registered functions", method=name, outcome=outcome
            )
        return tally


async def together(jobs: Sequence[Callable[[], Awaitable[T]]], at_once: int) -> list[T]:
    """What the jobs give, in their order; so many of them run at once.

    Raises what the first of them raised; when this is cancelled, so are they.
    """
    results: list[Any] = [None] * len(jobs)
    todo = iter(enumerate(jobs))

    async def work() -> None:
        for place, job in todo:
            results[place] = await job()

    workers = [Deferred.fromCoroutine(work()) for _ in range(min(at_once, len(jobs)))]
    for succeeded, failure in await DeferredList(workers, consumeErrors=True):
        if not succeeded:
            cast(Failure, failure).raiseException()
    return results
