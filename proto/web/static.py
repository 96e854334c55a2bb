"""Files below a folder, as a resource: what a request asks for, and what is decided about it.

Not a subclass of twisted.web.static.File, which sends no entity tag and answers some ranges
with a traceback.  Which file: `choosing`.  Which of its representations: `representation`.  How
that is sent: `delivery`.  What may wait for a disk is done `aside`, unless the kernel has it in
memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote_from_bytes

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from proto.web.aside import Aside, AtOnce
from proto.web.cached import NotInMemory
from proto.web.choosing import INDEX_NAMES, Choosing, Found, NotThere, What
from proto.web.conditional import Conditions
from proto.web.delivery import Delivery, is_counted
from proto.web.expires import Expires
from proto.web.files import Absent, Exhausted, Forbidden, Opened, Root
from proto.web.listing import listing
from proto.web.made import MadeBodies
from proto.web.mime import MediaTypes
from proto.web.representation import NotAcceptable, Selected, Selecting
from proto.web.request import WebRequest
from proto.web.response import TEXT, HTTPError, Response, allowed_methods, refusal_of
from proto.web.tryfiles import Names, TryFiles
from proto.web.upload import FILE_METHODS, FOLDER_METHODS, Sent, Uploads
from proto.web.visits import Visits

METHODS: Final = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks of the file system, as values that a thread may have."""

    verb: str
    names: Names
    slash: bool
    query: bytes = b""
    sort: str = ""
    accept: str = ""
    accept_encoding: str = ""

    @property
    def place(self) -> bytes:
        """What may hang together: the folder or file of the root in which all of it is."""
        return self.names[0] if self.names else b""


@dataclass(frozen=True, slots=True)
class Folder:
    """An open folder that is going to be listed."""

    opened: Opened
    names: Names


Decided = Selected | Folder | Response


class Files(Resource):
    """The files of one folder, for GET and HEAD, and to store some more.

    `base` are the segments of the address of the folder itself.  `index` names are tried in a
    folder before it is listed; `ignore_ext` are extensions, with their dot, that a request may
    leave out, and `*` stands for any.  `aside` asks the disk, `listers` list
    folders, which keeps a processor busy; `made` keeps codings, `uploads` stores what is sent, if
    anything may be.
    """

    isLeaf = True

    def __init__(
        self,
        root: Root,
        clock: IReactorTime,
        *,
        base: Names = (),
        index: Sequence[str] = INDEX_NAMES,
        types: MediaTypes | None = None,
        ignore_ext: Sequence[str] = (),
        try_files: TryFiles | None = None,
        list_folders: bool = True,
        expires: Expires | None = None,
        visits: Visits | None = None,
        aside: Aside | None = None,
        listers: Aside | None = None,
        made: MadeBodies | None = None,
        uploads: Uploads | None = None,
    ) -> None:
        super().__init__()
        self._root = root
        self._clock = clock
        self._uploads = uploads
        self.base = base
        self._list_folders = list_folders
        self._counts = visits is not None
        self._aside = aside or AtOnce()
        self._listers = listers or self._aside
        made = made or MadeBodies(AtOnce())
        self._choosing = Choosing(root, index=index, ignore_ext=ignore_ext, try_files=try_files)
        self._selecting = Selecting(root, types or MediaTypes(), expires, made.makers)
        self._delivery = Delivery(clock, self._aside, made, visits)

    # Twisted calls this.
    def render(self, request: WebRequest) -> int:
        asked = self._asked(request)
        if self._uploads is not None and request.verb in ("PUT", "POST"):
            self._take(request, asked, self._uploads)
            return NOT_DONE_YET
        if self._aside.in_threads and self._root.opens_at_once:
            try:
                decided = self.decide(asked, at_once=True)
            except NotInMemory:
                pass
            else:
                self._answer(decided, request, asked)
                return NOT_DONE_YET
        waiting = self._aside.run(asked.place, self.decide, asked, unwanted=self._drop)
        self._answer_when(waiting, request, asked)
        return NOT_DONE_YET

    def body_limit(self, request: WebRequest) -> int | None:
        """The bytes of a body that brings files; None for others.  Raises HTTPError."""
        if self._uploads is None or request.verb not in ("PUT", "POST"):
            return None
        return self._uploads.body_limit(request.verb, request.header("Authorization"))

    def decide(self, asked: Asked, *, at_once: bool = False) -> Decided:
        """Which file and which of its representations is sent, or what instead; in any thread.

        Raises:
            HTTPError: there is nothing to send.
            NotInMemory: `at_once` was asked for, and the disk has to be asked.
            OSError: the disk failed.
        """
        try:
            found = self._choosing.find(asked.names, asked.slash, at_once=at_once)
            if asked.verb in ("GET", "HEAD"):
                if found.what is What.FILE:
                    return self._select(asked, found, at_once)
                if found.what is What.FOLDER and self._list_folders:
                    return Folder(found.opened, found.names)
            with found.opened:
                return self._decide_otherwise(asked, found)
        except Absent:
            raise HTTPError(404) from None
        except NotThere as absent:
            raise HTTPError(absent.status) from None
        except Forbidden:
            raise HTTPError(403) from None
        except NotAcceptable:
            raise HTTPError(406, headers=[("Vary", "Accept, Accept-Encoding")]) from None
        except Exhausted:
            raise HTTPError(503, "Too many files are open.", [("Retry-After", "5")]) from None

    def _select(self, asked: Asked, found: Found, at_once: bool) -> Selected:
        accepted = asked.accept_encoding
        if self._counts:
            kind = self._selecting.type_of(found.names)
            if is_counted(kind, found.opened.status.st_size):
                accepted = ""
        return self._selecting.select(found.opened, found.names, accepted, at_once=at_once)

    def _decide_otherwise(self, asked: Asked, found: Found) -> Response:
        methods: Sequence[str] = METHODS
        if self._uploads is not None:
            methods = FILE_METHODS if found.what is What.FILE else FOLDER_METHODS
        if asked.verb == "OPTIONS":
            return allowed_methods(methods)
        if asked.verb not in methods:
            raise refusal_of(asked.verb, methods)
        if found.what is What.BARE:
            return _with_slash((*self.base, *found.names), asked.query)
        raise Absent

    def _list(self, asked: Asked, folder: Folder, is_wanted: Callable[[], bool]) -> Response:
        with folder.opened:
            if not is_wanted():
                raise CancelledError
            entries = self._root.entries(folder.opened, folder.names)
            path = (*self.base, *folder.names)
            takes_files = self._uploads is not None
            return listing(path, entries, asked.sort, asked.accept, takes_files=takes_files)

    def _asked(self, request: WebRequest) -> Asked:
        segments = request.target.segments[len(self.base) :]
        slash = bool(segments) and not segments[-1]
        return Asked(
            request.verb,
            segments[:-1] if slash else segments,
            slash,
            request.target.query,
            request.args.get(b"sort", [b""])[0].decode("latin-1"),
            request.header("Accept"),
            request.header("Accept-Encoding"),
        )

    def _take(self, request: WebRequest, asked: Asked, uploads: Uploads) -> None:
        sent = Sent(
            asked.verb,
            (*self.base, *asked.names),
            asked.names,
            asked.slash,
            request.content,
            request.header("Content-Type"),
            request.header("Content-Encoding").lower(),
            request.header("Content-Range"),
            request.header("Authorization"),
            Conditions.read(request.header),
        )
        now = self._clock.seconds()
        storing = self._aside.run(asked.place, uploads.take, self._root, sent, now)
        self._answer_when(storing, request, asked)

    def _answer_when(
        self, waiting: Deferred[Response] | Deferred[Decided], request: WebRequest, asked: Asked
    ) -> None:
        waiting.addCallback(self._answer, request, asked).addErrback(_fail, request)
        if not request.is_over:
            request.when_over().addErrback(lambda _: waiting.cancel())

    def _answer(self, decided: Decided, request: WebRequest, asked: Asked) -> None:
        if isinstance(decided, Response):
            request.respond(decided)
        elif isinstance(decided, Selected):
            self._delivery.deliver(request, decided)
        elif request.is_over:
            decided.opened.close()
        else:
            # It is not cancelled: a thread may have the descriptor, and closes it.
            listing = self._listers.run(
                asked.place, self._list, asked, decided, lambda: not request.is_over
            )
            listing.addErrback(_closed, decided)
            listing.addCallback(request.respond).addErrback(_fail, request)

    def _drop(self, decided: Decided) -> None:
        if isinstance(decided, Selected):
            self._delivery.close(decided)
        elif isinstance(decided, Folder):
            decided.opened.close()


def build_files(
    path: Path,
    clock: IReactorTime,
    *,
    dotfiles: bool = False,
    follow_symlinks: bool = False,
    **options: object,
) -> Files:
    """The resource for the folder `path`; the other options are those of Files."""
    root = Root(path, dotfiles=dotfiles, follow_symlinks=follow_symlinks)
    return Files(root, clock, **options)  # type: ignore[arg-type]


def _fail(failure: Failure, request: WebRequest) -> None:
    # A peer that left needs no answer, and its going is nobody's mistake.
    if not (request.is_over and failure.check(CancelledError)):
        request.fail(failure)


def _closed(failure: Failure, folder: Folder) -> Failure:
    """Nobody is going to list it."""
    folder.opened.close()
    return failure


def _with_slash(path: Names, query: bytes) -> Response:
    """A folder's address ends in a slash, or the relative links in it would lead astray.

    The path is put together again from what was opened, so it begins with exactly one slash and
    never names another host.
    """
    location = "".join("/" + quote_from_bytes(name, safe="") for name in path) + "/"
    if query:
        location += "?" + quote_from_bytes(query, safe="%/?:@!$&'()*+,;=-._~")
    return Response(301, f"{location}\n".encode(), TEXT, [("Location", location)])
