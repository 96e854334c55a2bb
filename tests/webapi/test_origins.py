from __future__ import annotations

import pytest

from proto.webapi.origins import Caller, Origins
from proto.webapi.problems import Refused

OURS = "http://api.example:8080"
APP = "https://app.example"


def caller(*origins: str, site: str = "", host: str = "api.example:8080") -> Caller:
    return Caller(origins, site, host, False)


ALLOWED = [
    Caller(),
    caller(OURS),
    caller("HTTP://API.example:8080"),
    caller(APP),
    caller(APP, site="cross-site"),
    caller(OURS, site="same-origin"),
    # Behind a proxy that speaks TLS for us the browser knows better than we do.
    caller("https://api.example", site="same-origin"),
    caller(site="none"),
]
REFUSED = [
    caller("https://evil.example"),
    caller("https://evil.example", site="cross-site"),
    caller("https://sub.api.example", site="same-site"),
    caller(site="cross-site"),
    caller(site="same-site"),
    caller(site="whatever"),
    caller("null"),
    caller(""),
    caller("https://api.example:8080"),
    caller("http://api.example"),
    caller(APP, APP),
    caller(f"{APP}.evil.example"),
    caller(f"{APP}/"),
]


@pytest.mark.parametrize("who", ALLOWED, ids=repr)
def test_our_pages_those_that_are_named_and_programs_may_change_things(who: Caller) -> None:
    Origins([APP]).check(who)


@pytest.mark.parametrize("who", REFUSED, ids=repr)
def test_pages_of_others_may_not(who: Caller) -> None:
    with pytest.raises(Refused) as caught:
        Origins([APP]).check(who)
    assert (caught.value.status, caught.value.code) == (403, "other_origin")


def test_only_a_page_that_is_named_is_shown_the_answer() -> None:
    headers = dict(Origins([APP]).headers(caller(APP)))
    assert headers == {
        "Access-Control-Allow-Origin": APP,
        "Access-Control-Expose-Headers": "ETag, Location, Retry-After, Allow",
        "Vary": "Origin",
    }
    for who in (caller(OURS), caller("https://evil.example"), caller("null"), Caller()):
        assert Origins([APP]).headers(who) == (("Vary", "Origin"),)
    assert Origins([]).headers(caller(APP)) == ()


def test_only_a_page_that_is_named_is_told_what_it_may_do() -> None:
    told = dict(Origins([APP]).preflight(caller(APP), ("GET", "PUT")))
    assert told["Access-Control-Allow-Methods"] == "GET, PUT"
    assert "If-Match" in told["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in told
    assert Origins([APP]).preflight(caller("https://evil.example"), ("GET",)) == ()


def test_what_is_no_origin_cannot_be_named() -> None:
    for text in ("*", "null", "example.org", "https://example.org/app"):
        with pytest.raises(ValueError):
            Origins([text])
