"""Content codings (RFC 9110 section 12.5.3): which one a request likes best, and how it is made.

gzip is always there; br and zstd are made where the packages brotli and zstandard are installed.
Values in, values out; no file, no request.
"""

from __future__ import annotations

import importlib
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

# The smallest first: of two that are liked alike the earlier one is sent.
EXTENSIONS: Final = {"br": b".br", "zstd": b".zst", "gzip": b".gz"}
IDENTITY: Final = ""

# Below, a head is longer than what is saved; above, a thread would be busy for too long.
MIN_SOURCE: Final = 256
MAX_SOURCE: Final = 1024 * 1024

_QUALITY: Final = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII)
_MAX_CODINGS: Final = 32
# Less than any quality that can be written: identity, where nothing is said of it.
_UNSAID: Final = 0.0001

# A type whose bytes are packed already; what is not among these is looked for beside the file.
_PACKED: Final = re.compile(
    r"image/(?!svg|bmp|x-icon|vnd\.microsoft\.icon)|audio/|video/|font/woff"
    r"|application/(?:gzip|zip|zstd|x-(?:7z-compressed|brotli|bzip2|xz|rar)|vnd\.rar)"
)
_TEXTUAL: Final = re.compile(
    r"text/|font/(?:otf|ttf)|image/(?:svg|bmp|x-icon|vnd\.microsoft\.icon)|[\w.-]+/[\w.-]+\+(?:json|xml)"
    r"|application/(?:json|javascript|xml|wasm|yaml|toml|x-sh|sql|rtf|x-tex|postscript|ld\+json)"
)


@dataclass(frozen=True, slots=True)
class Maker:
    """How a coding is made.  `stamp` is in the tag: another version may give other bytes."""

    make: Callable[[bytes], bytes]
    stamp: str


def wanted_codings(header: str) -> dict[str, float]:
    """What an Accept-Encoding field says of each coding; a quality that is none counts as 0."""
    wanted: dict[str, float] = {}
    for item in header.split(",")[:_MAX_CODINGS]:
        name, *parameters = (part.strip(" \t").lower() for part in item.split(";"))
        if not name:
            continue
        quality = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.rstrip() == "q":
                quality = float(value) if _QUALITY.fullmatch(value) else 0.0
        wanted["gzip" if name == "x-gzip" else name] = quality
    return wanted


def choose_coding(header: str, offers: Sequence[str]) -> str | None:
    """The one of `offers` that is liked best, the earlier of equals; IDENTITY when none is better.

    None when identity is refused and nothing that is offered is accepted (406).
    """
    wanted = wanted_codings(header)
    others = wanted.get("*")
    plain = wanted.get("identity", 0.0 if others == 0.0 else _UNSAID)
    chosen, best = None, 0.0
    for coding in offers:
        quality = wanted.get(coding, others or 0.0)
        if quality > best:
            chosen, best = coding, quality
    if plain > best:
        return IDENTITY
    return chosen


def is_packed(kind: str) -> bool:
    """Whether files of this media type are not looked for in a coding."""
    return _PACKED.match(kind) is not None


def is_worth_making(kind: str, size: int) -> bool:
    """Whether a file of this media type and size is sent in a coding that is made here."""
    return MIN_SOURCE <= size <= MAX_SOURCE and _TEXTUAL.match(kind) is not None


def find_makers() -> Mapping[str, Maker]:
    """What can be made here, by coding, in the order of EXTENSIONS."""
    found = {"br": _brotli(), "zstd": _zstandard(), "gzip": _gzip()}
    return {coding: maker for coding, maker in found.items() if maker is not None}


def _gzip() -> Maker:
    def make(data: bytes) -> bytes:
        packer = zlib.compressobj(6, zlib.DEFLATED, 31)  # 31: with gzip's head, and no time in it
        return packer.compress(data) + packer.flush()

    return Maker(make, _stamp("gzip 6", zlib.ZLIB_RUNTIME_VERSION))


def _brotli() -> Maker | None:
    brotli = _installed("brotli")
    if brotli is None:
        return None

    def make(data: bytes) -> bytes:
        packed: bytes = brotli.compress(data, quality=5)
        return packed

    return Maker(make, _stamp("br 5", brotli.__version__))


def _zstandard() -> Maker | None:
    zstandard = _installed("zstandard")
    if zstandard is None:
        return None

    def make(data: bytes) -> bytes:
        # A compressor of its own: they are not for two threads at a time.
        packed: bytes = zstandard.ZstdCompressor(level=9).compress(data)
        return packed

    return Maker(make, _stamp("zstd 9", f"{zstandard.__version__} {zstandard.ZSTD_VERSION}"))


def _installed(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _stamp(how: str, version: str) -> str:
    return f"{zlib.crc32(f'{how} {version}'.encode()) & 0xFFFF:04x}"
