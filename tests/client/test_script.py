from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.client.script import End, Script, Step, parse, unescape


def steps(*arguments: str) -> tuple[Step, ...]:
    return parse(["localhost:8007", *arguments]).steps


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("", b""),
        ("plain", b"plain"),
        (r"one\r\ntwo\ttab", b"one\r\ntwo\ttab"),
        (r"\x00\xfF\x41", b"\x00\xff\x41"),
        (r"a \\n is no line end", rb"a \n is no line end"),
        ("naïve", "naïve".encode()),
        ("\udcff", b"\xff"),  # a byte of the command line that is no UTF-8
    ],
)
def test_escapes_are_replaced_and_all_else_is_sent_as_it_is(text: str, raw: bytes) -> None:
    assert unescape(text) == raw


@given(st.binary())
def test_any_bytes_can_be_written_with_escapes(raw: bytes) -> None:
    assert unescape("".join(f"\\x{byte:02x}" for byte in raw)) == raw


@given(st.text(alphabet=st.characters(exclude_characters="\\", exclude_categories=["Cs"])))
def test_text_without_a_backslash_is_sent_as_it_is(text: str) -> None:
    assert unescape(text) == text.encode()


@pytest.mark.parametrize("text", ["\\", "\\q", "\\x", "\\x1", "\\xzz", "a\\ b"])
def test_an_unknown_escape_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="may follow a backslash"):
        unescape(text)


def test_the_tutorial_is_four_steps() -> None:
    told = ["--send", "Hello", "--send", "1 2 3 4", "--after", "1", "--send", "world"]
    assert parse(["tcp:localhost:8007", *told, "--after", "1", "--hang-up"]) == Script(
        endpoint="tcp:localhost:8007",
        steps=(
            Step(0.0, b"Hello"),
            Step(0.0, b"1 2 3 4"),
            Step(1.0, b"world"),
            Step(1.0, End.HANG_UP),
        ),
        wait=5.0,
    )


def test_after_counts_for_one_action_only() -> None:
    assert steps("--after", "2", "--send", "a", "--send", "b") == (
        Step(2.0, b"a"),
        Step(0.0, b"b"),
        Step(0.0, End.FINISH_SENDING),
    )


def test_waits_in_a_row_add_up() -> None:
    assert steps("--after", "1", "--after", ".5", "--send", "a")[0] == Step(1.5, b"a")


def test_a_wait_at_the_end_is_for_the_end() -> None:
    assert steps("--send", "a", "--after", "3") == (Step(0.0, b"a"), Step(3.0, End.FINISH_SENDING))


def test_a_line_ends_with_crlf_and_keeps_its_place() -> None:
    assert steps("--line", r"a\tb", "--send", "c", "--line", "") == (
        Step(0.0, b"a\tb\r\n"),
        Step(0.0, b"c"),
        Step(0.0, b"\r\n"),
        Step(0.0, End.FINISH_SENDING),
    )


def test_with_nothing_to_send_it_listens() -> None:
    assert parse(["localhost:13", "--wait", "0.5"]) == Script(
        "localhost:13", (Step(0.0, End.LISTEN),), 0.5
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "required: ENDPOINT"),
        (["h:1", "--after", "soon"], "argument --after: 'soon' is not a number of seconds"),
        (["h:1", "--after", "-1"], "argument --after: '-1' is not a number of seconds"),
        (["h:1", "--wait", "nan"], "argument --wait: 'nan' is not a number of seconds"),
        (["h:1", "--wait", "inf"], "argument --wait: 'inf' is not a number of seconds"),
        (["h:1", "--send", "\\q"], "may follow a backslash"),
        (["h:1", "--hang-up", "--send", "x"], "--send comes after --hang-up"),
        (["h:1", "--hang-up", "--hang-up"], "--hang-up comes after --hang-up"),
        (["h:1", "--sen", "x"], "unrecognized arguments: --sen x"),
    ],
)
def test_a_wrong_option_is_named_and_the_exit_code_is_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit:
        parse(arguments)
    assert exit.value.code == 2
    assert told in capsys.readouterr().err


def test_help_shows_examples_that_are_right(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        parse(["--help"])
    assert exit.value.code == 0
    assert r"--send 'one\r\ntwo\r\n'" in capsys.readouterr().out
