"""Files below a folder, as a resource: which file, what its head says, and which part is sent.

Not a subclass of twisted.web.static.File, which sends no entity tag and answers some ranges
with a traceback.  Opening is in `files`, preconditions in `conditional`, ranges in `ranges`.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote_from_bytes

from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from proto.web.conditional import (
    Conditions,
    Validators,
    Verdict,
    judge,
    range_still_fits,
    validators_of,
)
from proto.web.dates import http_date
from proto.web.files import Absent, Exhausted, Forbidden, Opened, Root
from proto.web.listing import listing
from proto.web.mime import MediaTypes
from proto.web.ranges import Piece, Span, Unsatisfiable, length_of, multipart, parse_ranges
from proto.web.request import WebRequest
from proto.web.response import TEXT, HTTPError, Response, allowed_methods, refusal_of
from proto.web.sending import FileSender
from proto.web.visits import MAX_PAGE, Visits, with_footer

INDEX_NAMES: Final = ("index.html", "index.htm")
METHODS: Final = ("GET", "HEAD", "OPTIONS")
ANY_EXTENSION: Final = b"*"

Names = tuple[bytes, ...]


class Files(Resource):
    """The files of one folder, for GET and HEAD.

    `index` names are tried in a folder before it is listed; `ignore_ext` are extensions, with
    their dot, that a request may leave out, and `*` stands for any.
    """

    isLeaf = True

    def __init__(
        self,
        root: Root,
        clock: IReactorTime,
        *,
        index: Sequence[str] = INDEX_NAMES,
        types: MediaTypes | None = None,
        ignore_ext: Sequence[str] = (),
        list_folders: bool = True,
        visits: Visits | None = None,
    ) -> None:
        super().__init__()
        self._root = root
        self._clock = clock
        self._index = tuple(map(os.fsencode, index))
        self._types = types or MediaTypes()
        self._ignore_ext = tuple(map(os.fsencode, ignore_ext))
        self._list_folders = list_folders
        self._visits = visits

    # Twisted calls this.
    def render(self, request: WebRequest) -> int:
        *names, last = request.target.segments
        path: Names = (*names, last) if last else tuple(names)
        opened, path = self._open_or_extend(path)
        with ExitStack() as closing:
            closing.callback(opened.close)
            if opened.is_file and not last:
                raise HTTPError(404)
            if request.verb == "OPTIONS":
                request.respond(allowed_methods(METHODS))
            elif request.verb not in METHODS:
                raise refusal_of(request.verb, METHODS)
            elif opened.is_file:
                closing.pop_all()
                self._send(request, opened, path)
            elif last:
                request.respond(_with_slash(path, request.target.query))
            else:
                self._send_folder(request, opened, path)
        return NOT_DONE_YET

    def _send_folder(self, request: WebRequest, folder: Opened, path: Names) -> None:
        for name in self._index:
            try:
                index = self._open((*path, name))
            except HTTPError as refusal:
                if refusal.status != 404:
                    raise
                continue
            if index.is_file:
                self._send(request, index, (*path, name))
                return
            index.close()
        if not self._list_folders:
            raise HTTPError(404)
        sort = request.args.get(b"sort", [b""])[0].decode("latin-1")
        entries = self._root.entries(folder, path)
        request.respond(listing(path, entries, sort, request.header("Accept")))

    def _send(self, request: WebRequest, file: Opened, path: Names) -> None:
        """Answer with a regular file, and close it in the end."""
        kind = self._types.of(path[-1])
        with ExitStack() as closing:
            closing.callback(file.close)
            if self._is_counted(file, kind):
                self._send_counted(request, file, kind)
                return
            response, pieces = _choose(request, file, kind, self._clock.seconds())
            request.begin(response, length_of(pieces))
            if request.verb == "HEAD" or not pieces:
                request.write(b"")
                request.finish()
                return
            closing.pop_all()  # from here on the sender closes it
        FileSender(request, file, pieces, self._clock).start()

    def _is_counted(self, file: Opened, kind: str) -> bool:
        is_page = kind.startswith("text/html") and file.status.st_size <= MAX_PAGE
        return is_page and self._visits is not None

    def _send_counted(self, request: WebRequest, file: Opened, kind: str) -> None:
        """Answer with a page that tells its visits.

        No two of these answers are alike, so they have no validators and no ranges, and nobody
        may store them.  HEAD tells the length of the page that the next GET will have.
        """
        assert self._visits is not None
        page = _read_all(file)
        is_visit = request.verb == "GET"
        count = self._visits.visit() if is_visit else self._visits.count + 1
        headers = [("Cache-Control", "no-store"), ("Accept-Ranges", "none")]
        request.respond(Response(200, with_footer(page, count), kind, headers))

    def _open_or_extend(self, path: Names) -> tuple[Opened, Names]:
        """Open what the path names, or else what it may stand for."""
        try:
            return self._open(path), path
        except HTTPError as refusal:
            if refusal.status != 404 or not path:
                raise
            absent = refusal
        for extended in self._extended(path):
            with suppress(HTTPError):
                return self._open(extended), extended
        raise absent

    def _extended(self, path: Names) -> Iterator[Names]:
        *folder, stem = path
        for extension in self._ignore_ext:
            if extension != ANY_EXTENSION:
                yield *folder, stem + extension
                continue
            with self._open(tuple(folder)) as opened:
                names = self._root.names(opened) if opened.is_folder else []
            for name in names:
                if name.startswith(stem + b"."):
                    yield *folder, name

    def _open(self, path: Names) -> Opened:
        try:
            return self._root.open(path)
        except Absent:
            raise HTTPError(404) from None
        except Forbidden:
            raise HTTPError(403) from None
        except Exhausted:
            raise HTTPError(503, "Too many files are open.", [("Retry-After", "5")]) from None


def build_files(
    path: Path,
    clock: IReactorTime,
    *,
    index: Sequence[str] = INDEX_NAMES,
    types: MediaTypes | None = None,
    ignore_ext: Sequence[str] = (),
    dotfiles: bool = False,
    follow_symlinks: bool = False,
    list_folders: bool = True,
    visits: Visits | None = None,
) -> Files:
    """The resource for the folder `path`."""
    root = Root(path, dotfiles=dotfiles, follow_symlinks=follow_symlinks)
    return Files(
        root,
        clock,
        index=index,
        types=types,
        ignore_ext=ignore_ext,
        list_folders=list_folders,
        visits=visits,
    )


def _choose(
    request: WebRequest, file: Opened, kind: str, now: float
) -> tuple[Response, tuple[Piece, ...]]:
    """The head of the answer, and the pieces of its body.

    Raises:
        HTTPError: 412 when a precondition fails, 416 when no range lies in the file.
    """
    status = file.status
    size = status.st_size
    have = validators_of(size, status.st_mtime_ns, status.st_ino, now)
    asked = Conditions.read(request.header)
    verdict = judge(request.verb, asked, have, now)
    headers = _validator_headers(have)
    if verdict is Verdict.FAILED:
        raise HTTPError(412)
    if verdict is Verdict.NOT_MODIFIED:
        return Response(304, headers=headers), ()
    spans = None
    if request.verb == "GET" and range_still_fits(asked, have, now):
        try:
            spans = parse_ranges(request.header("Range"), size)
        except Unsatisfiable:
            raise HTTPError(416, headers=[("Content-Range", f"bytes */{size}")]) from None
    if spans is None:
        whole = (Span(0, size),) if size else ()
        return Response(200, content_type=kind, headers=headers), whole
    if len(spans) == 1:
        headers.append(("Content-Range", spans[0].content_range(size)))
        return Response(206, content_type=kind, headers=headers), spans
    boundary = secrets.token_hex(16)
    pieces = multipart(spans, size, kind, boundary)
    kind = f"multipart/byteranges; boundary={boundary}"
    return Response(206, content_type=kind, headers=headers), pieces


def _validator_headers(have: Validators) -> list[tuple[str, str]]:
    return [
        ("ETag", have.etag),
        ("Last-Modified", http_date(have.modified)),
        ("Accept-Ranges", "bytes"),
    ]


def _with_slash(path: Names, query: bytes) -> Response:
    """A folder's address ends in a slash, or the relative links in it would lead astray.

    The path is put together again from what was opened, so it begins with exactly one slash and
    never names another host.
    """
    location = "".join("/" + quote_from_bytes(name, safe="") for name in path) + "/"
    if query:
        location += "?" + quote_from_bytes(query, safe="%/?:@!$&'()*+,;=-._~")
    return Response(301, f"{location}\n".encode(), TEXT, [("Location", location)])


def _read_all(file: Opened) -> bytes:
    """The whole file; shorter than it was when somebody cut it just now."""
    left = file.status.st_size
    chunks = []
    while left > 0 and (chunk := os.pread(file.fd, left, file.status.st_size - left)):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)
