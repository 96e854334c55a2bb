from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proto.logfile.formats import FORMATS
from proto.logfile.framing import Line, Piece, Run
from proto.logfile.origin import Origin
from proto.logfile.record import restore

WHEN = 1795280400.123456
TIME = "2026-11-21T17:00:00.123456Z"
ORIGIN = Origin("192.0.2.1:4711")
CLIENT = Origin("192.0.2.1:4711", "Anna & 100%d Söhne")

BYTES = st.lists(
    st.sampled_from([b"\\", b"x", b"4", b"1b", b"%d", b"%", b'"', b"\t", b"\x1b", b"\x7f", b"\r"])
    | st.sampled_from([b"\\x20[unfinished]", b'","seq":1', b"\xe2\x82\xac", b"\xe2\x82", b"\xff"])
    | st.sampled_from([b"<13>", b"<34>1 ", b"- ", b"[a b=", b"] ", b"\xc2\x85", b"\x1c", b"\x0c"])
).map(b"".join) | st.binary().map(lambda text: text.replace(b"\n", b""))
RUNS = st.lists(BYTES, min_size=1).map(
    lambda lines: Run(b"".join(line + b"\n" for line in lines), len(lines))
)
LINES = st.builds(Line, BYTES | st.binary(), st.integers(0, 10**9), st.booleans())
PIECES = st.lists(RUNS | LINES, min_size=1, max_size=4)
NAMES = st.text(max_size=5) | st.sampled_from(
    ["-", "--", "a b", "%b", '"', "\x7f", "\\x20", "\udcff"]
)
ORIGINS = st.builds(Origin, NAMES, NAMES)


def lines_of(pieces: list[Piece]) -> list[Line]:
    lines = []
    for piece in pieces:
        if isinstance(piece, Run):
            lines += [Line(text) for text in piece.text.split(b"\n")[:-1]]
        else:
            lines.append(piece)
    return lines


def records_of(kind: str, pieces: list[Piece], origin: Origin = ORIGIN) -> list[bytes]:
    *records, rest = FORMATS[kind](pieces, origin, WHEN, 41).split(b"\n")
    assert rest == b""
    return records


def objects_of(kind: str, pieces: list[Piece], origin: Origin = ORIGIN) -> list[dict[str, Any]]:
    """The records as JSON; nothing in them may move a cursor."""
    records = records_of(kind, pieces, origin)
    assert not any(re.search(rb"[\x00-\x1f\x7f]", record) for record in records)
    return [json.loads(record.decode()) for record in records]


def line_in(item: dict[str, Any]) -> Line:
    """What the peer sent, from an object of the format `json`."""
    text = restore(item["line"].encode())
    assert text == Line(text.head)
    return Line(text.head, item.get("cut", 0), not item.get("unfinished", False))


def test_raw_is_the_lines_and_a_plain_run_is_the_same_object() -> None:
    text = b"one\ntwo\n"
    assert FORMATS["raw"]([Run(text, 2)], ORIGIN, WHEN, 1) is text
    assert records_of("raw", [Run(text, 2), Line(b"a\nb", 3)]) == [
        b"one",
        b"two",
        rb"a\x0ab\x20[cut: 3 bytes left out]",
    ]


def test_prefixed_says_when_who_and_which_before_each_line() -> None:
    pieces: list[Piece] = [Run(b"one\n\n", 2), Line(b"th\nree", 5, ended=False), Run(b"four\n", 1)]
    begin = f"{TIME} 192.0.2.1:4711".encode()
    assert records_of("prefixed", pieces) == [
        begin + b" 41 - one",
        begin + b" 42 - ",
        begin + rb" 43 - th\x0aree\x20[cut: 5 bytes left out]\x20[unfinished]",
        begin + b" 44 - four",
    ]


@pytest.mark.parametrize("kind", ["prefixed", "json", "syslog"])
@pytest.mark.parametrize("first", [1, 99, 998, 1000, 123_455_990, 10**18 - 1])
def test_lines_are_numbered_without_a_gap(kind: str, first: int) -> None:
    count = 2200
    form = FORMATS[kind]
    pieces: list[Piece] = [Run(b"x\n" * count, count), Line(b"y"), Run(b"z\n", 1)]
    records = form(pieces, ORIGIN, WHEN, first).splitlines()
    numbers = [re.search(rb'(?:4711 |"seq":)([0-9]+)', record) for record in records]
    assert [found and found[1] for found in numbers] == [
        b"%d" % number for number in range(first, first + count + 2)
    ]


@pytest.mark.parametrize(
    ("subject", "column"),
    [
        ("", "-"),
        ("-", "\\x2d"),
        ("--", "--"),
        ("a b", "a\\x20b"),
        ("a\\x20b", "a\\x5cx20b"),
        ("a\n\x1b\tb", "a\\x0a\\x1b\\x09b"),
        ("100%d", "100%d"),
        ("Söhne", "Söhne"),
        ("\u2028\u202e\xa0", "\\xe2\\x80\\xa8\\xe2\\x80\\xae\\xc2\\xa0"),
    ],
)
def test_a_subject_is_one_column_whatever_it_holds(subject: str, column: str) -> None:
    [record] = records_of("prefixed", [Line(b"text")], Origin("peer", subject))
    assert record.decode() == f"{TIME} peer 41 {column} text"


def test_json_is_an_object_a_line() -> None:
    pieces: list[Piece] = [
        Run('C:\\temp "quoted"\t€ \x1b[0m\n\\x1b\n'.encode() + b"\xff\n", 3),
        Line(b"a\nb", left_out=7),
        Line(b"", ended=False),
    ]
    common = {"time": TIME, "peer": "192.0.2.1:4711"}
    objects = objects_of("json", pieces)
    assert objects == [
        {**common, "seq": 41, "line": 'C:\\temp "quoted"\t€ \\x1b[0m'},
        {**common, "seq": 42, "line": "\\x5cx1b"},
        {**common, "seq": 43, "line": "\\xff"},
        {**common, "seq": 44, "line": "a\\x0ab", "cut": 7},
        {**common, "seq": 45, "line": "", "unfinished": True},
    ]
    assert list(objects[3]) == ["time", "peer", "seq", "line", "cut"]
    [named] = objects_of("json", [Line(b"x")], CLIENT)
    assert named == {**common, "seq": 41, "subject": CLIENT.subject, "line": "x"}


def test_syslog_is_an_object_with_the_fields_of_each_message() -> None:
    pieces: list[Piece] = [
        Run(b"<34>1 - host su - ID47 - text\nno syslog\n", 2),
        Line(b"<13>Feb  5 17:32:18 10.0.0.99 app[7]: two\nlines", left_out=3, ended=False),
    ]
    received = {"received": TIME, "peer": "192.0.2.1:4711"}
    assert objects_of("syslog", pieces) == [
        {
            **received, "seq": 41, "format": "rfc5424", "facility": "auth", "severity": "crit",
            "version": 1, "hostname": "host", "appname": "su", "msgid": "ID47", "msg": "text",
        },
        {**received, "seq": 42, "format": "unparsed", "line": "no syslog"},
        {
            **received, "seq": 43, "format": "rfc3164", "facility": "user", "severity": "notice",
            "timestamp": "Feb  5 17:32:18", "hostname": "10.0.0.99", "tag": "app", "pid": "7",
            "msg": "two\\x0alines", "cut": 3, "unfinished": True,
        },
    ]  # fmt: skip
    [named] = objects_of("syslog", [Line(b"x")], CLIENT)
    assert named["subject"] == CLIENT.subject


@given(PIECES)
@example([Run(b"\xe2\x82\n\xac\n", 2)])
def test_raw_gives_back_every_line(pieces: list[Piece]) -> None:
    assert [restore(record) for record in records_of("raw", pieces)] == lines_of(pieces)


@given(PIECES, ORIGINS)
@example([Run(b"%d\n", 1)], Origin("%d", "%b"))
def test_prefixed_gives_back_every_line_and_its_origin(pieces: list[Piece], origin: Origin) -> None:
    lines = []
    for number, record in enumerate(records_of("prefixed", pieces, origin), 41):
        when, peer, sequence, subject, line = record.split(b" ", 4)
        assert (when.decode(), int(sequence)) == (TIME, number)
        assert [name_in(peer), name_in(subject)] == [origin.peer, origin.subject]
        assert not re.search(r"\s", (peer + subject).decode())
        lines.append(restore(line))
    assert lines == lines_of(pieces)


def name_in(column: bytes) -> str:
    return "" if column == b"-" else restore_name(column)


def restore_name(column: bytes) -> str:
    escaped = re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), column)
    return escaped.decode(errors="surrogatepass")


@given(PIECES, ORIGINS)
@example([Run(b"%d\xe2\x82\n\xac\n", 2)], Origin("%d", "%b"))
@example([Run(b"\\\xff\\\t\n", 1)], ORIGIN)
def test_json_gives_back_every_line_and_its_origin(pieces: list[Piece], origin: Origin) -> None:
    objects = objects_of("json", pieces, origin)
    assert [line_in(item) for item in objects] == lines_of(pieces)
    for number, item in enumerate(objects, 41):
        assert (item["time"], item["seq"]) == (TIME, number)
        assert (item["peer"], item.get("subject", "")) == (origin.peer, origin.subject)


@given(st.lists(BYTES, min_size=1), st.sampled_from(sorted(FORMATS)), ORIGINS)
def test_a_run_is_written_as_its_lines_are(lines: list[bytes], kind: str, origin: Origin) -> None:
    run = Run(b"".join(line + b"\n" for line in lines), len(lines))
    assert records_of(kind, [run], origin) == records_of(kind, list(map(Line, lines)), origin)


@given(PIECES, ORIGINS)
def test_syslog_loses_no_line_and_is_always_json(pieces: list[Piece], origin: Origin) -> None:
    objects = objects_of("syslog", pieces, origin)
    assert [item["seq"] for item in objects] == list(range(41, 41 + len(lines_of(pieces))))
    for item, line in zip(objects, lines_of(pieces), strict=True):
        assert item.get("cut", 0) == line.left_out
        assert item.get("unfinished", False) is not line.ended
        if item["format"] == "unparsed":
            assert line_in(item) == line
