"""Whatever bytes come, in whatever packets."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chat.party import Party

_TYPED = st.lists(
    st.sampled_from(
        [
            b"/NAME bob\n",
            b"/name a\xcc\x81\r\n",
            b"/JOIN den\r",
            b"\0/LEAVE\n",
            b"/WHO\n",
            b"/MSG witness psst\n",
            b"/me waves\n",
            b"hello\n",
            b"//x",
            b"\x08\x15",
            b"\xe2\x80\x8d",
            b"\x1b[3",
            b"\n",
            b"\r",
            b"/help me\n",
            b"x" * 50,
        ]
    ),
    max_size=30,
).map(b"".join)
_CUTS = st.lists(st.integers(0, 400), max_size=8)


def _chunks(sent: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    return [sent[a:b] for a, b in pairwise(edges)]


def _heard(chunks: list[bytes]) -> tuple[bytes, bytes]:
    """What the sender of these chunks and somebody else read."""
    party = Party(flood_rate=0, line_limit=64)
    witness = party.join("witness")
    client = party.connect("192.0.2.2")
    for chunk in chunks:
        client.send(chunk)
    client.half_close()
    client.close()
    witness.send(b"still here\n")
    heard = witness.read()
    witness.close()
    assert (party.house.people, party.clock.getDelayedCalls()) == (0, [])
    assert heard.endswith(b"witness says still here\r\n")
    return client.read(), heard


@settings(deadline=None)
@given(
    st.one_of(_TYPED, st.binary(max_size=200).map(lambda sent: sent.replace(b"\xff", b""))), _CUTS
)
def test_the_answers_do_not_depend_on_where_the_packets_break(sent: bytes, cuts: list[int]) -> None:
    assert _heard(_chunks(sent, cuts)) == _heard([sent])


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=300), _TYPED), _CUTS)
def test_whatever_is_sent_others_read_the_same_clean_lines(sent: bytes, cuts: list[int]) -> None:
    _, heard = _heard(_chunks(sent, cuts))
    assert heard == _heard([sent])[1]
    shown = heard.decode("utf-8").replace("\r\n", "")
    assert not [char for char in shown if unicodedata.category(char) == "Cc"]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.binary(min_size=1, max_size=2000), max_size=30))
def test_no_input_grows_what_is_kept_of_it(chunks: list[bytes]) -> None:
    party = Party(line_limit=64)
    client = party.connect()
    for chunk in chunks:
        client.send(chunk * 20)
        assert len(client.chat._lines._line) <= 64
        if client.held:
            break
    assert sum(len(line or b"") for line in client.chat._turns._waiting) <= (200 * 64) + 40_000
