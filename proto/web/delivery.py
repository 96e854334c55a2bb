"""A selected representation on its way to a request: as it is, as it is made, or with a footer.

Who gets here has decided which file it is; whatever happens then, the file is closed.
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from proto.addresses import group_of, host_of
from proto.web.answering import answer_with, answer_without_body, cut
from proto.web.aside import Aside
from proto.web.encodings import IDENTITY
from proto.web.made import NOT_WORTH_IT, MadeBodies
from proto.web.ranges import Piece, length_of
from proto.web.reading import read_whole
from proto.web.representation import Representation, Selected
from proto.web.request import WebRequest
from proto.web.response import HTTPError, Response
from proto.web.sending import close_aside, send_file, stays_open
from proto.web.visits import MAX_PAGE, Visits, with_footer

_PAGE: Final = "text/html"


def is_counted(content_type: str, size: int) -> bool:
    """Whether the visits of such a file are counted, where visits are counted at all."""
    return content_type.startswith(_PAGE) and size <= MAX_PAGE


class Delivery:
    """How the files of one root are sent; `aside` asks its disk."""

    def __init__(
        self, clock: IReactorTime, aside: Aside, made: MadeBodies, visits: Visits | None
    ) -> None:
        self._clock = clock
        self._aside = aside
        self._made = made
        self._visits = visits

    def deliver(self, request: WebRequest, selected: Selected) -> None:
        """Answer with an open file, and close it in the end.

        Raises:
            HTTPError: 412 when a precondition fails, 416 when no range lies in the file.
        """
        chosen, size = selected.representation, selected.file.status.st_size
        if request.is_over:
            self.close(selected)
        elif self._visits is not None and is_counted(chosen.content_type, size):
            self._run(request, self._send_counted(request, selected, self._visits))
        elif chosen.is_made:
            self._run(request, self._send_made(request, selected))
        else:
            self._send(request, selected)

    def close(self, selected: Selected) -> None:
        """Close the file; some file systems make even that wait."""
        close_aside(selected.file, self._aside, selected.representation.place)

    def _run(self, request: WebRequest, work: Coroutine[Deferred[Any], Any, None]) -> None:
        Deferred.fromCoroutine(work).addErrback(request.fail)

    def _send(self, request: WebRequest, selected: Selected) -> None:
        """Send the file as it is."""
        request.keep_answer()
        try:
            response, pieces = self._answer_with(
                selected.representation, selected.file.status.st_size, request
            )
            is_sent = request.verb != "HEAD" and bool(pieces)
            if is_sent and stays_open(request, pieces):
                _check_open_files(request)
            request.begin(response, length_of(pieces))
            if not is_sent:
                request.write(b"")
                request.finish()
        except BaseException:
            self.close(selected)
            raise
        if is_sent:
            place = selected.representation.place
            send_file(request, selected.file, pieces, self._clock, self._aside, place)
        else:
            self.close(selected)

    async def _send_made(self, request: WebRequest, selected: Selected) -> None:
        """Send a coding that was kept or is made now, or the file if that is no better."""
        request.keep_answer()
        chosen = selected.representation
        try:
            now = self._clock.seconds()
            unchanged = answer_without_body(chosen, request.verb, request.header, now)
            body = self._made.kept(chosen.source, chosen.coding)
            if body is None and unchanged is None:
                body = await self._made.make(
                    selected.file, chosen.coding, self._aside, chosen.place
                )
        except BaseException:
            self.close(selected)
            raise
        if unchanged is None and body == NOT_WORTH_IT:
            self.deliver(request, replace(selected, representation=_plain(chosen)))
            return
        self.close(selected)
        if unchanged is not None:
            request.respond(unchanged)
        elif body and not request.is_over:
            response, pieces = self._answer_with(chosen, len(body), request)
            request.respond(replace(response, body=cut(body, pieces)))

    async def _send_counted(self, request: WebRequest, selected: Selected, visits: Visits) -> None:
        """Answer with a page that tells its visits.

        No two of these answers are alike, so they have no validators and no ranges, and nobody
        may store them.  HEAD tells the length of the page that the next GET will have.
        """
        file, chosen = selected.file, selected.representation
        try:
            page = await self._aside.run(chosen.place, read_whole, file.fd, file.status.st_size)
        finally:
            self.close(selected)
        if request.is_over:
            return
        count = visits.visit() if request.verb == "GET" else visits.count + 1
        headers = [("Cache-Control", "no-store"), ("Accept-Ranges", "none")]
        request.respond(Response(200, with_footer(page, count), chosen.content_type, headers))

    def _answer_with(
        self, chosen: Representation, size: int, request: WebRequest
    ) -> tuple[Response, tuple[Piece, ...]]:
        return answer_with(chosen, size, request.verb, request.header, self._clock.seconds())


def _check_open_files(request: WebRequest) -> None:
    """Raises HTTPError, 503, when peers that take their time hold too many files open."""
    if not request.owner.open_files.fits(group_of(host_of(request.client))):
        raise HTTPError(503, "Too many files are being read.", [("Retry-After", "5")])


def _plain(chosen: Representation) -> Representation:
    """The same file without a coding."""
    return replace(chosen, coding=IDENTITY, variant="")
