from __future__ import annotations

import pytest

from proto.logfile.send.httpwire import MOST_BYTES, HttpWire
from proto.logfile.send.window import Window
from proto.logfile.send.wire import Hopeless, LineRefused, Trouble

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def status(line: str, headers: str = "") -> bytes:
    return f"HTTP/1.1 {line}\r\n{headers}Content-Length: 0\r\n\r\n".encode()


def loaded(*lines: bytes) -> tuple[HttpWire, Window]:
    window = Window()
    window.add(lines)
    return HttpWire(window, "localhost:8080"), window


def test_lines_go_in_one_request_and_200_acknowledges_them() -> None:
    wire, window = loaded(b"one", b"", b"three")
    assert wire.begin() == wire.end() == b""
    assert wire.pack() == (
        b"POST /log HTTP/1.1\r\nHost: localhost:8080\r\nContent-Type: text/plain\r\n"
        b"Content-Length: 11\r\n\r\none\n\nthree\n"
    )
    window.add([b"four"])
    assert wire.pack() == b""
    wire.feed(OK[:20])
    assert window.acknowledged == 0
    wire.feed(OK[20:])
    assert window.acknowledged == 3
    assert wire.pack().endswith(b"\r\n\r\nfour\n")


def test_nothing_to_send_is_no_request() -> None:
    wire, _ = loaded()
    assert wire.pack() == b""


def test_a_request_holds_no_more_bytes_than_the_bound() -> None:
    wire, window = loaded(*[b"x" * 100_000] * 8)
    wire.pack()
    assert window.sent == MOST_BYTES // 100_000


@pytest.mark.parametrize(
    ("said", "after"),
    [
        (status("503 Service Unavailable", "Retry-After: 7\r\n"), 7.0),
        (status("429 Too Many Requests", "Retry-After: 0\r\n"), None),
        (status("500 Oh", "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n"), None),
        (status("502 Bad Gateway"), None),
    ],
)
def test_a_server_that_cannot_now_is_asked_again_when_it_says(
    said: bytes, after: float | None
) -> None:
    wire, window = loaded(b"a")
    wire.pack()
    with pytest.raises(Trouble, match=r"the server answers \d{3} \w+") as trouble:
        wire.feed(said)
    assert (trouble.value.after, trouble.value.refused) == (after, False)
    assert window.acknowledged == 0


def test_too_much_at_once_is_halved_until_the_line_that_is_too_long_is_found() -> None:
    wire, window = loaded(b"a", b"b", b"long", b"d")
    wire.pack()
    wire.feed(status("413 Content Too Large"))
    assert wire.pack().endswith(b"\r\n\r\na\nb\n")
    wire.feed(OK)
    wire.pack()
    while window.sent > 1:
        wire.feed(status("413 Content Too Large"))
        wire.pack()
    with pytest.raises(LineRefused, match="is too long for the server: the server answers 413 C"):
        wire.feed(status("413 Content Too Large"))
    assert window.acknowledged == 2


@pytest.mark.parametrize("line", ["404 Not Found", "401 Unauthorized", "400 Bad Request", "301"])
def test_any_other_answer_is_hopeless(line: str) -> None:
    wire, _ = loaded(b"a")
    wire.pack()
    with pytest.raises(Hopeless, match=f"the server answers {line}"):
        wire.feed(status(line))


def test_a_server_that_hangs_up_after_its_answer_is_called_again_at_once() -> None:
    wire, window = loaded(b"a")
    wire.pack()
    with pytest.raises(Trouble) as trouble:
        wire.feed(status("200 OK", "Connection: close\r\n"))
    assert (trouble.value.after, window.acknowledged) == (0.0, 1)


def test_an_answer_to_no_request_is_trouble() -> None:
    wire, _ = loaded()
    with pytest.raises(Trouble, match="the server hangs up: 408"):
        wire.feed(status("408 Request Timeout"))


def test_what_is_no_http_is_trouble() -> None:
    wire, _ = loaded(b"a")
    wire.pack()
    with pytest.raises(Trouble, match="the server does not speak HTTP: no"):
        wire.feed(b"1 rsp 6 200 OK\n")
