from __future__ import annotations

from proto.web.fields import Fields


def test_what_is_preset_is_changed_for_one_answer_only() -> None:
    always = {b"Server": [b"proto"], b"X-A": [b"1"]}
    fields = Fields()
    fields.preset(always)
    fields.addRawHeader("server", "mine")
    fields.removeHeader("x-a")
    assert fields.lines() == b"Server: proto\r\nServer: mine\r\n"
    assert always == {b"Server": [b"proto"], b"X-A": [b"1"]}


def test_a_field_that_is_put_has_one_value() -> None:
    fields = Fields()
    fields.setRawHeaders("etag", ["1", "2"])
    fields.put(b"ETag", b"3")
    assert fields.getRawHeaders("ETAG") == ["3"]
    assert fields.values(b"ETag") == [b"3"]
    assert fields.has(b"ETag")


def test_a_field_that_is_not_there_has_no_values() -> None:
    assert Fields().values(b"ETag") == ()
    assert not Fields().has(b"ETag")
    assert Fields().lines() == b""


def test_lines_are_in_the_order_of_their_coming() -> None:
    fields = Fields()
    fields.setRawHeaders("b", ["1", "2\r\nEvil: 1"])
    fields.put(b"A", b"3")
    assert fields.lines() == b"B: 1\r\nB: 2 Evil: 1\r\nA: 3\r\n"
