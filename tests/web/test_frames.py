"""The chapters of the Autobahn test suite, as tables: what is said, what is heard, how it ends.

https://github.com/crossbario/autobahn-testsuite
"""

from __future__ import annotations

import zlib
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from proto.web.frames import (
    FEW_PIECES,
    MOST_CONTROLS,
    WORTH_COMPRESSING,
    Dialogue,
    text_frame,
)
from proto.web.handshake import negotiate
from tests.web.sockets import UPGRADE, masked

LIMIT = 65536
NORMAL = masked(8, b"\x03\xe8")
FRAGMENT = masked(1, b"frag", fin=False)
BAD_UTF8 = "κόσμε".encode() + b"\xed\xa0\x80edited"


def dialogue(deflate: bool = False, limit: int = LIMIT) -> tuple[Dialogue, list[str | bytes]]:
    """A server's side and its inbox."""
    fields = dict(UPGRADE)
    if deflate:
        fields["Sec-WebSocket-Extensions"] = "permessage-deflate; client_max_window_bits"
    inbox: list[str | bytes] = []
    agreement = negotiate("HTTP/1.1", fields.items())
    assert bool(agreement.extensions) is deflate
    return Dialogue(agreement.extensions, limit, inbox.append), inbox


def judge(*raw: bytes, deflate: bool = False, limit: int = LIMIT) -> tuple[Any, ...]:
    """What the application hears, what the peer hears, and the code if it is over."""
    side, inbox = dialogue(deflate, limit)
    side.receive_data(b"".join(raw))
    said = b"".join(side.data_to_send())
    return inbox, said, side.outcome()[0] if side.is_over else None


def deflated(payload: bytes, level: int = 9) -> bytes:
    squeeze = zlib.compressobj(level, wbits=-15)
    return (squeeze.compress(payload) + squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 65535, 65536])
@pytest.mark.parametrize("opcode", [1, 2])
def test_1_messages_of_every_length(opcode: int, size: int) -> None:
    payload = b"*" * size
    (heard,), said, code = judge(masked(opcode, payload))
    assert (heard, said, code) == (payload.decode() if opcode == 1 else payload, b"", None)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (masked(9, b""), b"\x8a\x00"),
        (masked(9, b"\x00\xff\xfe"), b"\x8a\x03\x00\xff\xfe"),
        (masked(9, b"x" * 125), b"\x8a\x7d" + b"x" * 125),
        (masked(10, b""), b""),
        (masked(10, b"nobody asked"), b""),
        (masked(9, b"1") + masked(9, b"2"), b"\x8a\x011\x8a\x012"),
    ],
)
def test_2_pings_are_answered_and_pongs_are_not(raw: bytes, said: bytes) -> None:
    assert judge(raw) == ([], said, None)


BROKEN = {
    "2.5 a ping of 126 bytes": masked(9, b"x" * 126),
    "3.1 RSV3": masked(1, b"x", rsv=1),
    "3.2 RSV2": masked(1, b"x", rsv=2),
    "3.3 RSV1 without deflate": masked(1, b"x", rsv=4),
    "3.5 RSV of a ping": masked(9, b"x", rsv=5),
    "3.6 RSV of a close": masked(8, b"\x03\xe8", rsv=1),
    **{f"4.1 opcode {code}": masked(code, b"") for code in (3, 4, 5, 6, 7)},
    **{f"4.2 opcode {code}": masked(code, b"") for code in (11, 12, 13, 14, 15)},
    "5.1 a ping in pieces": masked(9, b"x", fin=False),
    "5.2 a pong in pieces": masked(10, b"x", fin=False),
    "5.9 a piece of nothing, the last": masked(0, b"x"),
    "5.10 a piece of nothing": masked(0, b"x", fin=False),
    "5.18 a message in a message": FRAGMENT + masked(1, b"x"),
    "5.19 the first piece twice": FRAGMENT + masked(1, b"x", fin=False),
    "7.3.2 a close of one byte": masked(8, b"\x03"),
    "7.3.6 a close of 126 bytes": masked(8, b"\x03\xe8" + b"x" * 124),
    "a close in pieces": masked(8, b"\x03\xe8", fin=False),
    "a frame that is not masked": b"\x81\x01x",
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_frame_ends_the_connection_with_1002(raw: bytes) -> None:
    inbox, said, code = judge(masked(1, b"before"), raw, masked(9, b"after"))
    assert (inbox, code) == (["before"], 1002)
    assert (said[0], said[2:4]) == (0x88, b"\x03\xea")
    assert said[1] == len(said) - 2


@pytest.mark.parametrize(
    "raw",
    [
        masked(1, b"\xff\xff\xff", rsv=4),
        masked(1, deflated(b"x" * 99), rsv=4, fin=False) + masked(0, b"x", rsv=4),
        masked(1, b"x", rsv=6),
        masked(9, b"x", rsv=4),
    ],
    ids=["no deflate", "RSV1 of a later piece", "RSV2", "a compressed ping"],
)
def test_12_what_is_not_well_compressed_is_1002(raw: bytes) -> None:
    assert judge(raw, deflate=True)[2] == 1002


@pytest.mark.parametrize(
    ("raw", "heard", "pongs"),
    [
        (FRAGMENT + masked(0, b"ment"), ["fragment"], b""),
        (FRAGMENT + masked(9, b"?") + masked(0, b"ment"), ["fragment"], b"\x8a\x01?"),
        (FRAGMENT + masked(0, b"", fin=False) * 9 + masked(0, b""), ["frag"], b""),
        (masked(2, b"", fin=False) + masked(0, b""), [b""], b""),
        (FRAGMENT + masked(0, b"") + masked(2, b"x"), ["frag", b"x"], b""),
    ],
)
def test_5_pieces_become_one_message(raw: bytes, heard: list[Any], pongs: bytes) -> None:
    assert judge(raw) == (heard, pongs, None)


@pytest.mark.parametrize(
    "raw",
    [
        masked(1, BAD_UTF8),
        masked(1, b"\xff"),
        masked(1, b"\xc0\xaf"),
        masked(1, b"\xf4\x90\x80\x80"),
        masked(1, b"\xce"),
        masked(1, b"ok", fin=False) + masked(0, b"\xff", fin=False),
        masked(1, b"\xce", fin=False) + masked(0, b""),
        masked(8, b"\x03\xe8\xff"),
    ],
)
def test_6_what_is_not_utf_8_is_1007_at_once(raw: bytes) -> None:
    inbox, said, code = judge(raw, NORMAL)
    assert (inbox, said[2:4], code) == ([], b"\x03\xef", 1007)


def test_6_characters_may_be_cut_anywhere() -> None:
    text = "Hello-µ@ßöäüàá-UTF-8!! 𝄞 \U0010ffff \0 \ufffe"
    raw = text.encode()
    pieces = [masked(0, raw[at : at + 1], fin=False) for at in range(1, len(raw))]
    assert judge(masked(1, raw[:1], fin=False), *pieces, masked(0, b"")) == ([text], b"", None)


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 4999])
def test_7_a_good_code_is_echoed(code: int) -> None:
    body = code.to_bytes(2, "big") + b"why"
    inbox, said, ended = judge(masked(8, body), masked(1, b"after"), masked(9, b"after"))
    assert (inbox, said, ended) == ([], b"\x88\x05" + body, code)


def test_7_a_close_within_a_message_is_answered_and_the_rest_ignored() -> None:
    inbox, said, code = judge(FRAGMENT, NORMAL, masked(0, b"ment"))
    assert (inbox, said, code) == ([], b"\x88\x02\x03\xe8", 1000)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535])
def test_7_a_bad_code_is_1002(code: int) -> None:
    assert judge(masked(8, code.to_bytes(2, "big")))[2] == 1002


def test_9_a_message_of_the_limit_passes_and_one_byte_more_does_not() -> None:
    assert judge(masked(2, bytes(LIMIT)))[0] == [bytes(LIMIT)]
    for size in (LIMIT + 1, LIMIT + 126, LIMIT * 9):
        inbox, said, code = judge(masked(2, bytes(size)))
        assert (inbox, said[2:4], code) == ([], b"\x03\xf1", 1009)


def test_9_a_long_message_is_refused_before_it_comes() -> None:
    assert judge(masked(2, b"", length=1 << 40))[2] == 1009


def test_9_pieces_count_together() -> None:
    piece = masked(0, bytes(100), fin=False)
    assert judge(masked(2, b"", fin=False), piece * 10, masked(0, b""), limit=1000)[0] != []
    assert judge(masked(2, b"", fin=False), piece * 10, masked(0, b"x"), limit=1000)[2] == 1009


def test_control_frames_between_pieces_do_not_count() -> None:
    whole = masked(2, bytes(1000), fin=False) + masked(9, b"x" * 125) + masked(0, b"")
    assert judge(whole, limit=1000) == ([bytes(1000)], b"\x8a\x7d" + b"x" * 125, None)


@pytest.mark.parametrize("piece", [b"", b"x"])
def test_9_a_message_may_have_so_many_pieces_and_no_more(piece: bytes) -> None:
    begun = masked(2, b"", fin=False)
    most = begun + masked(0, piece, fin=False) * (FEW_PIECES - 2) + masked(0, b"")
    for _ in range(2):
        assert judge(most, most, limit=2000) == ([piece * (FEW_PIECES - 2)] * 2, b"", None)
    inbox, said, code = judge(begun, masked(0, piece, fin=False) * FEW_PIECES, limit=2000)
    assert (inbox, said[2:4], code) == ([], b"\x03\xf0", 1008)


def test_9_a_long_message_may_have_more_pieces() -> None:
    piece = masked(0, bytes(64), fin=False)
    limit = 64 * 2000
    first, last = masked(2, bytes(64), fin=False), masked(0, bytes(64))
    assert judge(first + piece * 1998 + last, limit=limit) == ([bytes(limit)], b"", None)
    empty = masked(0, b"", fin=False)
    assert judge(first + empty * 1999 + empty, limit=limit)[2] == 1008


@pytest.mark.parametrize("opcode", [9, 10])
def test_2_a_flood_of_pings_ends_with_1008(opcode: int) -> None:
    side, _ = dialogue()
    seen = []
    for count in (MOST_CONTROLS, MOST_CONTROLS, 1):
        side.receive_data(masked(opcode, b"") * count)
        seen.append(side.is_over)
        if len(seen) == 1:
            side.rest()
    assert seen == [False, False, True]
    assert side.outcome() == (1008, "too many pings")


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1, LIMIT + 125, LIMIT + 126, 50_000_000])
def test_12_the_limit_counts_after_inflation(size: int) -> None:
    inbox, _, code = judge(masked(2, deflated(bytes(size)), rsv=4), deflate=True)
    assert (len(inbox), code) == ((1, None) if size == LIMIT else (0, 1009))


def test_12_a_bomb_in_pieces_is_bounded_too() -> None:
    bomb = deflated(bytes(50_000_000))
    pieces = [bomb[at : at + 64] for at in range(0, len(bomb), 64)]
    raw = masked(2, pieces[0], rsv=4, fin=False) + b"".join(
        masked(0, piece, fin=False) for piece in pieces[1:]
    )
    assert judge(raw, deflate=True)[2] == 1009


@pytest.mark.parametrize("size", [0, 1, 16, 2043, 2044, 5000, LIMIT])
def test_12_compressed_messages_of_every_length(size: int) -> None:
    text = ("abcdefgh" * LIMIT)[:size]
    raw = masked(1, deflated(text.encode()), rsv=4)
    assert judge(raw, raw, deflate=True) == ([text, text], b"", None)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=700), st.booleans())
def test_what_is_sent_is_what_a_client_reads(text: str, deflate: bool) -> None:
    payload = text.encode("utf-8", "replace")
    side, _ = dialogue(deflate)
    client = ClientProtocol(parse_uri("ws://localhost/"), state=OPEN)
    client.extensions = [PerMessageDeflate(True, True, 12, 12)] if deflate else []
    frames = side.text(payload), side.binary(payload), text_frame(payload)
    client.receive_data(b"".join(frames))
    assert [bytes(frame.data) for frame in client.events_received()] == [payload] * 3  # type: ignore[union-attr]
    assert max(map(len, frames)) <= len(frames[2])


def test_the_head_of_a_frame_has_the_shortest_length() -> None:
    heads = {0: "8100", 125: "817d", 126: "817e007e", 65535: "817effff"}
    heads[65536] = "817f0000000000010000"
    for size, head in heads.items():
        assert text_frame(b"x" * size) == bytes.fromhex(head) + b"x" * size


def test_only_what_is_worth_it_is_compressed() -> None:
    side, _ = dialogue(deflate=True)
    short, long = b"a" * (WORTH_COMPRESSING - 1), b"a" * WORTH_COMPRESSING
    assert side.text(short) == text_frame(short)
    assert side.text(long)[0] == 0xC1
    noise = bytes(range(256))
    assert side.binary(noise) == b"\x82\x7e\x01\x00" + noise


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=10), st.booleans())
def test_random_bytes_end_in_an_answer_and_never_raise(parts: list[bytes], deflate: bool) -> None:
    side, inbox = dialogue(deflate)
    for part in parts:
        side.receive_data(part)
    side.data_to_send()
    assert side.is_over == (side.has_failed or side.close_rcvd is not None)
    assert all(isinstance(each, str | bytes) for each in inbox)


@pytest.mark.parametrize("mask", [bytes(4), b"\x11\x22\x33\x44"])
@pytest.mark.parametrize("before", [b"", masked(1, "ä".encode()[:1], fin=False)])
def test_6_a_mistake_within_a_frame_is_found_where_it_is(mask: bytes, before: bytes) -> None:
    text = ("ä" * 80 + "𝄞").encode()[1 if before else 0 :]
    opcode = 0 if before else 1
    whole = text + b"\xff" + b"never comes"
    coded = bytes(byte ^ mask[at % 4] for at, byte in enumerate(whole))
    raw = bytes([0x80 | opcode, 0xFE]) + len(whole).to_bytes(2, "big") + mask + coded
    side, inbox = dialogue()
    side.receive_data(before)
    head = 8 + len(text)
    for at in range(head):
        side.receive_data(raw[at : at + 1])
        assert not side.is_over
    side.receive_data(raw[head : head + 1])
    assert (side.outcome()[0], inbox) == (1007, [])
    side.receive_data(raw[head + 1 :])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40), st.lists(st.integers(0, 60)), st.booleans(), st.booleans())
def test_6_text_is_judged_alike_however_it_is_cut(
    payload: bytes, cuts: list[int], in_pieces: bool, deflate: bool
) -> None:
    half = len(payload) // 2
    raw = masked(1, payload)
    if in_pieces:
        raw = masked(1, payload[:half], fin=False) + masked(0, payload[half:])
    side, inbox = dialogue(deflate)
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    for start, end in pairwise(edges):
        side.receive_data(raw[start:end])
    try:
        expected: list[str | bytes] = [payload.decode()]
    except UnicodeDecodeError:
        expected = []
    assert inbox == expected
    assert side.is_over == (not expected)
