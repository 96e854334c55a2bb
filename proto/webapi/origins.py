"""Whose pages may use the API from a browser: CORS for those that are named, and no others.

A page of somebody else's cannot read an answer and cannot change anything: a browser says whose
page it is that asks (https://fetch.spec.whatwg.org/#http-cors-protocol,
https://www.w3.org/TR/fetch-metadata/).  No cookie is ever set or asked for, so none is allowed
along.  Plain values; no request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from proto.web.handshake import Origin, check_origin, parse_origin
from proto.web.response import Headers, HTTPError
from proto.webapi.problems import Refused

EXPOSED: Final = "ETag, Location, Retry-After, Allow"
ACCEPTED: Final = "Authorization, Content-Type, If-Match, If-None-Match"
PREFLIGHT_SECONDS: Final = 600
VARY: Final = ("Vary", "Origin")


@dataclass(frozen=True, slots=True)
class Caller:
    """What a browser tells of the page that asks; all of it is empty for other programs."""

    origins: tuple[str, ...] = ()
    """The Origin fields; more than one is nobody's."""
    site: str = ""
    """Sec-Fetch-Site."""
    host: str = ""
    is_secure: bool = False


class Origins:
    """The pages that may use the API besides those of its own server."""

    def __init__(self, allowed: Sequence[str]) -> None:
        """`allowed` are origins: `https://example.org`.  Raises ValueError for what is none."""
        self._allowed = frozenset[Origin](parse_origin(each.lower()) for each in allowed)

    def check(self, caller: Caller) -> None:
        """Raises Refused, 403, for a change that a page of somebody else's asks for."""
        if self._names(caller) or caller.site in ("same-origin", "none"):
            return
        if caller.site:
            raise _other()
        try:
            check_origin(caller.origins, caller.host, caller.is_secure, self._allowed)
        except HTTPError as error:
            raise _other() from error

    def headers(self, caller: Caller) -> Headers:
        """What every answer carries, so that the browser shows it to the page."""
        if not self._allowed:
            return ()
        if not self._names(caller):
            return (VARY,)
        origin = ("Access-Control-Allow-Origin", caller.origins[0])
        return (origin, ("Access-Control-Expose-Headers", EXPOSED), VARY)

    def preflight(self, caller: Caller, methods: Sequence[str]) -> Headers:
        """What the answer to OPTIONS carries besides, when a page asks what it may do."""
        if not self._names(caller):
            return ()
        return (
            ("Access-Control-Allow-Methods", ", ".join(methods)),
            ("Access-Control-Allow-Headers", ACCEPTED),
            ("Access-Control-Max-Age", str(PREFLIGHT_SECONDS)),
        )

    def _names(self, caller: Caller) -> bool:
        if len(caller.origins) != 1:
            return False
        try:
            return parse_origin(caller.origins[0].lower()) in self._allowed
        except ValueError:
            return False


def _other() -> Refused:
    return Refused(403, "other_origin", "Pages of another origin may not change anything here.")
