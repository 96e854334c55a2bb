"""What the chat counts for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from proto.chat.history import History, TimedHistory
from proto.chat.house import House
from proto.metrics import Metrics, Tally


class Figures:
    """The counters of one front door, added to on the hot path."""

    def __init__(self, metrics: Metrics, house: House, queue_bytes: Callable[[], float]) -> None:
        self._metrics = metrics
        self.lines = metrics.tally("chat_lines_received", "Lines that people sent.")
        self.deliveries = metrics.tally("chat_deliveries", "Events that were queued for a client.")
        self.bytes_in = metrics.tally("chat_bytes_received", "Bytes read from chat clients.")
        self.bytes_out = metrics.tally("chat_bytes_sent", "Bytes written to chat clients.")
        metrics.gauge("chat_queue_bytes", "Bytes that wait for slow terminals.", queue_bytes)
        metrics.gauge("chat_people", "People present.", lambda: house.people)
        metrics.gauge("chat_rooms", "Rooms that are open.", lambda: len(house.rooms))

    def delivered(self, clients: int) -> None:
        """An event was queued for so many clients."""
        self.deliveries.value += clients

    def drops(self, reason: str) -> Tally:
        """Connections that the chat itself ended, by reason."""
        return self._metrics.tally(
            "chat_drops", "Connections that were ended by the chat.", reason=reason
        )


def timed(history: History, seconds: Callable[[], float], metrics: Metrics) -> History:
    """The history, with the time that storing a line takes told as chat_store_seconds."""
    histogram = metrics.histogram("chat_store_seconds", "From asking to store a line to stored.")
    return TimedHistory(history, seconds, histogram.observe)
