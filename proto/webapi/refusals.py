"""Why the store refuses -> what a client of the API is told.  Plain values."""

from __future__ import annotations

from typing import Final

from proto.errors import PeerError
from proto.tasks import errors
from proto.web.response import HTTPError
from proto.webapi.conditions import tag_of
from proto.webapi.problems import Detail, Refused, Where

BUSY_SECONDS: Final = 1
AWAY_SECONDS: Final = 5
"""When to come again."""


def refused(error: PeerError) -> HTTPError:
    """The refusal as an HTTPError; one that is new to us is a 503 without its words."""
    why = str(error)
    match error:
        case errors.NoSuch():
            return Refused(404, f"no_such_{error.kind}", why, [_detail("path", "id", why)])
        case errors.VersionConflict():
            current = tag_of(error.current.version)
            detail = _detail("header", "If-Match", f"It is {current} by now.")
            return Refused(412, "version_conflict", why, [detail], [("ETag", current)])
        case errors.NameTaken():
            return Refused(409, "name_taken", why, [_detail("body", "name", why)])
        case errors.NoSuchUser():
            return Refused(409, "no_such_user", why, [_detail("body", "user", why)])
        case errors.BadCursor():
            return Refused(404, "no_such_page", why, [_detail("query", "cursor", why)])
        case errors.StoreBusy():
            return Refused(503, "busy", why, (), [("Retry-After", str(BUSY_SECONDS))])
        case errors.StoreFailed():
            return Refused(503, "unavailable", why, (), [("Retry-After", str(AWAY_SECONDS))])
        case HTTPError():
            return error
        case _:
            raise error


def _detail(where: Where, field: str, message: str) -> Detail:
    return Detail(where=where, field=field, message=message)
