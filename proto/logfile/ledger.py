"""Where each line went, in figures.  Knows neither files nor connections.

The identity

    received = durable + held + refused     (lines)

holds whenever the reactor is between two calls, and each term of it is exported.  Durable is what
`--sync` says it is: on the disk, or with `never` given to the kernel.
"""

from __future__ import annotations

from proto.metrics import Metrics


class Ledger:
    """Counts lines on their way from the peers to the disk; reactor only."""

    def __init__(self, metrics: Metrics) -> None:
        self.received = metrics.tally("logfile_lines_received", "Lines that peers sent.")
        self.durable = metrics.tally(
            "logfile_lines_durable", "Lines that are on the disk, as --sync says."
        )
        self.refused = metrics.tally(
            "logfile_lines_refused", "Lines that were not stored, and not acknowledged."
        )
        self.bytes_durable = metrics.tally("logfile_bytes_durable", "Bytes of the durable lines.")
        self.held = 0
        metrics.gauge("logfile_lines_held", "Lines in memory, not yet durable.", lambda: self.held)

    def take(self, lines: int) -> None:
        """So many lines came, and wait for the disk."""
        self.received.value += lines
        self.held += lines

    def refuse(self, lines: int) -> None:
        """So many lines came, and nobody takes them."""
        self.received.value += lines
        self.refused.value += lines

    def settle(self, lines: int, size: int, *, stored: bool) -> None:
        """So many of the lines that waited are on the disk, or will never be."""
        self.held -= lines
        if stored:
            self.durable.value += lines
            self.bytes_durable.value += size
        else:
            self.refused.value += lines
