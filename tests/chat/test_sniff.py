from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.chat.sniff import ANSWERS, LONGEST_REQUEST_LINE, Caller, sniff

HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
REQUEST = b"GET /index.html HTTP/1.1\r\nHost: example.org\r\n\r\n"


@pytest.mark.parametrize(
    ("opening", "caller"),
    [
        (b"", Caller.UNDECIDED),
        (b"\x16", Caller.UNDECIDED),
        (HELLO, Caller.TLS),
        (b"\x16\x04", Caller.PERSON),
        (b"G", Caller.UNDECIDED),
        (b"GET / HTTP/1.1", Caller.UNDECIDED),
        (REQUEST, Caller.HTTP),
        (b"POST /x HTTP/1.0\n", Caller.HTTP),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Caller.HTTP),
        (b"GET me a beer\r\n", Caller.PERSON),
        (b"GETTING late\r\n", Caller.PERSON),
        (b"get / HTTP/1.1\r\n", Caller.PERSON),
        (b"GET " + b"x" * LONGEST_REQUEST_LINE, Caller.PERSON),
        (b"/NAME bob\r\n", Caller.PERSON),
        (b"\xff\xfb\x18", Caller.PERSON),
    ],
)
def test_the_first_bytes_tell_who_is_there(opening: bytes, caller: Caller) -> None:
    assert sniff(opening) is caller


@given(st.one_of(st.binary(max_size=60), st.sampled_from([REQUEST, HELLO, b"GET a b\nc"])))
def test_a_decision_is_never_revised(opening: bytes) -> None:
    decisions = [sniff(opening[:end]) for end in range(len(opening) + 1)]
    made = [caller for caller in decisions if caller is not Caller.UNDECIDED]
    assert len(set(made)) <= 1
    assert decisions[len(decisions) - len(made) :] == made


def test_the_answers_are_complete_in_their_own_protocols() -> None:
    assert ANSWERS[Caller.TLS] == b"\x15\x03\x01\x00\x02\x02\x46"
    head, _, body = ANSWERS[Caller.HTTP].partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\nContent-Length: %d\r\n" % len(body) in head
    assert head.endswith(b"\r\nConnection: close")
