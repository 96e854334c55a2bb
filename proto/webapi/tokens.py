"""Who may use the API: a token is a name and its secret, `Authorization: Bearer NAME.SECRET`.

The file is one of passwords, and they are verified as those of `--auth` are: in a few threads, a
name that is not there costs what others cost, what fitted is remembered for a minute.  Basic
authentication with the same name and secret is taken too.  Knows no operation.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from typing import Final

from proto.metrics import Metrics
from proto.web.auth import BasicAuth, Verifications
from proto.web.passwords import Passwords
from proto.web.request import WebRequest
from proto.web.response import HTTPError
from proto.webapi.problems import Detail, Refused

_BEARER: Final = re.compile(r"bearer +([!-~]+)", re.IGNORECASE | re.ASCII)
CHALLENGE: Final = 'Bearer realm="api"'


class Tokens:
    """Lets those pass whose name and secret are in a file."""

    def __init__(
        self, read: Callable[[], Passwords], verifications: Verifications, metrics: Metrics
    ) -> None:
        """`read` reads the file and raises StartError."""
        self._auth = BasicAuth("/api/", read, verifications, metrics)

    async def check(self, request: WebRequest) -> None:
        """Raises HTTPError: 401, 429 after too many tries, 503 when too many wait."""
        as_basic(request)
        try:
            waiting = self._auth(request)
            if waiting is not None:
                await waiting
        except HTTPError as error:
            if error.status != 401:
                raise
            raise _unknown() from error

    # SIGHUP calls this.
    def reload(self) -> None:
        """Read the file again, and forget who was let in; a file that is wrong changes nothing."""
        self._auth.reload()


def as_basic(request: WebRequest) -> None:
    """Let a token stand in the request as the name and password that it is.

    The name ends at the first dot.  So the access log tells whose it was, as it does of passwords.
    """
    match = _BEARER.fullmatch(request.header("Authorization").strip(" \t"))
    if match is None:
        return
    name, _, secret = match[1].partition(".")
    basic = b64encode(f"{name}:{secret}".encode("ascii")).decode("ascii")
    request.requestHeaders.setRawHeaders(b"Authorization", [f"Basic {basic}".encode("ascii")])


def _unknown() -> Refused:
    why = "Send a token: Authorization: Bearer NAME.SECRET."
    detail = Detail(where="header", field="Authorization", message="No token that is known here.")
    return Refused(401, "unauthorized", why, [detail], [("WWW-Authenticate", CHALLENGE)])
