"""Local redirects (RFC 3875 section 6.2.2): the tree is asked again, for another path.

It is asked from its root, as if by the same client: passwords and rates of the new path count.
"""

from __future__ import annotations

from io import BytesIO
from typing import Final
from weakref import WeakKeyDictionary

from proto.web.request import WebRequest
from proto.web.response import HTTPError

MOST: Final = 10
"""Local redirects of one request."""
_OF_THE_BODY: Final = ("Content-Length", "Content-Type", "Content-Encoding", "Expect")


class Redirects:
    """The local redirects of the requests that are being answered."""

    def __init__(self) -> None:
        self._followed: WeakKeyDictionary[WebRequest, int] = WeakKeyDictionary()

    async def follow(self, request: WebRequest, target: bytes) -> None:
        """Answer with what is at `target`: a path, with its query, as it stands in a URL.

        Raises:
            HTTPError: it was sent on too often; 502.
        """
        count = self._followed.get(request, 0) + 1
        if count > MOST:
            raise HTTPError(502, f"Programs here sent the request on more than {MOST} times.")
        if request.body is not None:
            async for _ in request.body:  # or its rest would be taken for the next one's
                pass
            request.body = None
        self._followed[request] = count
        _become(request, target)
        request.process()


def _become(request: WebRequest, target: bytes) -> None:
    """Make it a request for `target`, without a body."""
    request.line = request.line or b" ".join((request.method, request.uri, request.clientproto))
    if request.method != b"HEAD":
        request.method = b"GET"
    request.uri, request.path = target, target.partition(b"?")[0]
    request.args = None
    request.content = BytesIO()
    for name in _OF_THE_BODY:
        request.requestHeaders.removeHeader(name)
    # What is kept and repeated is found by the head that came, which asked for the script.
    request.is_guarded = True
