from __future__ import annotations

from proto.logfile.ledger import Ledger
from proto.metrics import Metrics
from tests.logfile.figures import figures


def test_lines_are_held_until_they_are_durable_or_refused() -> None:
    metrics = Metrics()
    ledger = Ledger(metrics)
    ledger.take(5)
    ledger.take(2)
    assert (ledger.received.value, ledger.held) == (7, 7)
    ledger.settle(5, 60, stored=True)
    ledger.settle(2, 9, stored=False)
    assert (ledger.durable.value, ledger.refused.value, ledger.held) == (5, 2, 0)
    assert ledger.bytes_durable.value == 60


def test_lines_that_nobody_takes_are_received_and_refused_and_never_held() -> None:
    ledger = Ledger(Metrics())
    ledger.refuse(3)
    assert (ledger.received.value, ledger.refused.value, ledger.held) == (3, 3, 0)


def test_each_term_of_the_identity_is_exported() -> None:
    metrics = Metrics()
    ledger = Ledger(metrics)
    ledger.take(4)
    ledger.take(2)
    ledger.take(1)
    ledger.settle(4, 40, stored=True)
    ledger.settle(2, 20, stored=False)
    shown = figures(metrics)
    names = ("received", "durable", "held", "refused")
    assert [shown[f"logfile_lines_{name}"] for name in names] == [7, 4, 1, 2]
    assert shown["logfile_bytes_durable"] == 40
