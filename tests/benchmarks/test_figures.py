from __future__ import annotations

import pytest

from benchmarks.figures import Figure, Sample, Summary, is_noisy, percentile, ratio, summary


def rounds(*rates: float) -> list[Sample]:
    return [Sample(amount=rate, seconds=1, worked=0.5, memory=100) for rate in rates]


def test_a_sample_tells_rate_cost_and_how_busy_the_server_was() -> None:
    sample = Sample(amount=1000, seconds=2, worked=1, memory=0, loaded=1.5)
    assert (sample.rate, sample.cost, sample.busy, sample.load) == (500, 0.001, 0.5, 0.75)


def test_nothing_done_costs_nothing() -> None:
    assert Sample(amount=0, seconds=1, worked=1, memory=0).cost == 0


def test_a_summary_has_the_median_and_the_whole_spread() -> None:
    result = summary(rounds(90, 300, 100, 110, 95))
    assert (result.median, result.least, result.most) == (100, 90, 300)


def test_a_summary_takes_the_median_of_everything_else_too() -> None:
    samples = [
        Sample(amount=10, seconds=1, worked=0.2, memory=5, p50=1, p99=7),
        Sample(amount=10, seconds=1, worked=0.4, memory=6, p50=2, p99=8),
        Sample(amount=10, seconds=1, worked=0.9, memory=9, p50=9, p99=9),
    ]
    result = summary(samples)
    assert (result.cost, result.busy, result.memory) == (0.04, 0.4, 6)
    assert (result.p50, result.p99) == (2, 8)


def test_a_summary_has_the_longest_wait_of_all_rounds() -> None:
    samples = [Sample(1, seconds=1, worked=0, memory=0, longest=each) for each in (3, 9, 4)]
    assert summary(samples).longest == 9
    assert summary(rounds(1, 2)).longest is None


def test_where_nobody_waits_there_is_no_latency() -> None:
    result = summary(rounds(1, 2))
    assert (result.p50, result.p99) == (None, None)


@pytest.mark.parametrize(
    ("rates", "noisy"),
    [
        ((100,), False),
        ((100, 100, 100), False),
        ((90, 95, 100, 105, 110), False),
        ((100, 100, 100, 100, 1000), False),  # one round was disturbed
        ((50, 60, 100, 100, 100), True),  # two were
        ((85, 100, 115), False),
        ((60, 100, 121), True),
        ((0, 0, 0), False),
    ],
)
def test_rounds_are_noisy_when_their_middle_half_spans_more_than_30_percent(
    rates: tuple[float, ...], noisy: bool
) -> None:
    assert is_noisy(rates) is noisy


def test_a_ratio_is_how_many_times_theirs_ours_is() -> None:
    assert ratio(summary(rounds(300)), summary(rounds(200))) == 1.5


@pytest.mark.parametrize("quiet_first", [True, False])
def test_there_is_no_ratio_if_either_is_noisy(quiet_first: bool) -> None:
    pair = [summary(rounds(100, 100, 100)), summary(rounds(10, 100, 1000))]
    ours, theirs = pair if quiet_first else pair[::-1]
    assert ratio(ours, theirs) is None


def test_where_waiting_is_the_figure_it_is_shown_in_milliseconds_and_less_is_better() -> None:
    def waiting(*seconds: float) -> Summary:
        samples = [Sample(1, seconds=1, worked=0, memory=0, p99=p99) for p99 in seconds]
        return summary(samples, Figure.WAIT)

    ours, theirs = waiting(0.004, 0.0045, 0.005), waiting(0.002, 0.00225, 0.002)
    assert (ours.median, ours.least, ours.most) == (4.5, 4, 5)
    assert ratio(ours, theirs) == theirs.median / ours.median


def test_where_memory_is_the_figure_it_is_kib_for_each_and_less_is_better() -> None:
    def grown(*sizes: int) -> Summary:
        samples = [Sample(10, seconds=1, worked=0, memory=1, grown=size) for size in sizes]
        return summary(samples, Figure.GROWTH)

    ours, theirs = grown(10_240, 20_480, 20_480), grown(61_440)
    assert (ours.median, ours.least, ours.most) == (2, 1, 2)
    assert ratio(ours, theirs) == 3


def test_there_is_no_ratio_to_nothing() -> None:
    assert ratio(summary(rounds(1)), summary(rounds(0))) is None


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert percentile(values, 0.50) == 51
    assert percentile(values, 0.99) == 100
    assert percentile([3.0], 0.99) == 3
    assert percentile([], 0.5) is None
