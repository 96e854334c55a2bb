from __future__ import annotations

import pytest

from proto.logfile.send.options import Errand, Place, parse


def test_a_file_goes_to_a_place_in_one_of_two_ways() -> None:
    assert parse(["a.log", "--to", "localhost:2514", "--relp"]) == Errand(
        "a.log", Place("localhost", 2514), "relp"
    )
    assert parse(["-", "--http", "--to", "[::1]:80", "--give-up", "2.5"]) == Errand(
        "-", Place("::1", 80), "http", give_up=2.5
    )


@pytest.mark.parametrize(("text", "shown"), [("[::1]:25", "[::1]:25"), ("host:1", "host:1")])
def test_a_place_is_shown_as_it_is_written(text: str, shown: str) -> None:
    assert str(parse(["-", "--to", text, "--relp"]).to) == shown


@pytest.mark.parametrize(
    ("options", "ca", "cert", "key"),
    [
        (["--tls"], None, None, None),
        (["--ca", "ca.pem"], "ca.pem", None, None),
        (["--cert", "c.pem", "--key", "k.pem"], None, "c.pem", "k.pem"),
    ],
)
def test_whoever_names_a_certificate_wants_tls(
    options: list[str], ca: str | None, cert: str | None, key: str | None
) -> None:
    errand = parse(["-", "--to", "h:1", "--relp", *options])
    assert (errand.tls, errand.ca, errand.cert, errand.key) == (True, ca, cert, key)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--to", "h:1", "--relp"], "required: FILE"),
        (["-", "--relp"], "required: --to"),
        (["-", "--to", "h:1"], "one of the arguments --relp --http is required"),
        (["-", "--to", "h:1", "--relp", "--http"], "not allowed with argument --relp"),
        (["-", "--to", "h", "--relp"], "'h' is not HOST:PORT, such as localhost:2514"),
        (["-", "--to", "h:0", "--relp"], "'h:0' is not HOST:PORT"),
        (["-", "--to", "h:65536", "--relp"], "'h:65536' is not HOST:PORT"),
        (["-", "--to", "::1:25", "--relp"], "'::1:25' is not HOST:PORT"),
        (["-", "--to", "http://h:1", "--relp"], "'http://h:1' is not HOST:PORT"),
        (["-", "--to", "h:1", "--relp", "--give-up", "-1"], "'-1' is not a number of seconds"),
        (["-", "--to", "h:1", "--relp", "--give-up", "soon"], "'soon' is not a number"),
        (["-", "--to", "h:1", "--relp", "--key", "k.pem"], "--key needs --cert"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(
    arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        parse(arguments)
    assert end.value.code == 2
    assert why in capsys.readouterr().err


def test_help_says_how_it_ends_and_that_a_line_may_come_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as end:
        parse(["--help"])
    told = capsys.readouterr().out
    assert end.value.code == 0
    assert "at least once" in told
    assert "exit code is 0 only when" in told
