"""The state machine of HTTP/2 as a server wants it: the h2 library, with its bounds set tighter.

It judges frames and their order.  What a request may look like is `h2heads`' business; no sockets,
no clock.
"""

from __future__ import annotations

from typing import Any, Final

from h2.config import H2Configuration
from h2.connection import AllowedStreamIDs, H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, Event
from h2.settings import SettingCodes, Settings
from h2.stream import H2Stream
from hyperframe.frame import Frame, GoAwayFrame

from proto.web.http1 import HEAD_BYTES

MAX_STREAMS: Final = 100
"""Requests on their way at once, on one connection."""
MAX_HEADER_LIST: Final = HEAD_BYTES
"""Bytes of a request's fields, each counted with 32 more (RFC 9113, 6.5.2)."""
MAX_UNPACKED: Final = 4 * MAX_HEADER_LIST
"""Bytes to which a head may unpack; above it HPACK's state is lost, and the connection with it."""
STREAM_WINDOW: Final = 65_535
"""Bytes of one body that may come before they are read."""
MAX_TABLE: Final = 4096
"""Bytes of fields that our encoder remembers for one peer, whatever more the peer allows."""
_NO_LIMIT: Final = 1 << 31


class Unmeasured(H2Stream):
    """A stream whose Content-Length is left to `h2heads` and `streams`.

    The library ends the whole connection when one request's length is wrong.
    """

    def _initialize_content_length(self, headers: Any) -> None:
        """Nothing is expected here."""

    def _track_content_length(self, length: int, end_stream: bool) -> None:
        """Nothing is compared here."""


class State(H2Connection):
    """What both sides of one connection have agreed on, and which streams are open."""

    # The library remembers 65,536 of them, which is 6 MB for each peer.
    MAX_CLOSED_STREAMS = 1000

    def __init__(self) -> None:
        super().__init__(
            H2Configuration(
                client_side=False,
                header_encoding=None,
                validate_inbound_headers=False,
                validate_outbound_headers=False,
            )
        )
        self.decoder.max_header_list_size = MAX_UNPACKED
        self.local_settings = _settings(MAX_STREAMS)

    def greet(self) -> None:
        """Tell our settings, and give the connection room for all streams.

        So a body that nobody reads holds up no other: each stream has a window of its own.
        """
        self.initiate_connection()
        # A client may open more streams before it has read our limit.  Whoever counts them refuses
        # these one by one; the library would end the connection.
        self.local_settings = _settings(_NO_LIMIT)
        self.increment_flow_control_window((MAX_STREAMS - 1) * STREAM_WINDOW)

    def take_leave(self) -> None:
        """Announce that no new stream is taken; those that are open go on."""
        farewell = GoAwayFrame(0, last_stream_id=self.highest_inbound_stream_id)
        self._prepare_for_sending([farewell])

    def has_sent_goaway(self) -> bool:
        """Whether the connection is closed for the library, which has told the peer why."""
        return bool(self.state_machine.state.name == "CLOSED")

    def is_open(self, number: int) -> bool:
        """Whether the peer may send on that stream, or has never used its number."""
        stream = self.streams.get(number)
        return number > self.highest_inbound_stream_id if stream is None else not stream.closed

    # The library calls these.
    def _begin_new_stream(self, stream_id: int, allowed_ids: AllowedStreamIDs) -> H2Stream:
        super()._begin_new_stream(stream_id, allowed_ids)
        stream = self.streams[stream_id] = Unmeasured(
            stream_id,
            config=self.config,
            inbound_window_size=self.local_settings.initial_window_size,
            outbound_window_size=self.remote_settings.initial_window_size,
        )
        stream.max_outbound_frame_size = self.max_outbound_frame_size
        return stream

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[Event]]:
        if frame.error_code != ErrorCodes.NO_ERROR:
            return super()._receive_goaway_frame(frame)
        # The peer opens no more streams; what it has asked for, it still wants (RFC 9113, 6.8).
        event = ConnectionTerminated()
        event.error_code = ErrorCodes.NO_ERROR
        event.last_stream_id = frame.last_stream_id
        return [], [event]

    def _acknowledge_settings(self) -> list[Frame]:
        frames = super()._acknowledge_settings()
        if self.encoder.header_table_size > MAX_TABLE:
            self.encoder.header_table_size = MAX_TABLE
        told = self.encoder.table_size_changes
        if len(told) > 2:  # of many changes only the smallest and the last count (RFC 7541, 4.2)
            self.encoder.table_size_changes = [min(told), told[-1]]
        return frames


def _settings(streams: int) -> Settings:
    return Settings(
        client=False,
        initial_values={
            SettingCodes.MAX_CONCURRENT_STREAMS: streams,
            SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEADER_LIST,
            SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
        },
    )
