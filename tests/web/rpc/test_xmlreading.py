from __future__ import annotations

import encodings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proto.web.rpc.faults import RPCError
from proto.web.rpc.xmlreading import DEEPEST, MOST_ELEMENTS, Element, read_tree


def refusal(body: bytes) -> tuple[int, str]:
    with pytest.raises(RPCError) as refused:
        read_tree(body)
    return refused.value.code, str(refused.value.data)


def test_elements_and_the_text_between_become_a_tree() -> None:
    tree = read_tree(b"<?xml version='1.0'?><a x='1'>one<b/>two<!-- no --><b>&lt;&#228;</b></a>")
    assert tree == Element("a", [Element("b"), Element("b", [], "<ä")], "onetwo")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<a>grüß</a>".encode(), "grüß"),
        ("<?xml version='1.0' encoding='ISO-8859-1'?><a>ä</a>".encode("latin-1"), "ä"),
        ("<?xml version='1.0' encoding='utf-16'?><a>ä</a>".encode("utf-16"), "ä"),
        (b"\xef\xbb\xbf<a>x</a>", "x"),
        (b"<a><![CDATA[<b>&]]></a>", "<b>&"),
    ],
)
def test_text_may_be_written_in_several_ways(body: bytes, text: str) -> None:
    assert read_tree(body).text == text


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"text", b"<a>", b"<a></b>", b"<a/><b/>", b"<a>\x00</a>", b"<a>&unknown;</a>"),
        *(b"<a>\xff</a>", b"<a b=1/>", b"<a>&#0;</a>", b"\x1f\x8b\x08", b"<a>&#55296;</a>"),
    ],
)
def test_what_is_not_well_formed_is_32700(body: bytes) -> None:
    assert refusal(body)[0] == -32700


@pytest.mark.parametrize("name", [b"nonsense", b"zlib", b"rot13", b"cp65001", b"utf-7", b"idna"])
def test_an_encoding_that_is_not_known_is_32701(name: bytes) -> None:
    before = len(encodings._cache)
    assert refusal(b"<?xml version='1.0' encoding='" + name + b"'?><a/>")[0] == -32701
    assert len(encodings._cache) == before


LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "ha">
<!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;&x;&x;"><!ENTITY z "&y;&y;&y;&y;&y;&y;&y;&y;">]><a>&z;</a>"""


@pytest.mark.parametrize(
    "body",
    [
        LAUGHS,
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "http://127.0.0.1/">]><a>&x;</a>',
        b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1/">%x;]><a/>',
    ],
)
def test_a_document_type_is_refused_before_it_is_read(body: bytes) -> None:
    assert refusal(body) == (-32600, "a document type is not taken")


def test_depth_and_number_of_elements_are_bounded() -> None:
    assert read_tree(b"<a>" * DEEPEST + b"</a>" * DEEPEST).tag == "a"
    assert refusal(b"<a>" * (DEEPEST + 1)) == (-32600, f"elements nest deeper than {DEEPEST}")
    assert len(read_tree(b"<a>" + b"<b/>" * (MOST_ELEMENTS - 1) + b"</a>").children) > 19_000
    assert refusal(b"<a>" + b"<b/>" * MOST_ELEMENTS)[0] == -32600


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"<a>", b"<?xml version='1.0' encoding='"]))
def test_any_bytes_are_a_tree_or_a_refusal(body: bytes, start: bytes) -> None:
    try:
        code = 0
        assert isinstance(read_tree(start + body), Element)
    except RPCError as refused:
        code = refused.code
    assert code in (0, -32700, -32701, -32600)
