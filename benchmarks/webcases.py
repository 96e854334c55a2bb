"""The cases of the web server: a handler, JSON, and files, beside the servers that people use.

Ours runs as it does elsewhere: with its limits, its metrics, its security headers and its access
log, of which it is checked afterwards that it has a line for every request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks import disk, webservers
from benchmarks.commands import proto
from benchmarks.contest import Case, Contestant
from benchmarks.load.http import Requests
from benchmarks.scale import Scale
from benchmarks.servers import Command
from benchmarks.webservers import ACCESS_LOG, FILES, PUBLIC

REGISTERED: Final = "proto, register()"
PLAIN: Final = "proto, plain Resource"
STOCK: Final = "twisted-web"
USUAL: Final = "granian WSGI"
LIMIT: Final = "nginx"
CACHING: Final = "nginx, open_file_cache"
STRONGEST: Final = (REGISTERED, PLAIN, "proto", STOCK, USUAL, LIMIT)
"""Those who take part where there is little time."""
LOGGING: Final = frozenset({REGISTERED, PLAIN, "proto", STOCK, LIMIT, CACHING})
"""Those who keep their access log in a file of its own."""
SINK: Final = (
    f"{LIMIT} does least for an answer: while it is busy all the time and 'load' is below 100%, "
    "the load generator is not the limit"
)
LOGS: Final = "no access log, as they come: aiohttp, granian; all the others write one"


def web(scale: Scale) -> list[Case]:
    """A text, JSON made for each request, and files of several sizes."""
    small = [
        _case(scale, "hello: 14 bytes from a function", "/hello", 14, _greeters(), (USUAL, STOCK)),
        _case(scale, "JSON made for each request", "/json", None, _encoders(), (USUAL, STOCK)),
    ]
    files = [
        _case(scale, f"a file of {_told(size)}", "/files/file.txt", size, _files(), (LIMIT, STOCK))
        for size in scale.file_sizes
    ]
    return small + files


def verify(folder: Path, amount: float) -> str:
    """What is wrong with an access log in which each answer should have a line, or nothing.

    twisted.web's begins a new file with each megabyte.
    """
    lines = 0
    for path in folder.glob(f"{ACCESS_LOG}*"):
        with path.open("rb") as log:
            lines += sum(1 for _ in log)
    return "" if lines == amount else f"{amount:,.0f} answers came, the log has {lines:,} lines"


def content(size: int) -> bytes:
    """A file in which no two blocks are the same: a server that mixes them up is found out."""
    lines = (b"%015d\n" % number for number in range(size // 16 + 1))
    return b"".join(lines)[:size]


def _case(
    scale: Scale,
    title: str,
    path: str,
    size: int | None,
    wanted: Mapping[str, Command | str],
    beside: Sequence[str],
) -> Case:
    load = Requests(path, size, scale.web_connections)
    contestants = [
        Contestant(name, command, load, prepared(size or 0), _verified(name))
        for name, command in wanted.items()
        if not isinstance(command, str) and (scale.every_web or name in STRONGEST)
    ]
    left_out = [f"{name} left out: {why}" for name, why in wanted.items() if isinstance(why, str)]
    remarks = [f"files and logs on: {disk.described(scale.folder)}", LOGS, *left_out]
    if LIMIT in wanted:
        remarks.append(SINK)
    if not scale.every_web:
        remarks.append("the weaker servers left out: there is little time")
    return Case(
        f"web: {title}, connections: {scale.web_connections}",
        "requests a second",
        contestants,
        remarks=remarks,
        beside=beside,
    )


def _greeters() -> dict[str, Command | str]:
    return {**_encoders(), LIMIT: webservers.nginx()}


def _encoders() -> dict[str, Command | str]:
    return {
        REGISTERED: web_server("--class", "benchmarks.peers.web_proto.Root"),
        PLAIN: web_server("--class", "benchmarks.peers.web_twisted.Root"),
        STOCK: webservers.twisted_web("--class", "benchmarks.peers.web_twisted.Root"),
        "aiohttp, uvloop": webservers.aiohttp(uvloop=True),
        "uvicorn+Starlette": webservers.starlette(),
        USUAL: webservers.granian("wsgi"),
        "granian ASGI": webservers.granian("asgi"),
    }


def _files() -> dict[str, Command | str]:
    return {
        "proto": web_server("--path", PUBLIC),
        LIMIT: webservers.nginx(),
        CACHING: webservers.nginx(open_file_cache=True),
        STOCK: webservers.twisted_web("--path", PUBLIC),
        "aiohttp": webservers.aiohttp(uvloop=False),
        "uvicorn+Starlette": webservers.starlette(),
        "granian": webservers.granian("wsgi"),
        "http.server": webservers.http_server(),
    }


def web_server(*options: str) -> Command:
    """Our web server, which keeps an access log."""
    return proto("web", "--logfile", ACCESS_LOG, *options)


def prepared(size: int) -> Callable[[Path], None]:
    """What makes the folder that is served, with a file of so many bytes."""

    def prepare(folder: Path) -> None:
        (folder / FILES).mkdir(parents=True)
        (folder / FILES / "file.txt").write_bytes(content(size))

    return prepare


def _verified(name: str) -> Callable[[Path, float], str]:
    return verify if name in LOGGING else lambda folder, amount: ""


def _told(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"
