"""One request over HTTP/2: refused on its own stream, or too slow."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.x509 import load_pem_x509_certificate
from h2.errors import ErrorCodes
from hyperframe.frame import (
    DataFrame,
)
from OpenSSL.crypto import X509
from twisted.internet.defer import Deferred

from proto.web.h2frames import FUTILE_BURST
from tests.certificate import write_pair
from tests.web.h2client import Client, House, in_frames, is_ended_by, request


@pytest.fixture
def house() -> House:
    return House()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (request()[1:], 400),
        (request()[:3], 400),
        ([*request(), (b":path", b"/")], 400),
        ([*request(), (b"x", b"1"), (b":late", b"1")], 400),
        ([*request(), (b":status", b"200")], 400),
        ([*request(), (b"connection", b"close")], 400),
        ([*request(), (b"Upper", b"1")], 400),
        ([*request(), (b"content-length", b"x")], 400),
        ([*request(), (b"x", b"\x07")], 400),
        (request(host="a b"), 400),
        (request(method="BREW"), 501),
        (request(method="TRACE"), 405),
        ([(b":method", b"CONNECT"), (b":authority", b"a:443")], 405),
        (request("/" + "x" * 9000), 414),
        (request(x="x" * 9000), 431),
        ([*request(), *[(b"x", b"1")] * 100], 431),
        ([*request(), *[(b"x%d" % n, b"1" * 8000) for n in range(5)]], 431),
        (request(expect="tea"), 417),
    ],
)
def test_a_bad_request_is_answered_and_harms_no_other(
    house: House, fields: list[tuple[bytes, bytes]], status: int
) -> None:
    client = house.client()
    client.ask(1, *request("/wait/a"))
    client.send(*in_frames(client.head(3, fields, "END_STREAM")))
    house.waiting["a"].callback("A")
    client.read()
    assert client.status(3) == status
    assert client.ended == {1, 3}
    assert not client.is_closing()


@pytest.mark.parametrize(
    ("length", "sent"), [("6", b"abc"), ("2", b"abc"), ("0", b"abc"), ("3", b"")]
)
def test_a_body_that_is_not_as_long_as_told_is_a_bad_request(
    house: House, length: str, sent: bytes
) -> None:
    client = house.client()
    client.send(client.head(1, request("/body", "POST", content_length=length)))
    client.send(DataFrame(1, sent, flags=["END_STREAM"]))
    client.read()
    assert client.status(1) == 400
    assert not client.is_closing()


def test_a_trailer_that_changes_the_request_is_refused(house: House) -> None:
    client = house.client()
    client.send(client.head(1, request("/body", "POST")), DataFrame(1, b"abc"))
    client.send(client.head(1, [(b"content-length", b"9")], "END_STREAM"))
    client.read()
    assert client.answer(1).status == 400


def test_a_body_that_is_too_large_by_its_length_is_refused_at_once(house: House) -> None:
    client = house.client()
    client.ask(1, *request("/body", "POST", content_length="10001"), ended=False)
    client.read()
    assert client.answer(1).status == 413
    assert 1 not in client.resets  # who sends on may read the answer first
    client.h2.send_data(1, bytes(9000))
    client.send()
    house.clock.advance(2)
    client.read()
    assert client.resets == {1: ErrorCodes.NO_ERROR}
    client.send(DataFrame(1, bytes(1000)))  # was on its way
    client.ask(3)
    client.read()
    assert client.ended == {1, 3}


def test_a_body_that_grows_too_large_is_refused_in_the_middle(house: House) -> None:
    client = house.client()
    client.ask(1, *request("/body", "POST"), ended=False)
    client.h2.send_data(1, bytes(10_000))
    client.send()
    client.read()
    assert client.status(1) == 0
    client.h2.send_data(1, b"x")
    client.send()
    client.read()
    assert client.answer(1).status == 413
    client.h2.end_stream(1)
    client.send()
    house.clock.advance(2)
    client.read()
    assert not client.resets


def test_who_reads_that_a_body_is_refused_may_stop_sending_it(house: House) -> None:
    client = house.client()
    client.h2.increment_flow_control_window(1 << 20)
    for number in range(1, 2 * FUTILE_BURST + 101, 2):
        client.ask(number, *request("/body", "POST", content_length="10001"), ended=False)
        client.read(2)
        assert client.answer(number).status == 413
        client.h2.reset_stream(number)
        client.send()
    client.read()
    assert not client.is_closing()


def test_refused_bodies_leave_room_for_others(house: House) -> None:
    client = house.client()
    for number in range(1, 61, 2):
        client.ask(number, *request("/body", "POST"), ended=False)
        for _ in range(4):
            client.send(DataFrame(number, bytes(16_000)))
        client.read()
        client.h2.reset_stream(number)
    client.ask(61, *request("/body", "POST"), ended=False)
    client.h2.send_data(61, bytes(9000), end_stream=True)
    client.send()
    client.read()
    assert client.answer(61).status == 200


def test_a_reader_that_takes_nothing_of_a_big_answer_is_cut_off(house: House) -> None:
    client = house.client()
    client.ask(1, *request("/big"))
    client.ask(3, *request("/wait/a"))
    client.read()
    house.clock.advance(59)
    client.read()
    assert not client.resets
    house.clock.advance(1)
    client.read()
    assert client.resets == {1: ErrorCodes.CANCEL}
    house.waiting["a"].callback("A")
    client.h2.increment_flow_control_window(9)
    client.send()
    client.read()
    assert client.answer(3).body == b"A"


def test_a_reader_that_takes_a_little_is_not_cut_off(house: House) -> None:
    client = house.client()
    client.ask(1, *request("/big"))
    client.read()
    for _ in range(9):
        house.clock.advance(50)
        client.h2.increment_flow_control_window(1)
        client.h2.increment_flow_control_window(1, 1)
        client.send()
        client.read()
    assert not client.resets


def test_a_transport_that_stays_full_is_aborted(house: House) -> None:
    client = house.client()
    client.ask(1, *request("/wait/a"))
    client.wire.fill()
    house.clock.advance(59)
    assert not client.is_closing()
    house.clock.advance(1)
    assert client.wire.is_cut()
    assert house.lost == ["a"]


def test_a_full_transport_gets_no_more_and_nothing_is_begun(house: House) -> None:
    client = house.client()
    client.wire.fill()
    client.ask(1, *request("/count"))
    client.read()
    assert house.called == 0
    client.wire.drain()
    client.read()
    assert client.answer(1).body == b"1"


def test_a_body_that_comes_a_byte_a_minute_is_refused(house: House) -> None:
    client = house.client()
    client.ask(1, *request("/body", "POST"), ended=False)
    house.clock.advance(9.9)
    client.h2.send_data(1, b"x")
    client.send()
    client.read()
    assert client.status(1) == 0
    house.clock.advance(1)
    client.read()
    assert client.answer(1).status == 408
    house.clock.advance(2)
    client.read()
    assert client.resets == {1: ErrorCodes.NO_ERROR}


def test_a_body_that_comes_at_a_modest_rate_is_taken(house: House) -> None:
    client = house.client()
    client.ask(1, *request("/body", "POST"), ended=False)
    raw = DataFrame(1, bytes(9000), flags=["END_STREAM"]).serialize()
    for at in range(0, len(raw), 600):  # one frame, which is not whole for 15 s
        house.clock.advance(1)
        client.server.dataReceived(raw[at : at + 600])
    client.read()
    assert len(client.answer(1).body) == 9000


@pytest.mark.parametrize("size", [10, 30, 70])
def test_a_head_must_be_whole_in_time(house: House, size: int) -> None:
    client = Client(house.site, house.clock)
    raw = client.head(1, request(x="x" * 99), "END_STREAM").serialize()
    for at in range(19):
        client.server.dataReceived(raw[at : at + 1])
        house.clock.advance(1)
    assert not client.is_closing()
    house.clock.advance(1)
    assert is_ended_by(client, ErrorCodes.ENHANCE_YOUR_CALM)


# --- bodies that are read as they come -----------------------------------------------------------


def test_a_body_is_read_as_it_comes(house: House) -> None:
    client = house.client()
    client.ask(1, *request("/stream", "POST", expect="100-continue"), ended=False)
    client.read()
    assert client.told_to_go_on == {1}
    assert house.read == []
    client.h2.send_data(1, b"abc")
    client.send()
    assert house.read == [b"abc"]
    client.h2.send_data(1, b"def", end_stream=True)
    client.send()
    client.read()
    assert client.answer(1).body == b"6"


def test_a_handler_that_reads_nothing_asks_for_nothing(house: House) -> None:
    client = house.client()
    client.ask(1, *request("/refuse", "POST", expect="100-continue"), ended=False)
    client.read()
    assert client.told_to_go_on == set()
    assert client.answer(1).status == 403
    house.clock.advance(2)
    client.read()
    assert client.resets == {1: ErrorCodes.NO_ERROR}


def test_a_body_that_nobody_reads_stops_its_peer_and_no_other() -> None:
    house = House(max_body=1 << 24)
    house.hold = Deferred()
    client = house.client()
    client.ask(1, *request("/stream", "POST"), ended=False)
    client.read()
    sent = 0
    while sent < 1 << 20 and (room := client.room(1)):
        client.h2.send_data(1, bytes(min(room, 16_000)))
        sent += min(room, 16_000)
        client.send()
        client.read(2)
    assert sent < 300_000
    client.ask(3, *request("/length", "POST"), ended=False)
    for _ in range(20):
        client.h2.send_data(3, bytes(16_000))
        client.send()
        client.read(2)
    client.h2.end_stream(3)
    client.send()
    client.read()
    assert client.answer(3).body == b"320000"
    house.clock.advance(600)  # the peer is not slow: it may not send
    house.hold.callback(None)
    house.clock.advance(11)
    client.read()
    assert client.status(1) == 0
    client.h2.end_stream(1)
    client.send()
    client.read()
    assert client.answer(1).body == str(sent).encode()


def test_who_reads_hears_that_the_body_is_too_large(house: House) -> None:
    client = house.client()
    client.ask(1, *request("/stream", "POST"), ended=False)
    client.read()
    client.h2.send_data(1, bytes(10_001))
    client.send()
    client.read()
    assert client.answer(1).status == 413


# --- what is known of a request -------------------------------------------------------------------


def test_the_log_and_the_counters_know_requests_of_http_2(tmp_path: Path) -> None:
    house = House(log=tmp_path / "access.log")
    client = house.client()
    client.ask(1, *request("/", user_agent="me", referer="https://a/"))
    client.ask(3, *request("/wait/a"))
    client.send(client.head(5, request(method="BREW"), "END_STREAM"))
    client.read()
    client.hang_up()
    house.site.stopFactory()
    lines = [line.partition("] ")[2] for line in (tmp_path / "access.log").read_text().splitlines()]
    assert sorted(lines)[0].startswith('"BREW / HTTP/2.0" 501 ')
    assert '"GET / HTTP/2.0" 200 5 "https://a/" "me" "-"' in lines
    assert '"GET /wait/a HTTP/2.0" 499 0 "-" "-" "-"' in lines
    text = house.metrics.render().decode()
    assert 'web_requests_total{method="GET",status="2xx"} 1' in text
    assert "web_aborted_total 1" in text


def test_a_certificate_of_the_peer_is_known_to_its_requests(house: House, tmp_path: Path) -> None:
    cert, _ = write_pair(tmp_path, "ann")
    client = house.client()
    client.wire.certificate = X509.from_cryptography(load_pem_x509_certificate(cert.read_bytes()))
    client.ask(1, *request("/who"))
    client.read()
    assert client.answer(1).body == b"ann"


def test_without_a_certificate_nobody_is_known(house: House) -> None:
    client = house.client()
    client.ask(1, *request("/who"))
    client.read()
    assert client.answer(1).body == b""
