from __future__ import annotations

from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.web.formdata import CHUNK, MAX_PART_HEAD, MAX_PARTS, BadForm, boundary_of, parts_of

Fields = list[tuple[bytes, bytes | None, bytes]]


def form(*parts: tuple[bytes, bytes], end: bytes = b"\r\n--XX--\r\n") -> bytes:
    return b"".join(b"\r\n--XX\r\n%b\r\n\r\n%b" % part for part in parts)[2:] + end


def field(name: bytes, filename: bytes | None = None) -> bytes:
    head = b'Content-Disposition: form-data; name="%b"' % name
    return head if filename is None else head + b'; filename="%b"' % filename


class Trickling(BytesIO):
    """A file that gives a few bytes at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        super().__init__(data)
        self.step = step

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self.step)


def read(body: bytes, step: int = CHUNK) -> Fields:
    parts = parts_of(Trickling(body, step), b"XX")
    return [(part.name, part.filename, b"".join(part.chunks)) for part in parts]


def test_fields_and_files_are_read_in_their_order() -> None:
    body = form((field(b"token"), b"secret"), (field(b"file", b"a.txt"), b"one\r\n--X\r\n"))
    assert read(body) == [(b"token", None, b"secret"), (b"file", b"a.txt", b"one\r\n--X\r\n")]


def test_an_empty_form_has_no_parts_and_an_empty_file_no_bytes() -> None:
    assert read(b"--XX--\r\n") == []
    assert read(form((field(b"file", b""), b""))) == [(b"file", b"", b"")]


def test_what_is_before_the_first_delimiter_means_nothing() -> None:
    assert read(b"preamble\r\n" + form((field(b"a"), b"1"))) == [(b"a", None, b"1")]


def test_what_is_not_read_of_a_part_is_skipped() -> None:
    body = form((field(b"a"), b"x" * 3 * CHUNK), (field(b"b"), b"2"))
    assert [part.name for part in parts_of(BytesIO(body), b"XX")] == [b"a", b"b"]


@pytest.mark.parametrize(
    ("sent", "filename"),
    [
        (b"a b.txt", b"a b.txt"),
        (b"caf\xc3\xa9", b"caf\xc3\xa9"),
        (b"say %22hi%22", b'say "hi"'),
        (rb"say \"hi\"", b'say "hi"'),
        (b"100%25", b"100%25"),
        (b"a%0D%0Ab", b"a\r\nb"),
    ],
)
def test_names_of_files_are_as_browsers_send_them(sent: bytes, filename: bytes) -> None:
    assert read(form((field(b"f", sent), b"")))[0][1] == filename


def test_other_fields_of_a_parts_head_do_not_matter() -> None:
    head = b'Content-Type: text/plain\r\ncontent-disposition:form-data;NAME="f";filename="n"'
    assert read(form((head, b"1"))) == [(b"f", b"n", b"1")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--XX",
        b"--XX\r\n",
        form((field(b"a"), b"1"), end=b""),
        form((field(b"a"), b"1"), end=b"\r\n--XX"),
        form((b"Content-Type: text/plain", b"1")),
        b"--XX\r\n\r\n1\r\n--XX--\r\n",
        b"--XX trailing\r\n",
        form((b"X: " + b"x" * MAX_PART_HEAD, b"1")),
        b"--XX" + b" " * (MAX_PART_HEAD + CHUNK),
        form(*[(field(b"a"), b"")] * MAX_PARTS),
    ],
)
def test_a_malformed_form_is_refused(body: bytes) -> None:
    with pytest.raises(BadForm):
        read(body)


def test_a_value_has_a_bound() -> None:
    for part in parts_of(BytesIO(form((field(b"a"), b"12345"))), b"XX"):
        with pytest.raises(BadForm):
            part.value(4)
    for part in parts_of(BytesIO(form((field(b"a"), b"12345"))), b"XX"):
        assert part.value(5) == b"12345"


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=XX", b"XX"),
        ('Multipart/Form-Data; charset=x; BOUNDARY="X X"', b"X X"),
    ],
)
def test_the_boundary_is_read_from_the_type(content_type: str, boundary: bytes) -> None:
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "multipart/form-data", f'multipart/form-data; boundary="{"x" * 71}"'],
)
def test_a_type_without_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(BadForm):
        boundary_of(content_type)


@given(
    st.lists(st.binary(max_size=200) | st.text("\r\n-X", max_size=40).map(str.encode), max_size=4),
    st.integers(1, 80),
)
def test_however_it_comes_what_was_put_in_comes_out(values: list[bytes], step: int) -> None:
    values = [value.replace(b"\r\n--XX", b"") for value in values]
    fields = [(field(b"f", b"n"), value) for value in values]
    body = form(*fields) if fields else b"--XX--\r\n"
    assert [contents for _, _, contents in read(body, step)] == values


@given(st.binary(max_size=300))
def test_any_bytes_are_a_form_or_refused(body: bytes) -> None:
    with suppress(BadForm):
        assert isinstance(read(body), list)
