from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from proto.errors import StartError
from proto.web.handlers import Handlers
from proto.web.site import ProtoSite
from proto.web.static import build_files
from proto.web.tree import build_tree
from proto.web.upload import Uploads, read_token
from tests.support import connect
from tests.web.wire import Answer, ask, clock_now, hang_up, site_for

TOKEN = "0123456789abcdef"
BEARER = f"Bearer {TOKEN}"
TEXT = b"text " * 100


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_bytes(TEXT)
    yield root
    assert not [path for path in root.rglob("*") if path.name.startswith(".upload-")]


@pytest.fixture
def site(folder: Path) -> ProtoSite:
    clock = clock_now()
    files = build_files(folder, clock, uploads=Uploads(TOKEN.encode(), 10_000))
    return site_for(build_tree(None, clock, files=files))


def put(site: ProtoSite, path: str, body: bytes = b"new", **headers: str) -> Answer:
    return ask(site, path, "PUT", body, **{"Authorization": BEARER, **headers})


def form(*parts: tuple[str, bytes]) -> bytes:
    """A form whose parts are given by what their disposition says beside form-data."""
    return b"".join(
        b"--XX\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (said.encode(), value)
        for said, value in parts
    ) + (b"--XX--\r\n")


def post(site: ProtoSite, path: str, *parts: tuple[str, bytes], **headers: str) -> Answer:
    kind = {"Content_Type": "multipart/form-data; boundary=XX"}
    return ask(site, path, "POST", form(*parts), **{**kind, **headers})


WITH_TOKEN = ('name="token"', TOKEN.encode())
A_FILE = ('name="file"; filename="new.txt"', b"one\r\ntwo")


# PUT


def test_a_new_file_is_201_and_can_be_fetched(site: ProtoSite, folder: Path) -> None:
    answer = put(site, "/sub/caf%C3%A9%20%231.txt", b"new")
    assert (answer.status, answer.headers["Location"]) == (201, "/sub/caf%C3%A9%20%231.txt")
    assert (folder / "sub" / "café #1.txt").read_bytes() == b"new"
    fetched = ask(site, answer.headers["Location"])
    assert (fetched.body, fetched.headers["ETag"]) == (b"new", answer.headers["ETag"])


def test_an_empty_file_is_a_file(site: ProtoSite, folder: Path) -> None:
    assert put(site, "/empty", b"").status == 201
    assert (folder / "empty").read_bytes() == b""


def test_without_the_token_nothing_is_stored(site: ProtoSite, folder: Path) -> None:
    for given in ("", "Bearer", "Bearer x", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer \xff"):
        answer = put(site, "/new", Authorization=given)
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert not (folder / "new").exists()


def test_an_existing_file_stays_unless_its_version_is_named(site: ProtoSite, folder: Path) -> None:
    assert put(site, "/a.txt").status == 428
    assert put(site, "/a.txt", If_Match='"x"').status == 412
    assert put(site, "/a.txt", If_None_Match="*").status == 412
    assert (folder / "a.txt").read_bytes() == TEXT
    tag = ask(site, "/a.txt").headers["ETag"]
    answer = put(site, "/a.txt", If_Match=tag)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["ETag"] == ask(site, "/a.txt").headers["ETag"] != tag
    assert put(site, "/a.txt", If_Match=tag).status == 412
    assert put(site, "/a.txt", If_Match="*").status == 204


def test_the_tag_of_a_coding_names_the_version_too(site: ProtoSite) -> None:
    for coding in ("gzip", "br", "zstd"):
        (tag := ask(site, "/a.txt", Accept_Encoding=coding).headers["ETag"])
        assert put(site, "/a.txt", TEXT + coding.encode(), If_Match=tag).status == 204


def test_a_new_file_cannot_replace_a_version(site: ProtoSite) -> None:
    assert put(site, "/new", If_Match="*").status == 412
    assert put(site, "/new", If_None_Match="*").status == 201
    assert put(site, "/new", If_None_Match="*").status == 412


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 405),
        ("/sub/", 405),
        ("/sub", 409),
        ("/none/a", 409),
        ("/a.txt/a", 409),
        ("/.hidden", 403),
        ("/../a", 400),
        ("/sub%2fa", 400),
        ("/a%0Ab", 400),
    ],
)
def test_some_addresses_are_not_for_files(site: ProtoSite, path: str, status: int) -> None:
    assert put(site, path).status == status


def test_what_is_no_whole_file_is_refused(site: ProtoSite) -> None:
    assert put(site, "/new", Content_Range="bytes 0-2/9").status == 400
    assert put(site, "/new", Content_Encoding="gzip").status == 415
    assert put(site, "/new", b"x" * 10_001).status == 413
    assert put(site, "/new", b"x" * 10_000).status == 201


def test_files_and_folders_say_what_can_be_done_with_them(site: ProtoSite) -> None:
    assert ask(site, "/a.txt", "OPTIONS").headers["Allow"] == "GET, HEAD, OPTIONS, PUT"
    assert ask(site, "/sub/", "OPTIONS").headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert ask(site, "/a.txt", "DELETE").headers["Allow"] == "GET, HEAD, OPTIONS, PUT"
    assert put(site, "/sub/").headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert post(site, "/a.txt", WITH_TOKEN).headers["Allow"] == "GET, HEAD, OPTIONS, PUT"


# The form


def test_the_listing_has_a_form_that_may_be_sent(site: ProtoSite) -> None:
    listing = ask(site, "/sub/")
    assert b'<form method="post" enctype="multipart/form-data">' in listing.body
    assert "form-action 'self'" in listing.headers["Content-Security-Policy"]
    assert json.loads(ask(site, "/sub/", Accept="application/json").body)["entries"] == []


def test_files_from_the_form_are_stored_and_the_listing_is_next(
    site: ProtoSite, folder: Path
) -> None:
    second = ('name="file"; filename="caf%22.txt"', b"2")
    answer = post(site, "/sub/", WITH_TOKEN, A_FILE, second)
    assert (answer.status, answer.headers["Location"]) == (303, "/sub/")
    assert (folder / "sub" / "new.txt").read_bytes() == b"one\r\ntwo"
    assert (folder / "sub" / 'caf".txt').read_bytes() == b"2"


def test_the_form_needs_the_token_before_the_file(site: ProtoSite, folder: Path) -> None:
    wrong = ('name="token"', b"x")
    for parts in ((A_FILE,), (A_FILE, WITH_TOKEN), (wrong, A_FILE), (wrong,)):
        assert post(site, "/", *parts).status == 401
    assert not (folder / "new.txt").exists()
    assert post(site, "/", A_FILE, Authorization=BEARER).status == 303


def test_a_form_never_replaces_a_file(site: ProtoSite, folder: Path) -> None:
    again = ('name="file"; filename="a.txt"', b"new")
    assert post(site, "/", WITH_TOKEN, again).status == 409
    assert (folder / "a.txt").read_bytes() == TEXT


@pytest.mark.parametrize(
    ("filename", "status", "stored"),
    [
        ("../../up.txt", 303, "up.txt"),
        (r"C:\\dir\\up.txt", 303, "up.txt"),
        (".hidden", 403, ""),
        ("a%0Ab", 400, ""),
        ("", 400, ""),
    ],
)
def test_only_the_last_part_of_a_name_counts(
    site: ProtoSite, folder: Path, filename: str, status: int, stored: str
) -> None:
    before = set(os.listdir(folder / "sub"))
    part = (f'name="file"; filename="{filename}"', b"up")
    assert post(site, "/sub/", WITH_TOKEN, part).status == status
    assert set(os.listdir(folder / "sub")) - before == ({stored} if stored else set())
    assert not (folder / "up.txt").exists()


def test_what_is_no_form_is_refused(site: ProtoSite) -> None:
    assert ask(site, "/", "POST", b"x", Content_Type="text/plain").status == 415
    assert post(site, "/", WITH_TOKEN, Content_Type="multipart/form-data").status == 400
    assert post(site, "/", WITH_TOKEN).status == 400
    assert ask(site, "/a.txt", "POST", b"x").status == 405


def test_a_form_is_not_taken_into_memory_where_files_are_sent(folder: Path) -> None:
    clock = clock_now()
    files = build_files(folder, clock, uploads=Uploads(TOKEN.encode(), 10_000))
    asked: list[dict[bytes, list[bytes]]] = []
    handlers = Handlers()
    handlers.register("/form", lambda request: asked.append(request.args), methods=["POST"])
    tree = build_tree(None, clock, files=files, handlers=handlers)
    for parses, args in ((True, {b"token": [TOKEN.encode()]}), (False, {})):
        site = site_for(tree, parses_multipart=parses)
        assert post(site, "/form", WITH_TOKEN).status == 204
        assert asked.pop() == args
    assert post(site, "/sub/", WITH_TOKEN, A_FILE).status == 303


# The token


def test_a_token_is_read_without_what_editors_put_around_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert read_token(tmp_path / "token") == TOKEN.encode()


@pytest.mark.parametrize("text", ["", "short", "two words of a token", "é" * 20, "x" * 1025])
def test_what_is_no_token_keeps_the_service_from_starting(tmp_path: Path, text: str) -> None:
    (tmp_path / "token").write_text(text)
    with pytest.raises(StartError, match="holds no token of 16 to 1024 characters"):
        read_token(tmp_path / "token")


def test_a_token_that_cannot_be_read_keeps_the_service_from_starting(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="cannot be read"):
        read_token(tmp_path / "none")


def test_a_file_without_the_token_is_refused_before_it_comes(folder: Path) -> None:
    clock = clock_now()
    files = build_files(folder, clock, uploads=Uploads(TOKEN.encode(), 10_000))
    tree = build_tree(None, clock, files=files)
    site = ProtoSite(tree, clock, max_body=100, body_limit=tree.body_limit)
    for token, first in ((b"x", b"HTTP/1.1 401 "), (TOKEN.encode(), b"HTTP/1.1 100 ")):
        protocol, wire = connect(site)
        protocol.dataReceived(
            b"PUT /new HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n"
            b"Expect: 100-continue\r\nAuthorization: Bearer " + token + b"\r\n\r\n"
        )
        assert wire.value().startswith(first)
        hang_up(protocol)
    assert put(site, "/new", b"x" * 10_000).status == 201
    assert put(site, "/other", b"x" * 10_001).status == 413
    assert post(site, "/", WITH_TOKEN, ('name="f"; filename="b"', b"x" * 10_000)).status == 303


def test_only_files_may_be_longer_than_other_bodies(folder: Path) -> None:
    clock = clock_now()
    handlers = Handlers()
    handlers.register("/api", lambda request: "taken", methods=["PUT", "POST"])
    files = build_files(folder, clock, uploads=Uploads(TOKEN.encode(), 10_000))
    tree = build_tree(None, clock, files=files, handlers=handlers, ready=dict)
    site = ProtoSite(tree, clock, max_body=100, body_limit=tree.body_limit)
    for path in ("/api", "/health", "/%zz"):
        assert put(site, path, b"x" * 101).status == 413
        assert put(site, path, b"x" * 100).status != 413
    assert ask(site, "/a.txt", "PATCH", b"x" * 101).status == 413


def test_of_a_form_that_is_malformed_at_its_end_nothing_is_stored(
    site: ProtoSite, folder: Path
) -> None:
    broken = form(WITH_TOKEN, A_FILE).removesuffix(b"--\r\n") + b"\r\nX: y\r\n\r\nz\r\n--XX--"
    kind = "multipart/form-data; boundary=XX"
    assert ask(site, "/", "POST", broken, Content_Type=kind).status == 400
    assert not (folder / "new.txt").exists()
