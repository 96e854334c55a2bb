"""A file name -> its media type.  The table does not depend on what is installed in /etc."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Mapping
from typing import Final

DEFAULT_TYPE: Final = "application/octet-stream"

# What Python's own table lacks or, before 3.12, has otherwise than RFC 9239 and browsers want.
_MORE: Final = {
    ".7z": "application/x-7z-compressed",
    ".avif": "image/avif",
    ".br": "application/x-brotli",
    ".bz2": "application/x-bzip2",
    ".flac": "audio/flac",
    ".gz": "application/gzip",
    ".js": "text/javascript",
    ".log": "text/plain",
    ".m4a": "audio/mp4",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".ogg": "audio/ogg",
    ".otf": "font/otf",
    ".rst": "text/x-rst",
    ".toml": "application/toml",
    ".ttf": "font/ttf",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xz": "application/x-xz",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zst": "application/zstd",
}


class MediaTypes:
    """The media types of files, with what the operator says on top.

    `overrides` maps an extension with its dot to a type; `default` is for unknown ones.
    """

    def __init__(
        self, overrides: Mapping[str, str] | None = None, default: str = DEFAULT_TYPE
    ) -> None:
        self._default = _with_charset(default)
        table = {**mimetypes.MimeTypes().types_map[True], **_MORE}
        table.update((extension.lower(), kind) for extension, kind in (overrides or {}).items())
        self._types = {extension: _with_charset(kind) for extension, kind in table.items()}

    def of(self, name: bytes) -> str:
        """The value of Content-Type for a file of that name."""
        extension = os.path.splitext(name)[1].decode("ascii", "replace").lower()
        return self._types.get(extension, self._default)


def _with_charset(kind: str) -> str:
    """Text is UTF-8 unless the operator says otherwise; a browser would guess windows-1252."""
    if kind.startswith("text/") and "charset=" not in kind:
        return f"{kind}; charset=utf-8"
    return kind
