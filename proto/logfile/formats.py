"""Pieces -> the records that go to the file: raw, prefixed, JSON, syslog.  Plain bytes.

Whatever the format, a record is one line, no peer can forge one, and what the peer sent comes back
from it, as `record` says (from `syslog`, the values of the fields).  The first three take a whole
run at once; only what has to be said of each line is said line by line, in one pass.  Knows
neither files nor sockets.
"""

from __future__ import annotations

import json as standard_json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Protocol

import msgspec

from proto.logfile.framing import Line, Piece, Run
from proto.logfile.origin import Origin
from proto.logfile.record import readable, render
from proto.logfile.syslog import parse

_JSON_ESCAPES: Final = (b'"', b"\\", b"\t")
"""What of a record JSON writes in another way; other control bytes are escaped already."""
_BEFORE_LINE: Final = b',"line":"'
_BEHIND_NUMBERS: Final = {
    after: [b"%03d%b" % (number, after) for number in range(1000)]
    for after in (b" - ", _BEFORE_LINE)
}
"""What stands between a number and its line if there is no subject -> it behind three digits."""

_encode: Final = msgspec.json.Encoder().encode


class Format(Protocol):
    """One way to write down lines."""

    def __call__(
        self, pieces: Sequence[Piece], origin: Origin, seconds: float, first: int
    ) -> bytes:
        """All the records of these pieces, each ending in LF.

        `seconds` is UTC since the epoch; `first` is the sequence number of the first line.
        """


def raw(pieces: Sequence[Piece], origin: Origin, seconds: float, first: int) -> bytes:
    """The lines alone, escaped and marked as `record` says."""
    if len(pieces) == 1:
        return render(pieces[0])
    return b"".join(map(render, pieces))


def prefixed(pieces: Sequence[Piece], origin: Origin, seconds: float, first: int) -> bytes:
    """`TIME PEER SEQUENCE SUBJECT LINE`, the line as in `raw`.

    No column but the line holds a space.  A subject that there is not is `-`.
    """
    before = b"%b %b " % (_time(seconds), _column(origin.peer))
    after = b" %b " % _column(origin.subject)
    records = []
    for piece in pieces:
        lines = render(piece).split(b"\n")[:-1]
        records.append(_numbered(before, after, lines, b"\n", first))
        first += len(lines)
    return b"".join(records)


def json(pieces: Sequence[Piece], origin: Origin, seconds: float, first: int) -> bytes:
    r"""An object a line: `time`, `peer`, `seq`, `subject` if there is one, and `line`.

    `line` is text: what `raw` escapes is `\xNN` there too, and so are bytes that are no UTF-8.
    Instead of marks there are `cut`, the number of bytes left out, and `unfinished`.
    """
    peer, subject = _names(origin)
    before = b'{"time":"%b",%b"seq":' % (_time(seconds), peer)
    after = b",%b%b" % (subject, _BEFORE_LINE[1:])
    records = []
    for piece in pieces:
        if isinstance(piece, Run):
            lines, end = _json_lines(render(piece)), b'"}\n'
        else:
            # What `_encode` puts before the text is already there.
            lines, end = [_encode(readable(piece.head))[1:]], _marks(piece) + b"}\n"
        records.append(_numbered(before, after, lines, end, first))
        first += len(lines)
    return b"".join(records)


def syslog(pieces: Sequence[Piece], origin: Origin, seconds: float, first: int) -> bytes:
    """An object a line: what `syslog.parse` finds, behind `received`, `peer`, `seq`, `subject`.

    `cut` and `unfinished` are as in `json`.  The names are unlike those of the message's fields.
    """
    peer, subject = _names(origin)
    before = b'{"received":"%b",%b"seq":' % (_time(seconds), peer)
    after = b"," + subject
    records = []
    for piece in pieces:
        if isinstance(piece, Run):
            lines, marks = piece.text.split(b"\n"), b""
            lines.pop()
        else:
            lines, marks = [piece.head], _marks(piece)
        end = marks + b"}\n"
        for number, line in enumerate(lines, first):
            fields = _encode(parse(line))
            records.append(b"%b%d%b%b%b" % (before, number, after, fields[1:-1], end))
        first += len(lines)
    return b"".join(records)


FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {"raw": raw, "prefixed": prefixed, "json": json, "syslog": syslog}
)


def _numbered(before: bytes, after: bytes, lines: Sequence[bytes], end: bytes, first: int) -> bytes:
    """Each line behind its number, with what stands before, between and at its end.

    The last three digits are taken from a table, a thousand lines at most in one turn: to write
    each number costs more than all the rest.
    """
    rows: list[bytes] = []
    done = 0
    while done < len(lines):
        thousands, rest = divmod(first + done, 1000)
        stop = min(1000, rest + len(lines) - done)
        begin = b"%b%d" % (before, thousands) if thousands else before
        numbers = _BEHIND_NUMBERS.get(after, [])[rest:stop] if thousands else []
        if not numbers:
            form = b"%03d%b" if thousands else b"%d%b"
            numbers = [form % (number, after) for number in range(rest, stop)]
        some = [end + begin] * (3 * len(numbers))
        some[0] = begin if not rows else some[0]
        some[1::3] = numbers
        some[2::3] = lines[done : done + len(numbers)]
        rows += some
        done += len(numbers)
    rows.append(end)
    return b"".join(rows)


def _json_lines(records: bytes) -> list[bytes]:
    """The texts of whole records as JSON has them between its quotes."""
    if records.isascii() and not any(each in records for each in _JSON_ESCAPES):
        return records.split(b"\n")[:-1]
    # DEL is always escaped, and JSON leaves it as it is: the lines can be made one text with it.
    joined = records.replace(b"\n", b"\x7f").decode(errors="backslashreplace")
    return _encode(joined)[1:-1].split(b"\x7f")[:-1]


def _marks(line: Line) -> bytes:
    """What is amiss with a line, as more members of its object."""
    cut = b',"cut":%d' % line.left_out if line.left_out else b""
    return cut if line.ended else cut + b',"unfinished":true'


def _time(seconds: float) -> bytes:
    """`2026-11-21T17:00:00.123456Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()


@lru_cache(maxsize=1024)
def _column(name: str) -> bytes:
    """A name that holds no space and is not empty; any other name gives something else."""
    shown = "".join(map(_visible, readable(name.encode(errors="surrogatepass"))))
    return {"": b"-", "-": b"\\x2d"}.get(shown) or shown.encode()


def _visible(character: str) -> str:
    if character.isprintable() and not character.isspace():
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode())


@lru_cache(maxsize=1024)
def _names(origin: Origin) -> tuple[bytes, bytes]:
    """The members `peer` and, if there is one, `subject`, each with a comma behind it."""
    subject = b'"subject":%b,' % _json_name(origin.subject) if origin.subject else b""
    return b'"peer":%b,' % _json_name(origin.peer), subject


def _json_name(name: str) -> bytes:
    # A name that is no text comes back from these escapes too.
    return standard_json.dumps(name).encode()
