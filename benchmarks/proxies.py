"""HTTP proxies that others wrote, as somebody who reads their manual starts them.

Each is one process that does the work, keeps its connections to the server beneath, and writes an
access log unless it is told otherwise.  This module knows no load and no figures.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.beneath import Beneath
from benchmarks.commands import peer
from benchmarks.servers import Command
from benchmarks.webservers import ACCESS_LOG

NGINX: Final = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{
    worker_connections 1024;
}}
http {{
    access_log {folder}/{log};
    tcp_nodelay on;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream beneath {{
        server 127.0.0.1:{beneath};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://beneath;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Real-IP $remote_addr;
        }}
    }}
}}
"""
HAPROXY: Final = """\
global
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    option forwardfor
    http-reuse always
listen proxy
    bind 127.0.0.1:{port}
    server beneath 127.0.0.1:{beneath}
"""


def nginx(beneath: Beneath) -> Command | str:
    """Its command line; or why there is none."""
    program = _found("nginx")
    if program is None:
        return "nginx is not installed"

    def command(folder: Path, port: int) -> Sequence[str]:
        settings = folder / "nginx.conf"
        settings.write_text(
            NGINX.format(folder=folder, port=port, beneath=beneath.port, log=ACCESS_LOG)
        )
        return [program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(settings)]

    return command


def haproxy(beneath: Beneath) -> Command | str:
    """Its command line; or why there is none.  Its log would go to a syslog; it has none here."""
    program = _found("haproxy")
    if program is None:
        return "haproxy is not installed"

    def command(folder: Path, port: int) -> Sequence[str]:
        settings = folder / "haproxy.cfg"
        settings.write_text(HAPROXY.format(port=port, beneath=beneath.port))
        return [program, "-db", "-f", str(settings)]

    return command


def twisted_web(beneath: Beneath) -> Command:
    """twisted.web.proxy.ReverseProxyResource, on Twisted's default reactor."""
    return lambda folder, port: peer("web_reverse", "--upstream", str(beneath.port))(folder, port)


def _found(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
