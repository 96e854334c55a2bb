"""What a peer says on a connection of HTTP/2, as events of the h2 library.

Each frame is counted before it costs anything, and its events are dealt with before the next frame
is looked at.  No sockets; the time is told.
"""

from __future__ import annotations

from collections.abc import Iterator

from h2.events import DataReceived, Event

from proto.web.h2frames import DATA, Allowance, FrameReader
from proto.web.h2state import State


class Listener:
    """One peer's bytes."""

    def __init__(self, state: State, allowance: Allowance) -> None:
        self.begun: float | None = None
        """Since when something has been on its way that should be whole soon."""
        self._state = state
        self._allowance = allowance
        self._reader = FrameReader()

    def partial(self, stream: int) -> int:
        """Bytes of a body's next frame that have come already."""
        return self._reader.partial(stream)

    def hear(self, data: bytes, now: float) -> Iterator[Event]:
        """What these bytes say, as far as they go.

        Raises BadFrame and the library's ProtocolError: the connection must end.
        """
        for frame in self._reader.feed(data):
            self._allowance.heard(frame, now)
            if frame.kind == DATA and not self._state.is_open(frame.stream):
                self._allowance.useless(now)  # it is answered with RST_STREAM
            for event in self._state.receive_data(frame.raw):
                if isinstance(event, DataReceived) and not event.data and not event.stream_ended:
                    self._allowance.useless(now)
                yield event
        if not self._reader.has_begun:
            self.begun = None
        elif self.begun is None:
            self.begun = now
