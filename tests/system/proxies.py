"""A real nginx and a real haproxy in front of a web service, or nginx beside one.

Both proxies keep their connections to the service, so that what one client leaves behind there
meets the next one.  Each tells of every request whether it went on to the service and whether an
answer came back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.system.haproxy import free_port as kept_port
from tests.system.programs import Program, free_port, program

PATIENCE: Final = 2
"""Seconds that the proxies wait for the rest of a request."""
NGINX: Final = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr notice;
events {{
    worker_connections 1024;
}}
http {{
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    charset utf-8;
    charset_types text/plain text/css application/javascript;
    log_format seen '$request_method $request_uri|$upstream_addr|$upstream_header_time';
    access_log {folder}/nginx.log seen;
    keepalive_timeout {patience};
    client_header_timeout {patience};
    client_body_timeout {patience};
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {rest}
}}
"""
"""One worker without a master: so whoever starts it, root or not, may read the folder."""
FORWARDING: Final = """\
    upstream ours {{
        server 127.0.0.1:{ours};
        keepalive 1;
    }}
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_next_upstream off;
    server {{
        listen 127.0.0.1:{port};
        proxy_request_buffering {buffering};
        location / {{
            proxy_pass http://ours;
        }}
    }}
"""
SERVING: Final = """\
    server {{
        listen 127.0.0.1:{port};
        root {root};
        index index.html index.htm;
        gzip_static on;
        gzip_vary on;
    }}
"""
HAPROXY: Final = """\
global
    log stdout len 65535 format raw local0
    nbthread 1
defaults
    mode http
    timeout connect 60s
    timeout client {patience}s
    timeout http-request {patience}s
    timeout http-keep-alive {patience}s
    timeout server 600s
    timeout check 30s
    default-server check inter 50ms rise 3 fall 1
frontend clients
    bind 127.0.0.1:{port}
    log global
    log-format "seen %HM %HU|%s|%Tr"
    default_backend service
backend service
    http-reuse always
    retries 0
    server ours 127.0.0.1:{ours} pool-max-conn 1 no-check
backend nobody
    server nobody unix@{folder}/nobody.sock
"""
"""haproxy says nothing when it is ready; the first thing that it tells is that `nobody` is down."""


def shortened(asked: str) -> str:
    """Servers write down more or less of a target that is too long."""
    return asked[:200]


class Proxy(Program):
    """A proxy, and what it tells of the requests that it took."""

    listens: int
    """Its port."""

    def forwarded(self) -> Counter[str]:
        """The requests that went on to the service, whole or in part, as `METHOD TARGET`."""
        return Counter(shortened(asked) for asked, server, _ in self._told() if server)

    def answered(self) -> Counter[str]:
        """Those that the service has answered."""
        return Counter(
            shortened(asked) for asked, server, was_answered in self._told() if was_answered
        )

    def _told(self) -> Iterator[tuple[str, bool, bool]]:
        """Each request, whether it went on to the service, and whether an answer came back."""
        raise NotImplementedError


class Nginx(Proxy):
    """nginx, in front of `ours` or with the files of `root`."""

    def __init__(
        self, cwd: Path, *, ours: int | None = None, root: Path | None = None, buffering: str = "on"
    ) -> None:
        self.listens = free_port()
        rest = SERVING if ours is None else FORWARDING
        rest = rest.format(port=self.listens, ours=ours, root=root, buffering=buffering)
        settings = cwd / "nginx.conf"
        settings.write_text(NGINX.format(folder=cwd, patience=PATIENCE, rest=rest))
        words = ("-p", str(cwd), "-e", "stderr", "-c", str(settings))
        super().__init__(program("nginx", "nginx-light"), *words, cwd=cwd)
        self._log = cwd / "nginx.log"
        self.wait_for(r"getrlimit\(RLIMIT_NOFILE\)")  # told when it listens

    def _told(self) -> Iterator[tuple[str, bool, bool]]:
        for line in self._log.read_text().splitlines():
            asked, server, answer = line.rsplit("|", 2)
            yield asked, server != "-", answer != "-"


class HttpHaproxy(Proxy):
    """haproxy that reads HTTP, in front of `ours`."""

    def __init__(self, cwd: Path, ours: int) -> None:
        with kept_port() as self.listens:
            settings = HAPROXY.format(folder=cwd, port=self.listens, ours=ours, patience=PATIENCE)
            (cwd / "haproxy.cfg").write_text(settings)
            super().__init__(program("haproxy", "haproxy"), "-db", "-f", "haproxy.cfg", cwd=cwd)
            self.wait_for(r"Server nobody/nobody is DOWN")

    def _told(self) -> Iterator[tuple[str, bool, bool]]:
        for line in self.output.splitlines():
            if line.startswith("seen "):
                asked, server, answer = line.removeprefix("seen ").rsplit("|", 2)
                yield asked, server == "ours", int(answer) >= 0
