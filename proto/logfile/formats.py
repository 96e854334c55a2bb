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
_FIRST_DIGITS: Final = [b"%d" % number for number in range(1000)]
_THREE_DIGITS: Final = [b"%03d" % number for number in range(1000)]

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
        count = piece.count if isinstance(piece, Run) else 1
        records.append(_numbered(before, after, render(piece), first, count))
        first += count
    return b"".join(records)


def json(pieces: Sequence[Piece], origin: Origin, seconds: float, first: int) -> bytes:
    r"""An object a line: `time`, `peer`, `seq`, `subject` if there is one, and `line`.

    `line` is text: what `raw` escapes is `\xNN` there too, and so are bytes that are no UTF-8.
    Instead of marks there are `cut`, the number of bytes left out, and `unfinished`.
    """
    peer, subject = _names(origin)
    before = b'{"time":"%b",%b"seq":' % (_time(seconds), peer)
    after = b',%b"line":"' % subject
    records = []
    for piece in pieces:
        if isinstance(piece, Run):
            text, count = _json_lines(render(piece)), piece.count
        else:
            # What `_encode` puts before the text is already there.
            text, count = _encode(readable(piece.head))[1:] + _marks(piece) + b"}\n", 1
        records.append(_numbered(before, after, text, first, count))
        first += count
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


def _numbered(before: bytes, after: bytes, text: bytes, first: int, count: int) -> bytes:
    """Each line of `text`, which has no line ends but LF, behind its number and what is around.

    The digits are taken from a table, a thousand lines at most in one turn: to write each number
    costs more than all the rest.
    """
    lines = text.splitlines(keepends=True)
    rows: list[bytes] = []
    done = 0
    while done < count:
        thousands, rest = divmod(first + done, 1000)
        digits = (_THREE_DIGITS if thousands else _FIRST_DIGITS)[rest : rest + count - done]
        begin = b"%b%d" % (before, thousands) if thousands else before
        some = [begin, b"", after, b""] * len(digits)
        some[1::4] = digits
        some[3::4] = lines[done : done + len(digits)]
        rows += some
        done += len(digits)
    return b"".join(rows)


def _json_lines(records: bytes) -> bytes:
    """Whole records as the ends of JSON objects whose last value, a text, was begun."""
    if records.isascii() and not any(each in records for each in _JSON_ESCAPES):
        return records.replace(b"\n", b'"}\n')
    # DEL is always escaped, and JSON leaves it as it is: the lines can be made one text with it.
    joined = records.replace(b"\n", b"\x7f").decode(errors="backslashreplace")
    return _encode(joined)[1:-1].replace(b"\x7f", b'"}\n')


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
