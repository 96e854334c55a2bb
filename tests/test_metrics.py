"""What is counted, and how Prometheus reads it."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from proto.metrics import CONTENT_TYPE, LATENCY_SECONDS, Metrics


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Everything rendered, as Prometheus' own parser reads it."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def test_a_tally_is_told_with_prefix_and_suffix() -> None:
    metrics = Metrics()
    metrics.tally("chat_lines", "Lines read.").value += 3
    assert metrics.render() == (
        b"# HELP proto_chat_lines_total Lines read.\n"
        b"# TYPE proto_chat_lines_total counter\n"
        b"proto_chat_lines_total 3.0\n"
    )


def test_asking_twice_gives_the_same_tally() -> None:
    metrics = Metrics()
    one = metrics.tally("drops", "Dropped.", reason="flood")
    assert metrics.tally("drops", "Dropped.", reason="flood") is one
    assert metrics.tally("drops", "Dropped.", reason="queue") is not one
    one.value += 2
    assert samples(metrics) == {
        ("proto_drops_total", (("reason", "flood"),)): 2.0,
        ("proto_drops_total", (("reason", "queue"),)): 0.0,
    }


def test_a_name_keeps_its_labels_whatever_their_values() -> None:
    metrics = Metrics()
    metrics.tally("drops", "Dropped.", service="a", reason="b")
    with pytest.raises(ValueError, match="drops has the labels"):
        metrics.tally("drops", "Dropped.", reason="b")
    with pytest.raises(ValueError, match="drops has the labels"):
        metrics.tally("drops", "Dropped.", other="a", reason="b")


def test_a_name_is_a_counter_or_a_gauge() -> None:
    metrics = Metrics()
    metrics.tally("queue", "Dropped.")
    with pytest.raises(ValueError, match="queue is"):
        metrics.gauge("queue", "Waiting.", lambda: 1)


def test_a_gauge_is_read_when_asked_and_the_newest_reader_counts() -> None:
    metrics = Metrics()
    level = [1]
    metrics.gauge("queue_bytes", "Waiting.", lambda: level[0], service="chat")
    level[0] = 7
    assert samples(metrics) == {("proto_queue_bytes", (("service", "chat"),)): 7.0}
    metrics.gauge("queue_bytes", "Waiting.", lambda: 9, service="chat")
    assert samples(metrics) == {("proto_queue_bytes", (("service", "chat"),)): 9.0}


def test_a_histogram_counts_into_its_buckets() -> None:
    metrics = Metrics()
    histogram = metrics.histogram("answer_seconds", "Until the answer.")
    assert metrics.histogram("answer_seconds", "Until the answer.") is histogram
    histogram.observe(0.03)
    histogram.observe(99)
    found = samples(metrics)
    for bound in LATENCY_SECONDS:
        key = ("proto_answer_seconds_bucket", (("le", str(bound)),))
        assert found[key] == (1.0 if bound >= 0.05 else 0.0)
    assert found["proto_answer_seconds_bucket", (("le", "+Inf"),)] == 2.0
    assert found["proto_answer_seconds_count", ()] == 2.0
    assert found["proto_answer_seconds_sum", ()] == 99.03


def test_a_histogram_is_told_as_prometheus_own_is_but_for_when_it_began() -> None:
    metrics, registry = Metrics(), CollectorRegistry()
    ours = metrics.histogram("answer_seconds", "Until the answer.")
    theirs = Histogram(
        "proto_answer_seconds", "Until the answer.", buckets=LATENCY_SECONDS, registry=registry
    )
    for value in (0.0, 0.001, 0.0011, 0.25, 10.0, 10.1, 3.0):
        ours.observe(value)
        theirs.observe(value)

    def told(rendered: bytes) -> list[bytes]:
        return [line for line in rendered.splitlines() if b"_created" not in line]

    assert told(metrics.render()) == told(generate_latest(registry))


def test_label_values_are_escaped() -> None:
    metrics = Metrics()
    metrics.tally("x", "X.", who='a"b\n\\').value += 1
    assert samples(metrics) == {("proto_x_total", (("who", 'a"b\n\\'),)): 1.0}


def test_two_processes_have_nothing_in_common() -> None:
    one, other = Metrics(), Metrics()
    one.tally("x", "X.").value += 1
    assert other.render() == b""
    assert CONTENT_TYPE.startswith("text/plain; version=")
