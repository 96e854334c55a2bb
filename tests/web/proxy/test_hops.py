from __future__ import annotations

from proto.web.proxy.hops import end_to_end, tokens


def test_a_list_of_tokens_may_stand_in_several_fields() -> None:
    fields = [(b"Connection", b"Close, X-a"), (b"A", b"b"), (b"CONNECTION", b" te ")]
    assert tokens(fields, b"connection") == {b"close", b"x-a", b"te"}
    assert tokens(fields, b"none") == frozenset()


def test_what_is_of_this_hop_goes_no_further() -> None:
    hop = [
        *[(b"Connection", b"close, X-Mine"), (b"X-Mine", b"1"), (b"Keep-Alive", b"x")],
        *[(b"TE", b"trailers"), (b"Trailer", b"x"), (b"Transfer-Encoding", b"chunked")],
        *[(b"Upgrade", b"x"), (b"Proxy-Authorization", b"x"), (b"Proxy-Authenticate", b"x")],
        (b"Proxy-Connection", b"x"),
    ]
    kept = [(b"Accept", b"*/*"), (b"Content-Length", b"3"), (b"Cookie", b"a=b")]
    assert end_to_end([*hop, *kept]) == kept


def test_nobody_can_take_out_what_frames_a_message() -> None:
    fields = [(b"Connection", b"content-length, host"), (b"Content-Length", b"3"), (b"Host", b"x")]
    assert end_to_end(fields) == fields[1:]


def test_nor_what_says_that_an_answer_is_private() -> None:
    fields = [(b"Connection", b"Cache-Control"), (b"Cache-Control", b"private")]
    assert end_to_end(fields) == fields[1:]
