"""Files that are sent to us: PUT, and the form of a listing page; only with the token.

A file is never put over another unless the request names the version that it replaces (If-Match).
All of this may wait for a disk, and is called where that hurts nobody; no twisted.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_from_bytes

from proto.errors import StartError
from proto.web.conditional import Conditions, Verdict, judge, validators_of
from proto.web.files import Root
from proto.web.formdata import CHUNK, BadForm, Part, boundary_of, parts_of
from proto.web.response import TEXT, HTTPError, Response, refusal_of
from proto.web.storing import Allow, store
from proto.web.tryfiles import Names

FORM: Final = 64 * 1024
"""Bytes that a form may have besides its files."""
MIN_TOKEN: Final = 16
MAX_TOKEN: Final = 1024
FILE_METHODS: Final = ("GET", "HEAD", "OPTIONS", "PUT")
FOLDER_METHODS: Final = ("GET", "HEAD", "OPTIONS", "POST")

# The tag of a coding that was made of a file names the version of the file, too.
_VARIANT: Final = re.compile(r'("[0-9a-f]+-[0-9a-f]+-[0-9a-f]+)-[a-z0-9]+"')


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that brings files.  `address` is the whole path, `names` those below the root."""

    verb: str
    address: Names
    names: Names
    slash: bool
    content: Any
    content_type: str
    content_encoding: str
    content_range: str
    authorization: str
    conditions: Conditions


class Uploads:
    """What may be stored below the folders that are served; `limit` is in bytes for each file."""

    def __init__(self, token: bytes, limit: int) -> None:
        self._digest = hashlib.sha256(token).digest()
        self._limit = limit

    def body_limit(self, verb: str, authorization: str) -> int:
        """Bytes of a body that may bring files.

        Raises:
            HTTPError: 401 for PUT without the token, so that the file need not come.
        """
        if verb == "PUT":
            self._check_token(authorization)
        return self._limit if verb == "PUT" else self._limit + FORM

    def take(self, root: Root, sent: Sent, now: float) -> Response:
        """Store what was sent.

        Raises:
            HTTPError: it may not be stored, or is malformed.
            OSError: the disk failed.
        """
        is_folder = sent.slash or not sent.names
        if sent.verb == "PUT":
            if is_folder:
                raise refusal_of("PUT", FOLDER_METHODS)
            return self._put(root, sent, now)
        if not is_folder:
            raise refusal_of("POST", FILE_METHODS)
        return self._post(root, sent)

    def _put(self, root: Root, sent: Sent, now: float) -> Response:
        self._check_token(sent.authorization)
        if sent.content_range:
            raise HTTPError(400, "A part of a file cannot be put.")  # RFC 9110 section 14.5
        if sent.content_encoding not in ("", "identity"):
            raise HTTPError(415, "A file is put as it is, without a coding.")
        allow = _allow_named_version(sent.conditions, now)
        chunks = _chunks(sent.content)
        status, is_new = store(root, sent.names, chunks, self._limit, allow)
        have = validators_of(status.st_size, status.st_mtime_ns, status.st_ino, now)
        headers = [("ETag", have.etag)]
        if not is_new:
            return Response(204, headers=headers)
        location = _path(sent.address)
        return Response(201, f"{location}\n".encode(), TEXT, [*headers, ("Location", location)])

    def _post(self, root: Root, sent: Sent) -> Response:
        if not sent.content_type.lower().startswith("multipart/form-data"):
            raise HTTPError(415, "Files are sent here as multipart/form-data.")
        may = self._is_token(sent.authorization)
        stored = 0
        for _ in _parts(sent):  # all of it, before anything is stored: it may be malformed
            pass
        for part in _parts(sent):
            if part.name == b"token":
                may = may or self._has_digest(part.value(MAX_TOKEN).strip())
            elif part.filename is not None:
                if not may:
                    raise _no_token()
                stored += self._store_part(root, sent.names, part)
        if not may:
            raise _no_token()
        if not stored:
            raise BadForm("There is no file in the form.")
        folder = _path(sent.address).rstrip("/") + "/"
        return Response(303, f"{folder}\n".encode(), TEXT, [("Location", folder)])

    def _store_part(self, root: Root, folder: Names, part: Part) -> bool:
        """Whether there was a file: a browser sends an empty one when none was chosen."""
        name = re.split(rb"[/\\]", part.filename or b"")[-1]
        if not name:
            return False

        def allow(present: os.stat_result | None) -> None:
            if present is not None:
                shown = name.decode("utf-8", "replace")
                raise HTTPError(409, f"There is a file {shown} already; it stays as it is.")

        store(root, (*folder, name), part.chunks, self._limit, allow)
        return True

    def _check_token(self, authorization: str) -> None:
        if not self._is_token(authorization):
            raise _no_token()

    def _is_token(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        return scheme.lower() == "bearer" and self._has_digest(token.strip(" ").encode("latin-1"))

    def _has_digest(self, token: bytes) -> bool:
        return hmac.compare_digest(hashlib.sha256(token).digest(), self._digest)


def read_token(path: Path) -> bytes:
    """The token that a file holds.  Raises StartError if it cannot be read or is too short."""
    try:
        token = path.read_bytes().strip()
    except OSError as error:
        raise StartError(
            f"--upload-token-file {path} cannot be read ({error.strerror}): "
            "name a file with a token in it"
        ) from error
    if not MIN_TOKEN <= len(token) <= MAX_TOKEN or not token.isascii() or len(token.split()) > 1:
        raise StartError(
            f"--upload-token-file {path} holds no token of {MIN_TOKEN} to {MAX_TOKEN} characters: "
            f"make one, openssl rand -hex 16 >{path}"
        )
    return token


def _no_token() -> HTTPError:
    return HTTPError(401, "The token is missing or wrong.", [("WWW-Authenticate", "Bearer")])


def _allow_named_version(asked: Conditions, now: float) -> Allow:
    asked = replace(asked, if_match=_VARIANT.sub(r'\1"', asked.if_match))

    def allow(present: os.stat_result | None) -> None:
        if present is None:
            if asked.if_match:
                raise HTTPError(412, "There is no such file to replace.")
            return
        have = validators_of(present.st_size, present.st_mtime_ns, present.st_ino, now)
        if judge("PUT", asked, have, now) is Verdict.FAILED:
            raise HTTPError(412, headers=[("ETag", have.etag)])
        if not asked.if_match:
            raise HTTPError(
                428, "There is a file already: say in If-Match which version you replace."
            )

    return allow


def _parts(sent: Sent) -> Iterator[Part]:
    sent.content.seek(0)
    return parts_of(sent.content, boundary_of(sent.content_type))


def _chunks(content: Any) -> Iterator[bytes]:
    content.seek(0)
    while chunk := content.read(CHUNK):
        yield chunk


def _path(names: Names) -> str:
    return "/" + "/".join(quote_from_bytes(name, safe="") for name in names)
