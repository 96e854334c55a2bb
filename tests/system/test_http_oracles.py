"""nginx as an oracle: the same ordinary requests to it and to us, for the same files.

Where the answers differ, and why they are meant to, stands in `MEANT`; nothing else may differ.
Pages about errors are each server's own: of them only the status and the fields are compared.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from tests.system.programs import Twistd, dial, read_all
from tests.system.proxies import Nginx

MODIFIED: Final = 1_700_000_000
SAME: Final = "Tue, 14 Nov 2023 22:13:20 GMT"
EARLIER: Final = "Tue, 14 Nov 2023 22:13:19 GMT"
LATER: Final = "Tue, 14 Nov 2023 22:13:21 GMT"
DIGITS: Final = b"0123456789" * 100
STYLE: Final = b"body { color: red }\n" * 100

Asked = tuple[str, str, dict[str, str]]
"""A method, a target, and fields; `{etag}` stands for what the server itself calls /digits.txt."""


def ranged(value: str, **fields: str) -> Asked:
    return "GET", "/digits.txt", {"Range": value, **fields}


def if_(condition: str, value: str, method: str = "GET") -> Asked:
    return method, "/digits.txt", {f"If-{condition}": value}


def plain(target: str, method: str = "GET") -> Asked:
    return method, target, {}


def coded(accept: str) -> Asked:
    return "GET", "/style.css", {"Accept-Encoding": accept}


ASKED: Final[dict[str, Asked]] = {
    "a file": plain("/digits.txt"),
    "HEAD of a file": plain("/digits.txt", "HEAD"),
    "an empty file": plain("/empty.txt"),
    "no extension": plain("/README"),
    "an unknown extension": plain("/a.unknown"),
    "a picture": plain("/dot.png"),
    "the index file": plain("/"),
    "HEAD of the index file": plain("/", "HEAD"),
    "the index file by name": plain("/index.html"),
    "the index file of a folder": plain("/folder/"),
    "a folder without a slash": plain("/folder"),
    "a folder without a slash, with a query": plain("/folder?a=b"),
    "a folder with a space, without a slash": plain("/a%20folder"),
    "HEAD of a folder without a slash": plain("/folder", "HEAD"),
    "a folder without an index": plain("/bare/"),
    "a file with a slash": plain("/digits.txt/"),
    "something below a file": plain("/digits.txt/x"),
    "nothing": plain("/none"),
    "HEAD of nothing": plain("/none", "HEAD"),
    "nothing in a folder": plain("/folder/none"),
    "nothing in nothing": plain("/none/none"),
    "a query": plain("/digits.txt?a=b&c"),
    "an empty query": plain("/digits.txt?"),
    "a query with two question marks": plain("/digits.txt?a?b"),
    "an encoded letter": plain("/%64igits.txt"),
    "an encoded dot": plain("/digits%2Etxt"),
    "an encoded space": plain("/a%20b.txt"),
    "a plus": plain("/a+b.txt"),
    "an encoded plus": plain("/a%2Bb.txt"),
    "UTF-8": plain("/%C3%A9.txt"),
    "UTF-8 in small letters": plain("/%c3%a9.txt"),
    "a byte that is no UTF-8": plain("/%ff.txt"),
    "a name with a percent sign": plain("/100%25.txt"),
    "an encoded question mark": plain("/digits.txt%3Fa"),
    "an encoded slash": plain("/folder%2Findex.html"),
    "two slashes": plain("//digits.txt"),
    "two slashes in the middle": plain("/folder//index.html"),
    "NUL": plain("/digits.txt%00"),
    "a broken escape": plain("/%zz"),
    "a dot": plain("/./digits.txt"),
    "two dots": plain("/folder/../digits.txt"),
    "two dots above the root": plain("/../digits.txt"),
    "another case": plain("/DIGITS.TXT"),
    "a dotfile": plain("/.hidden"),
    "an absolute target": plain("http://x/digits.txt"),
    "OPTIONS": plain("/digits.txt", "OPTIONS"),
    "POST": plain("/digits.txt", "POST"),
    "PUT": plain("/digits.txt", "PUT"),
    "DELETE": plain("/digits.txt", "DELETE"),
    "TRACE": plain("/digits.txt", "TRACE"),
    "the first bytes": ranged("bytes=0-9"),
    "one byte": ranged("bytes=0-0"),
    "from the middle": ranged("bytes=500-"),
    "the last bytes": ranged("bytes=-10"),
    "more last bytes than there are": ranged("bytes=-5000"),
    "beyond the end": ranged("bytes=990-5000"),
    "behind the end": ranged("bytes=1000-"),
    "the last 0 bytes": ranged("bytes=-0"),
    "a range backwards": ranged("bytes=9-0"),
    "a range of nothing": ranged("bytes="),
    "a range that is none": ranged("bytes=x"),
    "a range of lines": ranged("lines=0-9"),
    "a unit in capitals": ranged("BYTES=0-9"),
    "spaces in a range": ranged("bytes= 0-9 "),
    "a range of an empty file": ("GET", "/empty.txt", {"Range": "bytes=0-0"}),
    "a range with HEAD": ("HEAD", "/digits.txt", {"Range": "bytes=0-9"}),
    "a range of nothing that is there": ("GET", "/none", {"Range": "bytes=0-9"}),
    "two ranges": ranged("bytes=0-1,10-11"),
    "a range and one behind the end": ranged("bytes=0-1,5000-"),
    "two ranges that overlap": ranged("bytes=0-9,5-14"),
    "fifty ranges": ranged("bytes=" + ",".join(f"{n}-{n}" for n in range(0, 100, 2))),
    "the whole file many times": ranged("bytes=" + ",".join(["0-"] * 20)),
    "If-Range with its tag": ranged("bytes=0-9", **{"If-Range": "{etag}"}),
    "If-Range with another tag": ranged("bytes=0-9", **{"If-Range": '"x"'}),
    "If-Range with its date": ranged("bytes=0-9", **{"If-Range": SAME}),
    "If-Range with a later date": ranged("bytes=0-9", **{"If-Range": LATER}),
    "If-Range with rubbish": ranged("bytes=0-9", **{"If-Range": "x"}),
    "If-None-Match with its tag": if_("None-Match", "{etag}"),
    "If-None-Match with its tag, weak": if_("None-Match", "W/{etag}"),
    "If-None-Match with a list": if_("None-Match", '"x", {etag}'),
    "If-None-Match with another tag": if_("None-Match", '"x"'),
    "If-None-Match with a star": if_("None-Match", "*"),
    "If-None-Match with HEAD": if_("None-Match", "{etag}", "HEAD"),
    "If-Match with its tag": if_("Match", "{etag}"),
    "If-Match with another tag": if_("Match", '"x"'),
    "If-Match with a star": if_("Match", "*"),
    "If-Modified-Since its date": if_("Modified-Since", SAME),
    "If-Modified-Since before": if_("Modified-Since", EARLIER),
    "If-Modified-Since afterwards": if_("Modified-Since", LATER),
    "If-Modified-Since rubbish": if_("Modified-Since", "yesterday"),
    "If-Modified-Since nothing": if_("Modified-Since", ""),
    "If-Modified-Since an old form": if_("Modified-Since", "Tuesday, 14-Nov-23 22:13:20 GMT"),
    "If-Modified-Since asctime": if_("Modified-Since", "Tue Nov 14 22:13:20 2023"),
    "If-Unmodified-Since its date": if_("Unmodified-Since", SAME),
    "If-Unmodified-Since before": if_("Unmodified-Since", EARLIER),
    "If-Unmodified-Since rubbish": if_("Unmodified-Since", "yesterday"),
    "gzip": coded("gzip"),
    "no gzip": coded("gzip;q=0"),
    "gzip among others": coded("deflate, gzip;q=0.5"),
    "any coding": coded("*"),
    "an unknown coding": coded("x-none"),
    "a range of gzip": ("GET", "/style.css", {"Accept-Encoding": "gzip", "Range": "bytes=0-9"}),
}

Answer = dict[str, object]


def refused(status: int) -> Answer:
    """What differs where only one server has an answer with a body."""
    return {"status": status, "length": None, "type": None, "body": None}


def found(body: bytes = DIGITS, kind: str = "text/plain", status: int = 200) -> Answer:
    return {"status": status, "length": str(len(body)), "type": kind, "body": body}


FOLDER: Final = found(b"<p>folder", "text/html")
PACKED: Final = gzip.compress(STYLE, mtime=0)
FIFTY: Final = b"".join(
    b"--BOUNDARY\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Range: bytes %d-%d/1000\r\n\r\n%d\r\n" % (n, n, n % 10)
    for n in range(0, 100, 2)
) + b"--BOUNDARY--\r\n"  # fmt: skip
BEHIND: Final = refused(416) | {"range": "bytes */1000"}
FORGIVEN: Final = "RFC 9110 section 14.2: a Range that is malformed is ignored"
DOTS: Final = "dot segments are refused and never resolved; clients resolve them before they ask"
NAMES: Final = "a name in a path is never empty, so that a password's path has one spelling"

MEANT: Final[dict[str, tuple[str, Answer, Answer]]] = {
    "a folder without an index": (
        "a folder that is not listed is told from none as little as a dotfile is",
        {"status": 404},
        {"status": 403},
    ),
    "an encoded slash": ("%2F is part of a name, and no name has a slash", refused(404), FOLDER),
    "two slashes": (NAMES, refused(404), found()),
    "two slashes in the middle": (NAMES, refused(404), FOLDER),
    "a dot": (DOTS, refused(400), found()),
    "two dots": (DOTS, refused(400), found()),
    "a dotfile": (
        "dotfiles are served with --dotfiles only",
        refused(404),
        found(b"hidden", "application/octet-stream"),
    ),
    "OPTIONS": (
        "we tell what is allowed; nginx knows no OPTIONS for files",
        {"status": 204, "type": "", "body": b""},
        {"status": 405, "type": None, "body": None},
    ),
    "a range backwards": (FORGIVEN, found() | {"range": None}, BEHIND),
    "a range that is none": (FORGIVEN, found() | {"range": None}, BEHIND),
    "a range of an empty file": (
        "RFC 9110 section 14.1.2: no byte is there, so no range of it can be satisfied",
        refused(416) | {"range": "bytes */0"},
        found(b"") | {"range": None},
    ),
    "a range with HEAD": (
        "RFC 9110 section 14.2: Range is for GET and must be ignored for every other method",
        {"status": 200, "length": "1000", "range": None},
        {"status": 206, "length": "10", "range": "bytes 0-9/1000"},
    ),
    "If-Modified-Since afterwards": (
        "RFC 9110 section 13.1.3: not modified since any later date; nginx wants the exact one",
        refused(304),
        found(),
    ),
    "If-Unmodified-Since rubbish": (
        "RFC 9110 section 13.1.4: a date that is none is ignored",
        found(),
        refused(412),
    ),
    "any coding": (
        "RFC 9110 section 12.5.3: the star stands for gzip as well; nginx looks for its name",
        {"length": str(len(PACKED)), "coding": "gzip", "body": PACKED},
        {"length": str(len(STYLE)), "coding": None, "body": STYLE},
    ),
    "a range of gzip": (
        "ranges are of the coded bytes, which have a tag of their own; nginx gives it whole",
        {"status": 206, "length": "10", "range": f"bytes 0-9/{len(PACKED)}", "body": PACKED[:10]},
        {"status": 200, "length": str(len(PACKED)), "range": None, "body": PACKED},
    ),
    "fifty ranges": (
        "RFC 9110 section 14.2: many small ranges may be ignored; more than 16 are",
        found(),
        found(FIFTY, "multipart/byteranges", 206) | {"length": None},
    ),
}
"""Why, what we say, and what nginx says in its place; what is not named here is the same."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("oracle")
    files = {
        "digits.txt": DIGITS,
        "empty.txt": b"",
        "README": b"read me\n",
        "a.unknown": b"who knows",
        "dot.png": b"\x89PNG",
        "index.html": b"<p>root",
        "folder/index.html": b"<p>folder",
        "a folder/index.html": b"<p>a folder",
        "bare/file.txt": b"in a bare folder",
        "a b.txt": b"a space",
        "a+b.txt": b"a plus",
        "\u00e9.txt": b"UTF-8",
        "100%.txt": b"a percent sign",
        ".hidden": b"hidden",
        "style.css": STYLE,
        "style.css.gz": PACKED,
    }
    for name, content in files.items():
        path = root / "served" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (MODIFIED, MODIFIED))
    return root


@pytest.fixture(scope="module")
def ports(folder: Path) -> Iterator[tuple[int, int]]:
    """Ours and nginx's."""
    served = folder / "served"
    options = ["--path", str(served), "--no-listing", "--port", "tcp:0:interface=127.0.0.1"]
    with Twistd("web", *options, cwd=folder) as ours, Nginx(folder, root=served) as nginx:
        yield ours.port("web"), nginx.listens
        assert "Traceback" not in ours.output


def exchange(port: int, asked: Asked) -> tuple[int, dict[str, str], bytes]:
    method, target, fields = asked
    lines = [f"{method} {target} HTTP/1.1", "Host: x", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    with dial(port) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    said = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
    return int(first.split(" ")[1]), said, body


def answer(port: int, asked: Asked) -> Answer:
    """What is compared of an answer."""
    etag = exchange(port, plain("/digits.txt", "HEAD"))[1]["etag"]
    method, target, fields = asked
    filled = {name: value.replace("{etag}", etag) for name, value in fields.items()}
    status, said, body = exchange(port, (method, target, filled))
    told: Answer = {"status": status}
    if "content-range" in said:
        told["range"] = said["content-range"]
    if "location" in said:
        location = urlsplit(said["location"])
        told["location"] = location.path + ("?" + location.query if location.query else "")
    if status < 300:
        told["length"] = said.get("content-length")
        told["type"] = said.get("content-type", "").partition(";")[0]
        told["coding"] = said.get("content-encoding")
        told["body"] = body
        if told["type"] == "multipart/byteranges":
            assert told.pop("length") == str(len(body))
            told["body"] = without_boundary(said["content-type"], body)
    return told


def without_boundary(kind: str, body: bytes) -> bytes:
    """Boundaries are of each server's own making, and so is an empty line before the first."""
    boundary = kind.partition("boundary=")[2].strip('"')
    return body.replace(boundary.encode(), b"BOUNDARY").removeprefix(b"\r\n")


@pytest.mark.parametrize("name", ASKED)
def test_we_answer_as_nginx_does_or_differently_on_purpose(
    ports: tuple[int, int], name: str
) -> None:
    ours, nginx = (answer(port, ASKED[name]) for port in ports)
    keys = {key for key in ours.keys() | nginx.keys() if ours.get(key) != nginx.get(key)}
    _, we_say, nginx_says = MEANT.get(name, ("", {}, {}))
    assert {key: ours.get(key) for key in keys} == we_say
    assert {key: nginx.get(key) for key in keys} == nginx_says


def test_each_difference_that_is_meant_is_asked_for() -> None:
    assert set(MEANT) <= set(ASKED)
    assert all(why and ours != nginx for why, ours, nginx in MEANT.values())
