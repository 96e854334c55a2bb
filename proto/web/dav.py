"""WebDAV (RFC 4918) for a folder: wsgidav behind our WSGI door, and a lock before it.

What wsgidav is asked, how large that may be, and what is made of its answers; what is on the disk
is in `davfiles`, what clients lock and note in `davstate`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from constantly import NamedConstant  # type: ignore[import-untyped]
from twisted.internet.defer import Deferred
from twisted.logger import Logger, LogLevel
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from wsgidav.dav_error import (  # type: ignore[import-untyped]
    HTTP_INTERNAL_ERROR,
    DAVError,
    as_DAVError,
    get_http_status_string,
)
from wsgidav.mw.base_mw import BaseMiddleware  # type: ignore[import-untyped]
from wsgidav.request_resolver import RequestResolver  # type: ignore[import-untyped]
from wsgidav.wsgidav_app import WsgiDAVApp  # type: ignore[import-untyped]

from proto.web.auth import credentials_of
from proto.web.davfiles import Folder
from proto.web.davstate import Locks, Properties
from proto.web.request import WebRequest
from proto.web.response import HTTPError, Response
from proto.web.wsgi.call import Application, Environ
from proto.web.wsgi.resource import Pool, WsgiResource
from proto.web.wsgi.streams import Post

XML_BYTES: Final = 64 * 1024
"""Bytes of a body that is no file; it is parsed in memory, and each name in it takes its time."""
LONGEST_LINE: Final = 8 * 1024

_FINITE: Final = (
    b'<?xml version="1.0" encoding="utf-8"?>\n'
    b'<D:error xmlns:D="DAV:"><D:propfind-finite-depth/></D:error>\n'
)

Check = Callable[[WebRequest], Deferred[None] | None]


class DavResource(Resource):
    """A folder for WebDAV clients, behind the password that `check` asks for."""

    isLeaf = True

    def __init__(self, application: Application, pool: Pool, check: Check | None = None) -> None:
        """Without a `check` everybody may do everything."""
        super().__init__()
        self._check = check
        self._inner = WsgiResource(application, pool, variables=self._variables)

    # Twisted calls this.
    def render(self, request: WebRequest) -> int:
        waiting = None if self._check is None else self._check(request)
        if waiting is None:
            return self._enter(request)
        waiting.addCallback(lambda _: self._enter(request)).addErrback(request.fail)
        return NOT_DONE_YET

    def _enter(self, request: WebRequest) -> int:
        if request.is_over:
            return NOT_DONE_YET
        if not _is_text(request.postpath or ()):
            raise HTTPError(404)
        if request.method == b"PROPFIND" and request.header("Depth") not in ("0", "1"):
            # RFC 4918, 9.1.1: a server may refuse to list all that there is.
            request.respond(Response(403, _FINITE, "application/xml; charset=utf-8"))
            return NOT_DONE_YET
        if request.method != b"PUT" and request.body is not None:
            length = request.header("Content-Length")
            if not length:  # wsgidav would take it for no body at all
                raise HTTPError(411, "Tell the length of the body.")
            if int(length) > XML_BYTES:
                raise HTTPError(413, f"A body that is no file may have {XML_BYTES} bytes here.")
        return self._inner.render(request)

    def _variables(self, request: WebRequest) -> Environ:
        credentials = None if self._check is None else credentials_of(request)
        return {"wsgidav.auth.user_name": "" if credentials is None else credentials[0]}


def _is_text(segments: Sequence[bytes]) -> bool:
    try:
        b"/".join(segments).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def dav_application(folder: Path, path: str, *, read_only: bool = False) -> Application:
    """What answers for a folder that stands at `path` in the tree."""
    inner = WsgiDAVApp(
        {
            "mount_path": path.rstrip("/") or None,
            "provider_mapping": {"/": Folder(folder, read_only=read_only)},
            "middleware_stack": [_Refusals, RequestResolver],
            "property_manager": Properties(),
            "lock_storage": None if read_only else Locks(),
            "verbose": 1,
            "logging": {"enable": False},
            "suppress_version_info": True,
        }
    )

    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        return _Answer(environ, start_response).of(inner)

    return application


class _Answer:
    """An answer of wsgidav without what is ours to say, and without its pages."""

    def __init__(self, environ: Environ, start_response: Callable[..., Any]) -> None:
        self._environ = environ
        self._start_response = start_response
        self._is_page = False

    def of(self, application: Application) -> Iterator[bytes]:
        """The body."""
        parts: Any = application(self._environ, self._start)
        try:
            for data in parts:
                yield b"" if self._is_page else data
        finally:
            parts.close()

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        kept = {name.lower(): (name, value) for name, value in headers}
        kept.pop("connection", None)  # is the server's
        kept.pop("date", None)
        is_file = self._environ["REQUEST_METHOD"] in ("GET", "HEAD")
        if not is_file and kept.get("content-type", ("", ""))[1].startswith("text/html"):
            self._is_page = True
            del kept["content-type"]
            kept["content-length"] = ("Content-Length", "0")
        return self._start_response(status, list(kept.values()), exc_info)


class _Refusals(BaseMiddleware):  # type: ignore[misc]
    """What wsgidav refuses, in one line that tells nothing of the server."""

    log = logging.getLogger("wsgidav.refusals")

    # wsgidav calls this.
    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterator[bytes]:
        parts = self.next_app(environ, start_response)
        try:
            yield from parts
        except DAVError as error:
            yield self._refuse(error, start_response)
        except Exception as error:
            yield self._refuse(as_DAVError(error), start_response)
        finally:
            parts.close()

    def _refuse(self, error: DAVError, start_response: Callable[..., Any]) -> bytes:
        status = get_http_status_string(error)
        if error.value == HTTP_INTERNAL_ERROR:
            self.log.error("a request failed: %r", error.src_exception or error.context_info)
        kind, body = "text/plain; charset=utf-8", f"{status}\n".encode()
        if error.err_condition:
            kind, body = error.get_response_page()
        if error.value in (204, 304) or not error.add_body:
            body = b""
        fields = [("Content-Type", kind), ("Content-Length", str(len(body)))]
        start_response(status, [*fields, *(error.add_headers or [])])
        return body


class Relay(logging.Handler):
    """Tells our log what wsgidav tells the standard one, from whatever thread."""

    to = Logger()

    def __init__(self, post: Post) -> None:
        """`post` has something called in the reactor."""
        super().__init__(logging.WARNING)
        self._post = post
        self._source = logging.getLogger("wsgidav")

    def start(self) -> None:
        """Listen."""
        self._source.propagate = False
        self._source.addHandler(self)

    def stop(self) -> None:
        """Listen no more."""
        self._source.removeHandler(self)
        self._source.propagate = True

    # logging calls this.
    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()[:LONGEST_LINE].encode("unicode_escape").decode("ascii")
        level = LogLevel.error if record.levelno >= logging.ERROR else LogLevel.warn
        self._post(self._tell, level, line)

    # The reactor calls this.
    def _tell(self, level: NamedConstant, line: str) -> None:
        self.to.emit(level, "wsgidav says: {line}", line=line)
