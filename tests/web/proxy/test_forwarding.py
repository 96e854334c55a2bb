from __future__ import annotations

from ipaddress import ip_network

import pytest

from proto.web.proxy.forwarding import MOST_HOPS, Origin, Trust, forwarded
from proto.web.response import HTTPError

ORIGIN = Origin("192.0.2.1", False, b"site:8080")
NEAR = Trust([ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")])


def told(
    *fields: tuple[bytes, bytes], origin: Origin = ORIGIN, trust: Trust | None = None
) -> dict[bytes, bytes]:
    found, _ = forwarded(fields, origin, trust or Trust())
    names = [name for name, _ in found]
    assert len(names) == len(set(names))
    return dict(found)


def test_who_asked_is_told_in_every_way() -> None:
    assert told() == {
        b"X-Forwarded-For": b"192.0.2.1",
        b"X-Forwarded-Proto": b"http",
        b"X-Forwarded-Host": b"site:8080",
        b"X-Real-IP": b"192.0.2.1",
        b"Forwarded": b'for=192.0.2.1;proto=http;host="site:8080"',
        b"Via": b"1.1 proto",
    }


def test_an_ipv6_address_is_quoted_where_the_rfc_wants_it() -> None:
    found = told(origin=Origin("2001:db8::7", True, b"site"))
    assert found[b"Forwarded"] == b'for="[2001:db8::7]";proto=https;host=site'
    assert found[b"X-Forwarded-For"] == b"2001:db8::7"
    assert found[b"X-Forwarded-Proto"] == b"https"


def test_whoever_has_no_address_is_unknown() -> None:
    assert told(origin=Origin("unix", False, b""))[b"Forwarded"] == b"for=unknown;proto=http"


CLAIMS = (
    (b"X-Forwarded-For", b"203.0.113.9"),
    (b"x-forwarded-proto", b"https"),
    (b"X-Forwarded-Host", b"other"),
    (b"X-Forwarded-Port", b"443"),
    (b"X-Real-IP", b"203.0.113.9"),
    (b"Forwarded", b"for=203.0.113.9"),
)


def test_what_a_stranger_claims_is_replaced() -> None:
    assert told(*CLAIMS) == told()
    assert told(*((name.replace(b"-", b"_"), value) for name, value in CLAIMS)) == told()


def test_what_a_trusted_one_says_is_kept_and_added_to() -> None:
    found = told(*CLAIMS, trust=NEAR)
    assert found[b"X-Forwarded-For"] == b"203.0.113.9, 192.0.2.1"
    assert found[b"X-Forwarded-Proto"] == b"https"
    assert found[b"X-Forwarded-Host"] == b"other"
    assert found[b"x-forwarded-port"] == b"443"
    assert found[b"X-Real-IP"] == b"203.0.113.9"
    assert found[b"Forwarded"] == (b'for=203.0.113.9, for=192.0.2.1;proto=http;host="site:8080"')


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        (b"203.0.113.9", "203.0.113.9"),
        (b"198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (b"203.0.113.9, 192.0.2.7", "203.0.113.9"),
        (b"203.0.113.9, [2001:db8::1] ,192.0.2.7", "203.0.113.9"),
        (b"203.0.113.9, nonsense", "192.0.2.1"),
        (b"nonsense, 192.0.2.7", "192.0.2.7"),
        (b"192.0.2.8, 192.0.2.7", "192.0.2.8"),
        (b"", "192.0.2.1"),
    ],
)
def test_who_asked_first_is_the_last_one_nobody_vouches_for(chain: bytes, client: str) -> None:
    assert forwarded([(b"X-Forwarded-For", chain)], ORIGIN, NEAR)[1] == client
    assert forwarded([(b"X-Forwarded-For", chain)], ORIGIN, Trust())[1] == "192.0.2.1"


def test_what_is_of_this_hop_or_written_anew_does_not_go_on() -> None:
    fields = [
        *[(b"Host", b"site"), (b"Connection", b"close, X-Mine, Cookie"), (b"X-Mine", b"1")],
        *[(b"TE", b"trailers"), (b"Upgrade", b"x"), (b"Expect", b"100-continue")],
        *[(b"Content-Length", b"3"), (b"Content_Length", b"4"), (b"Cookie", b"a=b")],
        *[(b"Transfer_Encoding", b"chunked"), (b"Proxy-Authorization", b"secret")],
    ]
    assert told(*fields) == told()


def test_other_fields_go_on_as_they_are() -> None:
    fields = [(b"Accept", b"a"), (b"X_Own", b"1"), (b"aUTHORIZATION", b"x"), (b"Accept", b"b")]
    assert forwarded(fields, ORIGIN, Trust())[0][:4] == fields


def test_cookies_that_http_2_cut_up_are_one_field_again() -> None:
    assert told((b"cookie", b"a=b"), (b"cookie", b"c=d"))[b"Cookie"] == b"a=b; c=d"


def test_a_request_that_comes_again_and_again_is_stopped() -> None:
    via = b"1.1 other, " + b", ".join([b"1.1 proto"] * (MOST_HOPS - 1))
    assert told((b"Via", via))[b"Via"] == via + b", 1.1 proto"
    with pytest.raises(HTTPError) as caught:
        told((b"Via", via), (b"Via", b"2.0 proto (x)"))
    assert caught.value.status == 508
