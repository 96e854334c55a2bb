"""What the log's metrics say, as Prometheus would be told."""

from __future__ import annotations

from proto.metrics import Metrics


def figures(metrics: Metrics) -> dict[str, float]:
    """Each value by its name, without the prefix and the suffix."""
    samples = {}
    for line in metrics.render().decode().splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            samples[name.removeprefix("proto_").removesuffix("_total")] = float(value)
    return samples


def lines(metrics: Metrics) -> tuple[int, int, int, int]:
    """How many are received, durable, held and refused; they are in balance."""
    shown = figures(metrics)
    received, durable, held, refused = (
        int(shown[f"logfile_lines_{name}"]) for name in ("received", "durable", "held", "refused")
    )
    assert received == durable + held + refused
    return received, durable, held, refused
