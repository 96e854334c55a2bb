"""What the UDP services share: answers that cannot be turned against anybody.

Anyone can write another's address on a datagram.  So an answer is never longer than what it
answers (nothing is amplified), and ports 0 to 1023 get none: there live the other echo, chargen
and time services, and two services that answer each other never stop (CERT CA-1996-01).
"""

from __future__ import annotations

from typing import ClassVar, Final

from twisted.internet.error import MessageLengthError
from twisted.internet.protocol import DatagramProtocol

from proto.metrics import Metrics

MAX_DATAGRAM: Final = 65535
"""The `maxPacketSize` to listen with; Twisted's own 8192 would cut longer datagrams."""
LAST_SYSTEM_PORT: Final = 1023
"""RFC 6335, section 6: ports up to here are system ports."""


class Datagrams(DatagramProtocol):
    """Answers each datagram with `answer()`, cut to the length of that datagram."""

    service: ClassVar[str]
    noisy = False

    def __init__(self, metrics: Metrics | None = None) -> None:
        metrics = metrics or Metrics()
        self.received = metrics.tally(
            "echo_bytes_received", "Bytes received by the small services.", service=self.service
        )
        self.sent = metrics.tally(
            "echo_bytes_sent", "Bytes sent by the small services.", service=self.service
        )
        dropped = "Datagrams that were not answered."
        self.from_system_port = metrics.tally(
            "echo_datagrams_dropped", dropped, service=self.service, reason="system_port"
        )
        self.unsendable = metrics.tally(
            "echo_datagrams_dropped", dropped, service=self.service, reason="unsendable"
        )

    def answer(self, datagram: bytes) -> bytes | None:
        """The answer before it is cut, or None to stay silent; services override this."""
        return None

    # Twisted calls this.
    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        self.received.value += len(datagram)
        if addr[1] <= LAST_SYSTEM_PORT:
            self.from_system_port.value += 1
            return
        answer = self.answer(datagram)
        if answer is not None:
            self._send(answer[: len(datagram)], addr)

    def _send(self, answer: bytes, addr: tuple[str, int]) -> None:
        """Send it if the network takes it now; UDP promises no more, so a loss is only counted."""
        assert self.transport is not None
        try:
            self.transport.write(answer, addr)
        except (OSError, MessageLengthError):
            self.unsendable.value += 1
        else:
            self.sent.value += len(answer)
