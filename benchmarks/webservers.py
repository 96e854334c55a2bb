"""The web servers that others wrote, as somebody who reads their manual starts them.

Each is one process that does the work, in the foreground, in a folder of its own: what it serves is
in `public` there, what it writes beside it.  nginx, twisted.web, uvicorn and http.server write an
access log, as they do unless they are told otherwise (and nginx and twisted.web into a file, as
ours does); aiohttp and granian write none unless they are told to.

This module knows no load and no figures.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from benchmarks.commands import peer
from benchmarks.servers import TWISTD, Command

PUBLIC: Final = "public"
"""The root of the tree; the files are below it in `files`, as those who mount them have them."""
FILES: Final = f"{PUBLIC}/files"
ACCESS_LOG: Final = "access.log"
NGINX: Final = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{
    worker_connections 1024;
}}
http {{
    types {{ text/plain txt; }}
    access_log {folder}/{log};
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    {cache}
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/{public};
        location = /hello {{
            default_type text/plain;
            return 200 "Hello, world!\\n";
        }}
    }}
}}
"""
"""One worker without a master: so whoever starts it, root or not, owns what it reads and writes."""
CACHE: Final = "open_file_cache max=1000; open_file_cache_valid 1s;"
"""A changed file is noticed after a second, as ours notices it."""


def nginx(*, open_file_cache: bool = False) -> Command | str:
    """Its command line; or why there is none.  By default it opens a file for each request."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
    if program is None:
        return "nginx is not installed"
    cache = CACHE if open_file_cache else ""

    def command(folder: Path, port: int) -> Sequence[str]:
        settings, log = folder / "nginx.conf", ACCESS_LOG
        settings.write_text(
            NGINX.format(folder=folder, port=port, public=PUBLIC, log=log, cache=cache)
        )
        return [program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(settings)]

    return command


def twisted_web(*options: str) -> Command:
    """Twisted's own, on its default reactor."""
    start = [TWISTD, "--pidfile=", "-n", "twisted-web", "--logfile", ACCESS_LOG, *options]
    return lambda folder, port: [*start, "--listen", f"tcp:{port}:interface=127.0.0.1"]


def http_server() -> Command:
    """What Python has; it keeps connections if it is told to."""
    start = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "-p", "HTTP/1.1"]
    return lambda folder, port: [*start, "-d", PUBLIC, str(port)]


def aiohttp(*, uvloop: bool) -> Command | str:
    """Its command line; or why there is none.  On uvloop it has no sendfile for large files."""
    needed, options = (("aiohttp", "uvloop"), ["--uvloop"]) if uvloop else (("aiohttp",), [])
    return missing(*needed) or peer("web_aiohttp", *options, "--files", FILES)


def starlette() -> Command | str:
    """On uvicorn, with uvloop and httptools; or why there is none."""
    needed = ("starlette", "uvicorn", "uvloop", "httptools")
    return missing(*needed) or peer("web_starlette", "--files", FILES)


def granian(interface: str) -> Command | str:
    """An application without a framework, "wsgi" or "asgi"; the files are granian's affair."""
    if why := missing("granian", "uvloop"):
        return why
    words = [sys.executable, "-m", "granian", "--interface", interface, "--workers", "1"]
    words += ["--static-path-route", "/files", "--static-path-mount", FILES]
    app = f"benchmarks.peers.web_{interface}:app"
    return lambda folder, port: [*words, "--host", "127.0.0.1", "--port", str(port), app]


def missing(*modules: str) -> str:
    """What is not installed, as a reason; nothing if all are."""
    names = [name for name in modules if find_spec(name) is None]
    return f"{' and '.join(names)} not installed (pip install .[bench])" if names else ""
