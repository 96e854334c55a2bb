from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proto.web.dates import http_date
from proto.web.site import ProtoSite
from proto.web.visits import MAX_PAGE, Visits
from tests.support import connect
from tests.web.descriptors import open_below
from tests.web.wire import DATE, NOW, Answer, ask, clock_now, request_bytes, site_of

CHANGED = NOW - 1000


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder of dated files; whatever a test does, no descriptor may stay open."""
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"0123456789")
    (root / "empty").write_bytes(b"")
    (root / "page.html").write_bytes(b"<body>hi</body>")
    (root / "sub" / "index.html").write_bytes(b"<p>index</p>")
    os.utime(root / "a.txt", (CHANGED, CHANGED))
    yield root
    assert open_below(root) == []


@pytest.fixture
def site(folder: Path) -> ProtoSite:
    return site_of(folder)


def ask_with(site: ProtoSite, headers: dict[str, str]) -> Answer:
    return ask(site, "/a.txt", "GET", b"", **headers)


def etag_of(path: Path) -> str:
    status = path.stat()
    return f'"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"'


def test_a_file_is_answered_byte_for_byte(folder: Path, site: ProtoSite) -> None:
    protocol, wire = connect(site)
    protocol.dataReceived(b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (
        wire.value()
        == (
            "HTTP/1.1 200 OK\r\n"
            "Server: proto\r\n"
            f"Date: {DATE}\r\n"
            "Content-Security-Policy: frame-ancestors 'self'\r\n"
            "Referrer-Policy: strict-origin-when-cross-origin\r\n"
            "X-Content-Type-Options: nosniff\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            f"ETag: {etag_of(folder / 'a.txt')}\r\n"
            f"Last-Modified: {http_date(CHANGED)}\r\n"
            "Accept-Ranges: bytes\r\n"
            "Content-Length: 10\r\n"
            "\r\n"
            "0123456789"
        ).encode()
    )


def test_head_has_the_head_of_get(site: ProtoSite) -> None:
    for path in ("/a.txt", "/empty", "/", "/sub", "/sub/", "/x"):
        get, head = ask(site, path), ask(site, path, "HEAD")
        assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")


def test_an_empty_file_is_empty(site: ProtoSite) -> None:
    answer = ask(site, "/empty")
    assert (answer.status, answer.headers["Content-Length"], answer.body) == (200, "0", b"")
    assert ask(site, "/empty", Range="bytes=0-").headers["Content-Range"] == "bytes */0"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/../a.txt", 400),
        ("/%2e%2e/a.txt", 400),
        ("/..%2fa.txt", 400),
        ("/a.txt%00", 400),
        ("/%zz", 400),
        ("/%252e%252e/a.txt", 404),
        ("/..\\a.txt", 404),
        ("/%5c..%5ca.txt", 404),
        ("/%c0%ae%c0%ae/a.txt", 404),
        ("/%ff", 404),
        ("/x", 404),
        ("/a.txt/", 404),
        ("/a.txt/x", 404),
        ("//a.txt", 404),
        ("/sub//index.html", 404),
        ("/.hidden", 404),
        ("/sub%2findex.html", 404),
        ("/" + "n" * 300, 404),
        ("no-slash", 400),
    ],
)
def test_what_is_no_file_is_refused(folder: Path, path: str, status: int) -> None:
    (folder / ".hidden").write_bytes(b"H")
    assert ask(site_of(folder), path).status == status


def test_dotfiles_and_outside_links_are_a_choice(folder: Path) -> None:
    (folder / ".hidden").write_bytes(b"H")
    (folder / "link").symlink_to("/etc/hostname")
    open_site = site_of(folder, dotfiles=True, follow_symlinks=True)
    assert ask(open_site, "/.hidden").body == b"H"
    assert ask(open_site, "/link").status == 200
    assert ask(site_of(folder), "/link").status == 404


def test_a_name_that_is_not_utf8_can_be_fetched_from_the_listing(folder: Path) -> None:
    with open(os.fsencode(folder) + b"/caf\xe9", "wb") as file:
        file.write(b"C")
    site = site_of(folder)
    entries = json.loads(ask(site, "/", Accept="application/json").body)["entries"]
    href = next(entry["href"] for entry in entries if entry["name"].startswith("caf"))
    assert ask(site, href.removeprefix(".")).body == b"C"


def test_a_file_has_get_head_and_options(site: ProtoSite) -> None:
    for path in ("/a.txt", "/sub", "/"):
        for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE"):
            refused = ask(site, path, method)
            assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
        options = ask(site, path, "OPTIONS")
        assert (options.status, options.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
        assert ask(site, path, "BREW").status == 501
    assert ask(site, "/x", "POST").status == 404


def test_connect_is_not_for_this_server(site: ProtoSite) -> None:
    assert ask(site, "example.org:443", "CONNECT").status == 405


def test_an_absolute_target_names_the_same_file(site: ProtoSite) -> None:
    assert ask(site, "http://localhost/a.txt").body == b"0123456789"


# Folders


def test_a_folder_without_slash_is_redirected_with_its_query(site: ProtoSite) -> None:
    answer = ask(site, "/sub?a=1&b=%20<>")
    assert answer.status == 301
    assert answer.headers["Location"] == "/sub/?a=1&b=%20%3C%3E"


@pytest.mark.parametrize("path", ["//evil", "//sub", "/%2fsub", "///sub", "/%5csub", "/%09/sub"])
def test_a_redirect_never_names_another_host(site: ProtoSite, path: str) -> None:
    answer = ask(site, path)
    assert answer.status == 404
    assert "Location" not in answer.headers


def test_a_folder_with_a_strange_name_is_redirected_to_itself(folder: Path) -> None:
    (folder / "\\evil.org ?#%").mkdir()
    location = ask(site_of(folder), "/%5cevil.org%20%3F%23%25").headers["Location"]
    assert location == "/%5Cevil.org%20%3F%23%25/"
    assert ask(site_of(folder), location).status == 200


def test_an_index_is_served_for_its_folder(folder: Path) -> None:
    answer = ask(site_of(folder), "/sub/")
    assert (answer.body, answer.headers["ETag"]) == (
        b"<p>index</p>",
        etag_of(folder / "sub" / "index.html"),
    )
    (folder / "sub" / "first.htm").write_bytes(b"first")
    chosen = site_of(folder, index=("none.html", "first.htm", "index.html"))
    assert ask(chosen, "/sub/").body == b"first"


def test_an_index_that_cannot_be_shown_is_passed_over(folder: Path) -> None:
    (folder / "index.html").symlink_to("/etc/hostname")
    (folder / "index.htm").mkdir()
    assert b"Files in /" in ask(site_of(folder), "/").body


def test_an_index_has_ranges_and_preconditions_too(site: ProtoSite) -> None:
    assert ask(site, "/sub/", Range="bytes=3-7").body == b"index"
    assert ask(site, "/sub/", Range="bytes=99-").status == 416
    assert ask(site, "/sub/", If_None_Match="*").status == 304


def test_a_folder_without_index_is_listed_or_not(folder: Path) -> None:
    answer = ask(site_of(folder), "/?sort=-size")
    assert answer.status == 200
    assert answer.body.index(b"./page.html") < answer.body.index(b"./a.txt")
    assert b"script-src" not in answer.headers["Content-Security-Policy"].encode()
    assert ask(site_of(folder, listing=False), "/").status == 404
    assert ask(site_of(folder, listing=False), "/sub/").status == 200


def test_a_file_without_permission_is_403(folder: Path, site: ProtoSite) -> None:
    (folder / "a.txt").chmod(0)
    me = os.geteuid()
    if me == 0:  # to whom every file is open
        os.seteuid(65534)
    try:
        assert ask(site, "/a.txt").status == 403
    finally:
        os.seteuid(me)


def test_without_descriptors_it_is_503_and_then_works_again(site: ProtoSite) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.open("/dev/null", os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 8, limits[1]))
    try:
        with suppress(OSError):
            while True:
                taken.append(os.dup(taken[0]))
        for path in ("/a.txt", "/sub/"):
            answer = ask(site, path)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    finally:
        for fd in taken:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert ask(site, "/a.txt").status == 200


# Types


def test_types_can_be_chosen(folder: Path) -> None:
    site = site_of(folder, mime_types={".txt": "text/x-mine"}, default_type="image/x-unknown")
    assert ask(site, "/a.txt").headers["Content-Type"] == "text/x-mine; charset=utf-8"
    assert ask(site, "/empty").headers["Content-Type"] == "image/x-unknown"


def test_wasm_can_be_compiled_while_it_streams(folder: Path) -> None:
    (folder / "m.wasm").write_bytes(b"\0asm")
    assert ask(site_of(folder), "/m.wasm").headers["Content-Type"] == "application/wasm"


@pytest.mark.parametrize(
    ("extensions", "path", "body"),
    [
        ([".txt"], "/a", b"0123456789"),
        ([".x", ".txt"], "/a", b"0123456789"),
        (["*"], "/page", b"<body>hi</body>"),
        (["*"], "/sub/index", b"<p>index</p>"),
        ([".txt"], "/a.txt", b"0123456789"),
    ],
)
def test_an_extension_may_be_left_out(
    folder: Path, extensions: list[str], path: str, body: bytes
) -> None:
    assert ask(site_of(folder, ignore_ext=extensions), path).body == body


@pytest.mark.parametrize("path", ["/b", "/a/", "/x/a", "/a.txt/b", "/s"])
def test_no_extension_makes_it_exist(folder: Path, path: str) -> None:
    assert ask(site_of(folder, ignore_ext=[".txt", "*"]), path).status == 404


# Preconditions


def test_a_304_has_the_headers_of_the_200_but_those_of_the_body(
    folder: Path, site: ProtoSite
) -> None:
    whole = ask(site, "/a.txt")
    for condition in (
        {"If_None_Match": etag_of(folder / "a.txt")},
        {"If_Modified_Since": http_date(CHANGED)},
    ):
        answer = ask_with(site, condition)
        body_fields = ("Content-Type", "Content-Length")
        expected = {k: v for k, v in whole.headers.items() if k not in body_fields}
        assert (answer.status, answer.headers, answer.body) == (304, expected, b"")


def test_last_modified_is_never_later_than_date(folder: Path, site: ProtoSite) -> None:
    os.utime(folder / "a.txt", (NOW + 999, NOW + 999))
    assert ask(site, "/a.txt").headers["Last-Modified"] == DATE
    os.utime(folder / "a.txt", (CHANGED + 0.999, CHANGED + 0.999))
    site.known.forget()
    assert ask(site, "/a.txt").headers["Last-Modified"] == http_date(CHANGED)


def test_a_changed_file_has_another_tag(folder: Path, site: ProtoSite) -> None:
    before = ask(site, "/a.txt").headers["ETag"]
    (folder / "new").write_bytes(b"9876543210")
    os.utime(folder / "new", (CHANGED, CHANGED))
    (folder / "new").replace(folder / "a.txt")
    after = ask(site, "/a.txt", If_None_Match=before)
    assert (after.status, after.body) == (200, b"9876543210")


# Ranges


@pytest.mark.parametrize(
    "asked", ["bytes=" + ",".join(["0-0"] * 1300), "bytes=0-9,0-9", "bytes=x", "lines=1-2"]
)
def test_too_many_or_senseless_ranges_are_the_whole_file(site: ProtoSite, asked: str) -> None:
    answer = ask(site, "/a.txt", Range=asked)
    assert (answer.status, answer.body) == (200, b"0123456789")
    assert "Content-Range" not in answer.headers


# Visits


def counted_site(folder: Path, tmp_path: Path) -> ProtoSite:
    return site_of(folder, visits=Visits(tmp_path / "visits", clock_now()))


def test_a_page_tells_its_visits(folder: Path, tmp_path: Path) -> None:
    site = counted_site(folder, tmp_path)
    for count in (1, 2):
        answer = ask(site, "/page.html")
        assert answer.body == b"<body>hi<footer>Visits: %d</footer></body>" % count
    assert ask(site, "/sub/").body == b"<p>index</p>"
    assert b"Visits: 4" in ask(site, "/page.html").body


def test_a_counted_page_is_never_stored_resumed_or_found_unchanged(
    folder: Path, tmp_path: Path
) -> None:
    site = counted_site(folder, tmp_path)
    answer = ask(site, "/page.html", Range="bytes=0-1", If_None_Match="*")
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Accept-Ranges"] == "none"
    assert not {"ETag", "Last-Modified", "Content-Range"} & set(answer.headers)


def test_head_counts_nothing_and_tells_the_length_of_the_next_get(
    folder: Path, tmp_path: Path
) -> None:
    site = counted_site(folder, tmp_path)
    for _ in range(9):
        ask(site, "/page.html")
    head = ask(site, "/page.html", "HEAD")
    get = ask(site, "/page.html")
    assert b"Visits: 10" in get.body
    assert head.headers == get.headers


def test_other_files_and_huge_pages_are_not_counted(folder: Path, tmp_path: Path) -> None:
    (folder / "huge.html").write_bytes(b"<body>" + b" " * MAX_PAGE + b"</body>")
    site = counted_site(folder, tmp_path)
    assert "ETag" in ask(site, "/a.txt").headers
    assert "ETag" in ask(site, "/huge.html", Range="bytes=0-1").headers
    assert b"Visits: 1<" in ask(site, "/page.html").body


# Whatever comes


def quietly(site: ProtoSite, raw: bytes, method: str, headers: dict[str, str]) -> bytes:
    protocol, wire = connect(site)
    protocol.dataReceived(request_bytes(raw, method, headers, b""))
    return bytes(wire.value())


@settings(max_examples=150, deadline=None)
@given(
    path=st.binary(max_size=30)
    | st.text("/.%02eEfF5cC\\?asubtx", max_size=30).map(lambda text: b"/" + text.encode()),
    method=st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "BREW"]),
    headers=st.dictionaries(
        st.sampled_from(
            ["Range", "If-Match", "If-None-Match", "If-Range", "Accept", "Accept-Encoding"]
        ),
        st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30)
        | st.sampled_from(["bytes=0-1,-1", "*", "text/*;q=0", 'W/"x"']),
        max_size=3,
    ),
)
def test_any_request_is_answered_and_never_by_500(
    path: bytes, method: str, headers: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.getbasetemp() / "fuzzed"
    if not root.exists():
        (root / "sub").mkdir(parents=True)
        (root / "a.txt").write_bytes(b"0123456789")
    raw = quietly(site_of(root), path, method, headers)
    # A line break in the path makes it another request, or none that is complete.
    assert raw.startswith(b"HTTP/1.1 ") or not raw
    status = int(raw[9:12] or b"200")
    assert status < 500 or (status, method) == (501, "BREW")
