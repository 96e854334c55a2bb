from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proto.logfile.framing import CONTROLS, Line, Run
from proto.logfile.record import escape, escape_message, readable, render, restore

TRICKY = st.lists(
    st.sampled_from([b"\n", b"\\", b"x", b"4", b"1b", b"5c", b"20", b"\x1b", b"\x7f", b"\r", b" ["])
    | st.sampled_from([b"\\x20[unfinished]", b"\\x20[cut: 7 bytes left out]", b"\\x1B"])
).map(b"".join)
MESSAGES = TRICKY | st.binary()
HEADS = MESSAGES.map(lambda head: head.replace(b"\n", b""))
LINES = st.builds(Line, MESSAGES, st.integers(0, 10**9), st.booleans())


def test_control_characters_beyond_ascii_are_escaped_too_and_come_back() -> None:
    text = "a\x9b31m b\x85c \xa0 caf\xe9 \u2028".encode()
    record = render(Run.of(text + b"\n"))
    assert record == b"a\\xc2\\x9b31m b\\xc2\\x85c \xc2\xa0 caf\xc3\xa9 \xe2\x80\xa8\n"
    assert record == render(Line(text))
    assert restore(record[:-1]).head == text


def test_ordinary_text_comes_back_as_the_same_object() -> None:
    text = b"a\tb\n\xe2\x82\xac caf\xc3\xa9 \xff\xfe\n"
    assert escape(text) is text


def test_every_control_byte_but_tab_and_lf_is_escaped() -> None:
    text = bytes(range(0x20)) + b"\x7f"
    assert escape(text) == (
        rb"\x00\x01\x02\x03\x04\x05\x06\x07\x08" + b"\t\n" + rb"\x0b\x0c\x0d\x0e\x0f\x10\x11\x12"
        rb"\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f"
    )


@pytest.mark.parametrize(
    "text", [rb"C:\temp\new", rb"C:\xampp\htdocs", rb'{"a": "\u001b\n\\"}', b"\\", rb"\\", rb"\x4"]
)
def test_a_backslash_that_begins_no_escape_stays(text: bytes) -> None:
    assert escape(text) is text


def test_what_only_looks_escaped_is_told_from_what_is() -> None:
    assert escape(rb"\x1b \x1B \\x41") == rb"\x5cx1b \x5cx1B \\x5cx41"
    assert escape(b"\x1b") == rb"\x1b"


def test_a_run_is_rendered_as_it_is() -> None:
    assert render(Run(b"a\nb\x00\n", 2)) == b"a\nb\\x00\n"


@pytest.mark.parametrize(
    ("line", "record"),
    [
        (Line(b"whole"), b"whole\n"),
        (Line(b"lo", left_out=12), b"lo\\x20[cut: 12 bytes left out]\n"),
        (Line(b"two\nlines\n"), b"two\\x0alines\\x0a\n"),
        (Line(b"half", ended=False), b"half\\x20[unfinished]\n"),
        (Line(b"lo", 3, ended=False), b"lo\\x20[cut: 3 bytes left out]\\x20[unfinished]\n"),
    ],
)
def test_what_is_amiss_with_a_line_is_marked(line: Line, record: bytes) -> None:
    assert render(line) == record
    assert restore(record[:-1]) == line


@given(LINES)
@example(Line(rb"forged\x20[unfinished]"))
@example(Line(b"\\", ended=False))
def test_restore_gives_back_every_line_and_its_marks(line: Line) -> None:
    record = render(line)
    assert record.endswith(b"\n")
    assert restore(record[:-1]) == line


@given(MESSAGES)
@example(b"\\\nx41")
def test_no_peer_can_forge_a_line_a_mark_or_a_control_byte(head: bytes) -> None:
    record = escape_message(head)
    assert b"\n" not in record
    assert not set(record) & set(CONTROLS)
    assert rb"\x20" not in record


@given(MESSAGES)
@example("caf\xe9".encode())
@example(b"\\\xff\\xff\xe2\x82")
@example(b"\xed\xa0\x80")
def test_readable_text_is_utf_8_and_gives_back_every_byte(head: bytes) -> None:
    text = readable(head)
    assert restore(text.encode()) == Line(head)
    assert text.isascii() or not head.isascii()


def test_text_that_is_utf_8_is_readable_as_it_is() -> None:
    assert readable("Grüße: 10 €\t☺".encode()) == "Grüße: 10 €\t☺"
    assert readable(b"\xff\xc3") == "\\xff\\xc3"


@given(st.lists(HEADS))
def test_a_whole_chunk_is_escaped_as_its_lines_are(heads: list[bytes]) -> None:
    chunk = b"".join(head + b"\n" for head in heads)
    assert escape(chunk) == b"".join(render(Line(head)) for head in heads)
