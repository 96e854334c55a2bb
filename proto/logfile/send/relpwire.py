"""RELP, the client's side: lines -> frames, and answers -> acknowledgements.  Knows no sockets."""

from __future__ import annotations

from typing import Final

from proto.logfile.relp import LAST_TXNR, Frames, offers
from proto.logfile.send.window import Window
from proto.logfile.send.wire import Hopeless, Trouble

OPEN: Final = b"relp_version=0\nrelp_software=proto\ncommands=syslog"


class RelpWire:
    """One RELP session."""

    def __init__(self, window: Window, first: int = 1) -> None:
        """`first` is the number of the first frame."""
        self._window = window
        self._frames = Frames()
        self._next = first
        self._awaited = first
        self._open = False

    def begin(self) -> bytes:
        return self._frame(b"open", OPEN)

    def pack(self) -> bytes:
        if not self._open:
            return b""
        return b"".join([self._frame(b"syslog", line) for line in self._window.take()])

    def end(self) -> bytes:
        return self._frame(b"close", b"")

    def feed(self, data: bytes) -> None:
        for txnr, command, text, _ in self._frames.feed(data):
            if command == b"rsp":
                self._hear(txnr, text)
            elif command == b"serverclose":
                raise Trouble("the server closed the session")
        if self._frames.broken:
            raise Trouble("the server does not speak RELP")

    def _hear(self, txnr: int, text: bytes) -> None:
        """An answer; they come in the order of the commands."""
        if txnr != self._awaited or txnr == self._next:
            raise Trouble(f"the server answers {txnr} where {self._awaited} is next")
        self._awaited = _after(txnr)
        status, _, rest = text.partition(b"\n")
        if not status.startswith(b"200"):
            said = status.decode("ascii", "replace")
            if not self._open:
                raise Hopeless(f"the server refuses the session: {said!r}")
            raise Trouble(f"the server does not take it: {said!r}", refused=True)
        if self._open:
            self._window.acknowledge(1)
        elif b"syslog" in offers(rest).get(b"commands", ()):
            self._open = True
        else:
            raise Hopeless("the server takes no syslog messages")

    def _frame(self, command: bytes, data: bytes) -> bytes:
        txnr, self._next = self._next, _after(self._next)
        if not data:
            return b"%d %s 0\n" % (txnr, command)
        return b"%d %s %d %s\n" % (txnr, command, len(data), data)


def _after(txnr: int) -> int:
    return 1 if txnr == LAST_TXNR else txnr + 1
