"""A peer that stays on the web counts with those of the service that it came for."""

from __future__ import annotations

from collections.abc import Callable

from proto.addresses import group_of, host_of
from proto.limits import Admissions, TooMany
from proto.web.request import WebRequest
from proto.web.response import HTTPError


def admit(
    admissions: Admissions,
    request: WebRequest,
    refused: Callable[[TooMany], None] = lambda full: None,
) -> Callable[[], None]:
    """Count who asked; the result is what to call when it is gone.

    Raises HTTPError, 503 or 429, after `refused` was told.
    """
    group = group_of(host_of(request.client))
    try:
        admissions.admit(group)
    except TooMany as full:
        refused(full)
        status = 503 if full.reason == "full" else 429
        raise HTTPError(status, str(full), [("Retry-After", str(full.retry_after))]) from None

    def release() -> None:
        admissions.unclaim(group)
        admissions.leave()

    return release
