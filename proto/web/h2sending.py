"""Whose turn it is to send on a connection of HTTP/2: one frame of each answer, round and round.

It makes frames and knows no transport; who has had enough of it stops asking for more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from proto.web.h2frames import MAX_FRAME, Allowance
from proto.web.h2state import State

if TYPE_CHECKING:
    from proto.web.streams import Stream

MAX_QUEUE: Final = 64 * 1024
"""Bytes of one answer that may wait before its producer is paused."""


class Sender:
    """The answers of one connection that are on their way."""

    def __init__(self, state: State, allowance: Allowance) -> None:
        self.waiting = 0
        """Bytes of all answers."""
        self._state = state
        self._allowance = allowance
        self._turns: deque[Stream] = deque()

    @property
    def has_work(self) -> bool:
        """Somebody has something to send that their window lets through."""
        return bool(self._turns)

    def put(self, stream: Stream, data: bytes) -> None:
        """Queue bytes of an answer, and pause its producer if these are enough for now."""
        stream.put(data)
        self.waiting += len(data)
        self.wake(stream)
        if self.room(stream) <= 0:
            stream.flowControlBlocked()

    def room(self, stream: Stream) -> int:
        """Bytes that a stream's producer may still write."""
        window = self._state.local_flow_control_window(stream.streamID)
        return min(window, MAX_QUEUE) - stream.queued

    def wake(self, stream: Stream) -> None:
        """Give a stream its turn if it can send something."""
        if stream.in_turn or not (stream.queued or stream.is_ending) or stream.holds(MAX_FRAME):
            return
        if not stream.queued or self._state.local_flow_control_window(stream.streamID) > 0:
            stream.in_turn = True
            self._turns.append(stream)

    def let_produce(self, stream: Stream) -> None:
        """Let the producer go on if there is room for what it makes."""
        if self.room(stream) > 0:
            stream.windowUpdated()

    def send_frame(self, done: Callable[[Stream], None]) -> int:
        """Make a frame of the next answer; how many of its bytes.  `done` hears of an end."""
        stream = self._turns.popleft()
        stream.in_turn = False
        if stream.is_gone or stream.holds(MAX_FRAME):
            return 0
        number, data = stream.streamID, b""
        if stream.queued:
            room = min(self._state.local_flow_control_window(number), MAX_FRAME)
            if room <= 0:
                return 0
            data = stream.take(room)
            self.waiting -= len(data)
        last = stream.is_ending and not stream.queued
        if data or last:
            self._state.send_data(number, data, end_stream=last)
            self._allowance.sent_data()
        if last:
            done(stream)
        else:
            self.wake(stream)
            if not stream.queued:
                self.let_produce(stream)
        return len(data)

    def forget(self, stream: Stream) -> None:
        """Nothing of this answer is sent any more, and its body no longer fills the window."""
        self.waiting -= stream.queued
        unread = stream.forget()
        if unread and not self._state.has_sent_goaway():
            self._state.acknowledge_received_data(unread, stream.streamID)
