"""The operator's own pages for errors: `--error-page 404=/404.html`.

They are in memory, so that a refusal never waits for a disk.  A page that is used is read again,
aside, once a second has passed: what was changed is shown from the next error on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from proto.errors import StartError
from proto.web.accept import best
from proto.web.aside import Aside
from proto.web.files import Absent, Exhausted, Forbidden, Root
from proto.web.mime import MediaTypes
from proto.web.pages import PROBLEM, error_page
from proto.web.reading import read_whole
from proto.web.response import HTTPError, Response
from proto.web.tryfiles import Names

MAX_PAGE: Final = 1024 * 1024
FRESH_SECONDS: Final = 1.0
_UNREADABLE: Final = (OSError, Absent, Forbidden, Exhausted, ValueError)


@dataclass(slots=True)
class _Page:
    address: str
    root: Root
    names: Names
    content_type: str
    body: bytes = b""
    read_at: float = 0.0


class ErrorPages:
    """Which page is shown for which status; without one the page of `proto.web.pages`."""

    log = Logger()

    def __init__(self, clock: IReactorTime, aside: Aside, types: MediaTypes | None = None) -> None:
        self._clock = clock
        self._aside = aside
        self._types = types or MediaTypes()
        self._pages: dict[int, _Page] = {}

    def show(self, statuses: Iterable[int], address: str, root: Root, names: Names) -> None:
        """Show the file that `names` lead to below `root`, which is read now.

        Raises:
            StartError: it cannot be read.
        """
        page = _Page(address, root, names, self._types.of(names[-1]))
        try:
            page.body = _read(page)
        except _UNREADABLE as error:
            raise StartError(
                f"--error-page {address} cannot be read ({_why(error)}): "
                "name a file that is served, by its address"
            ) from error
        page.read_at = self._clock.seconds()
        self._pages.update(dict.fromkeys(statuses, page))

    def page(
        self, error: HTTPError, accept: str, incident: str = "", traceback: str = ""
    ) -> Response:
        """The answer for an error; programs that like JSON or text better get it as before."""
        page = self._pages.get(error.status)
        if page is None or traceback or not _is_liked(page, accept):
            return error_page(error, accept, incident, traceback)
        if self._clock.seconds() - page.read_at >= FRESH_SECONDS:
            self._read_again(page)
        headers = [("Vary", "Accept"), *error.headers]
        return Response(error.status, page.body, page.content_type, headers)

    def _read_again(self, page: _Page) -> None:
        page.read_at = self._clock.seconds()

        def was_read(body: bytes) -> None:
            page.body = body

        def failed(failure: Failure) -> None:
            self.log.warn(
                "cannot read the error page {address} again: {why}; the old one is shown",
                address=page.address,
                why=_why(failure.value),
            )

        reading = self._aside.run(page.address.encode(), _read, page)
        reading.addCallback(was_read).addErrback(failed)


def _is_liked(page: _Page, accept: str) -> bool:
    kind = page.content_type.partition(";")[0]
    return best(accept, (kind, "application/json", PROBLEM)) == kind


def _read(page: _Page) -> bytes:
    """What is in the file.  Raises what Root.open raises, and ValueError for a senseless file."""
    with page.root.open(page.names) as opened:
        size = opened.status.st_size
        if not opened.is_file:
            raise ValueError("it is a folder")
        if size > MAX_PAGE:
            raise ValueError(f"it has more than {MAX_PAGE} bytes")
        return read_whole(opened.fd, size)


def _why(error: BaseException | None) -> str:
    if isinstance(error, Absent):
        return "there is no such file"
    if isinstance(error, Forbidden):
        return "it may not be read"
    return str(getattr(error, "strerror", None) or error)
