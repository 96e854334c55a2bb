from __future__ import annotations

from collections.abc import Coroutine, Iterator
from functools import partial
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from proto.metrics import Metrics
from proto.web.rpc.calling import MOST_NAMES, Caller, together
from proto.web.rpc.faults import RPCError
from proto.web.rpc.registry import Registry
from tests.web.rpc.functions import Waiting, registry_of

take = SynchronousTestCase()


def run(job: Coroutine[Any, Any, Any]) -> Any:
    """What the coroutine gives, or raises, at once."""
    told: list[Any] = []
    Deferred.fromCoroutine(job).addBoth(told.append)
    (result,) = told
    if isinstance(result, Failure):
        result.raiseException()
    return result


class House:
    """A caller and what it counts."""

    def __init__(self, registry: Registry | None = None) -> None:
        self.waiting = Waiting()
        self.metrics = Metrics()
        self.caller = Caller(registry or registry_of(self.waiting), Clock(), self.metrics)

    def call(self, name: str, *positional: Any, **named: Any) -> Any:
        return run(self.caller.call(name, positional, named))

    def refusal(self, name: str, *positional: Any) -> RPCError:
        with pytest.raises(RPCError) as refused:
            self.call(name, *positional)
        return refused.value

    def counted(self, name: str, outcome: str) -> bool:
        line = f'proto_rpc_calls_total{{method="{name}",outcome="{outcome}"}} 1.0\n'
        return line.encode() in self.metrics.render()


@pytest.fixture
def events() -> Iterator[list[LogEvent]]:
    with capturedLogs() as captured:
        yield captured  # type: ignore[misc]


def test_values_coroutines_and_deferreds_are_the_same_to_the_caller() -> None:
    house = House()
    assert house.call("subtract", 42, 23) == 19
    assert house.call("subtract", subtrahend=23, minuend=42) == 19
    assert house.call("later", [1]) == [1]
    pending = Deferred.fromCoroutine(house.caller.call("wait", [], {}))
    house.waiting.calls[0].callback("done")
    assert take.successResultOf(pending) == "done"
    assert house.counted("wait", "ok")


def test_what_the_application_refuses_is_told() -> None:
    house = House()
    error = house.refusal("refuse", 7, "no", {"why": 1})
    assert (error.code, error.message, error.data) == (7, "no", {"why": 1})
    assert house.refusal("forbid").code == -32000
    assert str(house.refusal("forbid")) == "not today"
    assert house.counted("refuse", "refused")


def test_a_call_that_cannot_be_made_is_told() -> None:
    house = House()
    assert house.refusal("nothing").code == -32601
    assert house.refusal("subtract", 1).code == -32602
    assert house.counted("unknown", "refused")


@pytest.mark.parametrize("name", ["fail", "leave"])
def test_a_mistake_is_in_the_log_and_only_its_number_is_told(
    name: str, events: list[LogEvent]
) -> None:
    house = House()
    error = house.refusal(name)
    assert (error.code, error.message) == (-32603, "Internal error")
    assert "secret" not in str(error.data)
    (event,) = (each for each in events if "log_failure" in each)
    assert event["incident"] == error.data["incident"]
    assert house.counted(name, "failed")


def test_a_type_error_within_is_no_wrong_parameter(events: list[LogEvent]) -> None:
    registry = Registry()
    registry.register("m", lambda: len(5))  # type: ignore[arg-type]
    assert House(registry).refusal("m").code == -32603


def test_who_cancels_a_call_cancels_what_it_waits_for() -> None:
    house = House()
    pending = Deferred.fromCoroutine(house.caller.call("wait", [], {}))
    pending.cancel()
    take.failureResultOf(pending, CancelledError)
    assert house.waiting.cancelled == 1
    assert house.counted("wait", "cancelled")


def test_only_so_many_names_are_counted_apart() -> None:
    registry = Registry()
    for number in range(MOST_NAMES + 5):
        registry.register(f"m{number}", lambda: None)
    house = House(registry)
    for _ in range(2):
        for number in range(MOST_NAMES + 5):
            house.call(f"m{number}")
        house.refusal("nothing")
    told = house.metrics.render().decode()
    assert told.count("proto_rpc_calls_total{") == MOST_NAMES + 2
    assert 'proto_rpc_calls_total{method="other",outcome="ok"} 10.0\n' in told


def test_jobs_run_together_but_only_so_many_and_answer_in_order() -> None:
    waiting = Waiting()

    async def job(number: int) -> int:
        await waiting.wait()
        return number

    pending = Deferred.fromCoroutine(together([partial(job, number) for number in range(5)], 2))
    order = [1, 0, 2, 3, 4]
    for begun, place in enumerate(order, 2):
        assert len(waiting.calls) == min(begun, 5)
        waiting.calls[place].callback(None)
    assert take.successResultOf(pending) == [0, 1, 2, 3, 4]
    assert run(together([], 2)) == []


def test_who_cancels_jobs_cancels_all_of_them() -> None:
    waiting = Waiting()

    async def job() -> None:
        await waiting.wait()

    pending = Deferred.fromCoroutine(together([job] * 5, 2))
    pending.cancel()
    take.failureResultOf(pending, CancelledError)
    assert (len(waiting.calls), waiting.cancelled) == (2, 2)


def test_a_job_that_raises_is_told_of() -> None:
    async def job() -> None:
        raise ValueError("no")

    take.failureResultOf(Deferred.fromCoroutine(together([job, job], 2)), ValueError)
