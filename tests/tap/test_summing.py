from __future__ import annotations

from proto.metrics import Metrics
from proto.tap.summing import outlasting, summed


def figures(requests: int, seconds: float, connections: int, latest: float) -> Metrics:
    metrics = Metrics()
    metrics.tally("requests", "Requests.", status="2xx").value = requests
    metrics.histogram("seconds", "Seconds.", buckets=(1, 2)).observe(seconds)
    metrics.gauge("open", "Open.", lambda: connections)
    metrics.gauge("lag_latest_seconds", "Lag.", lambda: latest)
    return metrics


def text(metrics: Metrics) -> str:
    return metrics.render().decode()


def value(of: str, name: str) -> float:
    (line,) = (line for line in of.splitlines() if line.startswith(f"{name} "))
    return float(line.rpartition(" ")[2])


def test_what_was_counted_is_added_up() -> None:
    told = summed([text(figures(3, 0.5, 7, 0.1)), text(figures(4, 1.5, 5, 0.3))])
    assert value(told, 'proto_requests_total{status="2xx"}') == 7
    assert value(told, "proto_open") == 12
    assert value(told, 'proto_seconds_bucket{le="1.0"}') == 1
    assert value(told, 'proto_seconds_bucket{le="2.0"}') == 2
    assert value(told, 'proto_seconds_bucket{le="+Inf"}') == 2
    assert value(told, "proto_seconds_sum") == 2
    assert value(told, "proto_seconds_count") == 2


def test_of_latest_delays_the_longest_counts() -> None:
    first, second = text(figures(1, 1, 1, 0.3)), text(figures(1, 1, 1, 0.1))
    assert value(summed([second, first]), "proto_lag_latest_seconds") == 0.3


def test_the_figures_of_one_are_what_they_were() -> None:
    one = text(figures(3, 0.5, 7, 0.1))
    assert summed([one]) == one
    assert summed([one, ""]) == one


def test_a_figure_that_only_one_has_is_there_too() -> None:
    other = Metrics()
    other.tally("requests", "Requests.", status="5xx").value = 2
    other.tally("more", "More.").value = 1
    told = summed([text(figures(3, 0.5, 7, 0.1)), text(other)])
    assert value(told, 'proto_requests_total{status="2xx"}') == 3
    assert value(told, 'proto_requests_total{status="5xx"}') == 2
    assert value(told, "proto_more_total") == 1


def test_of_a_process_that_is_gone_only_what_grows_remains() -> None:
    told = outlasting([text(figures(3, 0.5, 7, 0.1)), text(figures(4, 0.5, 7, 0.1))])
    assert value(told, 'proto_requests_total{status="2xx"}') == 7
    assert value(told, "proto_seconds_count") == 2
    assert "proto_open" not in told
    assert "latest" not in told
    assert "created" not in told


def test_labels_with_odd_characters_survive() -> None:
    metrics = Metrics()
    metrics.tally("odd", 'Help "with"\nlines and \\.', path='/a"b\\c\nd').value = 1
    assert summed([text(metrics), text(metrics)]) == text(metrics).replace("} 1.0", "} 2.0")
