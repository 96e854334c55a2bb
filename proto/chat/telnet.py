"""A tolerant telnet filter: bytes in; text and what to answer out.  RFC 854, 855, 860.

Nothing is negotiated.  An option that the client asks for is refused once, what we do not know is
dropped, and no input raises or is remembered beyond a few bytes.  Which bytes the client's packets
happened to break at makes no difference.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

IAC, DONT, DO, WONT, WILL, SB = 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0xFA
EL, EC, AYT, IP, ABORT, EOF = 0xF8, 0xF7, 0xF6, 0xF4, 0xEE, 0xEC
SE: Final = 0xF0
TIMING_MARK: Final = 6

HERE: Final = b"[yes]\r\n"
"""The answer to "are you there"."""

LONGEST_SUBNEGOTIATION: Final = 4096
"""A longer one is none: what follows is text again.  We ask for none, so a client has no cause
to send one, and two bytes of Latin-1 must not make somebody mute for good."""

_IAC: Final = b"\xff"
_ERASE: Final = {EC: b"\x7f", EL: b"\x15"}
_REFUSAL: Final = {WILL: DONT, DO: WONT}


class _State(Enum):
    TEXT = auto()
    COMMAND = auto()
    OPTION = auto()
    INSIDE = auto()
    INSIDE_COMMAND = auto()


class TelnetFilter:
    """One client's telnet state.

    `ended` becomes true when the client said it is done: IAC EOF, or an interrupt (IP, ABORT: a
    control-C in telnet), which also drops the line being typed.  What follows is not read.
    """

    def __init__(self) -> None:
        self.ended = False
        self._state = _State.TEXT
        self._verb = 0
        self._skipped = 0
        self._refused: set[tuple[int, int]] = set()
        self._answered: set[int] = set()

    def feed(self, chunk: bytes) -> tuple[bytes, bytes]:
        """The text in the chunk, and the bytes to send back."""
        if self.ended:
            return b"", b""
        if self._state is _State.TEXT and _IAC not in chunk:
            self._note_line_end(chunk)
            return chunk, b""
        text, replies = bytearray(), bytearray()
        at = 0
        while at < len(chunk) and not self.ended:
            if self._state is _State.TEXT:
                at = self._text(chunk, at, text)
            elif self._state is _State.INSIDE:
                at = self._inside(chunk, at)
            else:
                at = self._step(chunk[at], at, text, replies)
        return bytes(text), bytes(replies)

    def _text(self, chunk: bytes, at: int, text: bytearray) -> int:
        end = chunk.find(_IAC, at)
        piece = chunk[at:] if end < 0 else chunk[at:end]
        text += piece
        self._note_line_end(piece)
        if end < 0:
            return len(chunk)
        self._state = _State.COMMAND
        return end + 1

    def _inside(self, chunk: bytes, at: int) -> int:
        """Skip a subnegotiation up to the next IAC, or until it is too long to be one."""
        room = LONGEST_SUBNEGOTIATION - self._skipped
        if room <= 0:
            self._state = _State.TEXT
            return at
        end = chunk.find(_IAC, at, at + room)
        if end < 0:
            stop = min(at + room, len(chunk))
            self._skipped += stop - at
            return stop
        self._skipped += end - at
        self._state = _State.INSIDE_COMMAND
        return end + 1

    def _step(self, byte: int, at: int, text: bytearray, replies: bytearray) -> int:
        """One byte after an IAC; returns where to read on."""
        if self._state is _State.OPTION:
            self._state = _State.TEXT
            replies += self._refuse(self._verb, byte)
        elif self._state is _State.INSIDE_COMMAND:
            self._state = _State.TEXT if byte == SE else _State.INSIDE
            self._skipped += 2
        else:
            self._state = _State.TEXT
            return at + self._command(byte, text, replies)
        return at + 1

    def _command(self, byte: int, text: bytearray, replies: bytearray) -> int:
        """A byte after IAC in text; returns how many bytes it took of the chunk."""
        if byte == IAC:
            text += _IAC
        elif byte < EOF:
            # Not telnet at all, but a stray 0xFF: it stays, and so does the byte after it.
            text += _IAC
            return 0
        elif byte in (WILL, WONT, DO, DONT):
            self._state, self._verb = _State.OPTION, byte
        elif byte == SB:
            self._state, self._skipped = _State.INSIDE, 0
        elif byte in _ERASE:
            text += _ERASE[byte]
        elif byte == AYT:
            replies += self._once_a_line(AYT, HERE)
        elif byte in (IP, ABORT, EOF):
            text += b"" if byte == EOF else _ERASE[EL]
            self.ended = True
        return 1

    def _refuse(self, verb: int, option: int) -> bytes:
        if verb not in _REFUSAL:
            return b""
        answer = bytes((IAC, _REFUSAL[verb], option))
        if verb == DO and option == TIMING_MARK:
            # RFC 860: each one wants its own answer; telnet discards our output until it has it.
            return self._once_a_line(TIMING_MARK, answer)
        if (verb, option) in self._refused:
            return b""
        self._refused.add((verb, option))
        return answer

    def _note_line_end(self, piece: bytes) -> None:
        if self._answered and (b"\n" in piece or b"\r" in piece):
            self._answered.clear()

    def _once_a_line(self, what: int, answer: bytes) -> bytes:
        """Answers that may be asked for again and again wait for the next line, which flood
        control counts."""
        if what in self._answered:
            return b""
        self._answered.add(what)
        return answer
