from __future__ import annotations

import pytest

from proto.web.mime import MediaTypes


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (b"index.html", "text/html; charset=utf-8"),
        (b"INDEX.HTM", "text/html; charset=utf-8"),
        (b"style.css", "text/css; charset=utf-8"),
        (b"a.js", "text/javascript; charset=utf-8"),
        (b"a.mjs", "text/javascript; charset=utf-8"),
        (b"a.json", "application/json"),
        (b"a.wasm", "application/wasm"),
        (b"a.svg", "image/svg+xml"),
        (b"a.png", "image/png"),
        (b"a.tar.gz", "application/gzip"),
        (b"README", "application/octet-stream"),
        (b"a.\xff", "application/octet-stream"),
        (b".html", "application/octet-stream"),
    ],
)
def test_the_type_follows_the_last_extension(name: bytes, kind: str) -> None:
    assert MediaTypes().of(name) == kind


def test_the_operator_has_the_last_word() -> None:
    types = MediaTypes({".HTML": "text/html; charset=latin-1", ".x": "text/x"}, "text/plain")
    assert types.of(b"a.html") == "text/html; charset=latin-1"
    assert types.of(b"a.x") == "text/x; charset=utf-8"
    assert types.of(b"README") == "text/plain; charset=utf-8"
