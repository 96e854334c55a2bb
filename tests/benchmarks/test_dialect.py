from __future__ import annotations

import pytest

from benchmarks.load.dialect import IRC, OURS, PLAIN, Dialect


def test_every_newcomer_of_irc_bears_another_name() -> None:
    assert IRC.greeting(7) == b"NICK n7\r\nUSER bench 0 * :bench\r\nJOIN &chat\r\n"
    assert IRC.greeting(8) == IRC.greeting(7).replace(b"n7", b"n8")


def test_where_nobody_gives_a_name_the_number_is_not_said() -> None:
    assert PLAIN.greeting(7) == b""
    assert OURS.greeting(7) == b"\r\n"


def test_a_line_goes_to_the_channel_where_there_are_channels() -> None:
    assert PLAIN.line(b"hello") == b"hello\r\n"
    assert IRC.line(b"hello") == b"PRIVMSG &chat :hello\r\n"


@pytest.mark.parametrize("dialect", [PLAIN, OURS, IRC])
def test_nothing_but_a_line_that_counts_has_the_mark_of_one(dialect: Dialect) -> None:
    assert b"#" not in dialect.greeting(1) + dialect.line(b"")


def test_a_speaker_who_hears_himself_is_his_own_witness() -> None:
    assert PLAIN.witnesses([5, 6, 7, 8], 2) == {5: 5, 6: 6}
    assert PLAIN.hearers(4) == 4


@pytest.mark.parametrize("speakers", [1, 2, 4])
def test_who_does_not_hear_himself_has_a_witness_of_his_own(speakers: int) -> None:
    everybody = [5, 6, 7, 8]
    witnesses = IRC.witnesses(everybody, speakers)
    assert sorted(witnesses.values()) == everybody[:speakers]
    assert all(witness != speaker for witness, speaker in witnesses.items())
    assert IRC.hearers(4) == 3
