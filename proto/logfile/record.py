r"""A line -> the record that stands for it in the file, and back.  Plain bytes.

The bytes are kept, with three exceptions that keep a peer from forging a line or steering the
terminal that shows the file:

- the control bytes (C0 without TAB and LF, and DEL) become `\x1b`: two digits, lower case; so do
  the two bytes of a control character C1 in UTF-8, which terminals obey as well: `\xc2\x9b`;
- a backslash that already stands before `x` and two hexadecimal digits becomes `\x5c`, so that
  what looks like an escape is one.  Every other backslash stays as it is: `C:\temp`, `C:\xampp`
  and JSON are stored unchanged;
- a line that was cut or never ended bears a mark.  Marks begin with `\x20`: a space is never
  escaped, so no peer can write one.

TAB stays: columns are often split at it, and it moves no cursor back.  LF ends the record; where
it stands inside a message (NUL framing, octet counting) it becomes `\x0a`.  Other bytes from 0x80
on are left alone: they are parts of UTF-8 characters.
"""

from __future__ import annotations

import re
from typing import Final

from proto.logfile.framing import CONTROLS, Line, Piece, Run

_ESCAPES: Final = tuple((bytes([byte]), b"\\x%02x" % byte) for byte in CONTROLS)
_LOOKS_ESCAPED: Final = re.compile(rb"\\(?=x[0-9a-fA-F]{2})")
_C1: Final = re.compile(rb"\xc2([\x80-\x9f])")
_ESCAPED: Final = re.compile(rb"\\x([0-9a-fA-F]{2})")
_MARKED: Final = re.compile(
    rb"(?P<head>.*?)"
    rb"(?:\\x20\[cut: (?P<left_out>\d+) bytes left out\])?"
    rb"(?P<open>\\x20\[unfinished\])?",
    re.DOTALL,
)


def render(piece: Piece) -> bytes:
    """The record of a line, or all the records of a run at once; each ends in LF."""
    if isinstance(piece, Run):
        return _escape_sequences(piece.text) if piece.clean else escape(piece.text)
    cut = b"\\x20[cut: %d bytes left out]" % piece.left_out if piece.left_out else b""
    unfinished = b"" if piece.ended else b"\\x20[unfinished]"
    return escape_message(piece.head) + cut + unfinished + b"\n"


def restore(record: bytes) -> Line:
    """What the peer sent, from its record without LF: the inverse of `render`."""
    marked = _MARKED.fullmatch(record)
    assert marked is not None  # every part of the pattern may be empty
    head, left_out, unfinished = marked["head"], marked["left_out"], marked["open"]
    line = _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), head)
    return Line(line, int(left_out or 0), ended=unfinished is None)


def escape(text: bytes) -> bytes:
    """The text without control bytes other than TAB and LF; any number of lines.

    An ordinary chunk is looked at in C twice, and comes back as the same object.
    """
    text = _escape_sequences(text)
    if len(text.translate(None, CONTROLS)) != len(text):
        for control, escaped in _ESCAPES:
            text = text.replace(control, escaped)
    return text


def _escape_sequences(text: bytes) -> bytes:
    """Backslashes that would look like the beginning of an escape, and C1 in UTF-8."""
    if b"\\" in text:
        text = _LOOKS_ESCAPED.sub(rb"\\x5c", text)
    if b"\xc2" in text:
        text = _C1.sub(lambda found: b"\\xc2\\x%02x" % found[1][0], text)
    return text


def escape_message(text: bytes) -> bytes:
    """The text of one message, in which LF is a control byte like the others."""
    return escape(text).replace(b"\n", b"\\x0a")


def readable(text: bytes) -> str:
    """One message as characters: escaped, and so are the bytes that are no UTF-8."""
    return escape_message(text).decode(errors="backslashreplace")
