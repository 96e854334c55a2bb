"""`/status/upstreams`: how the servers of all groups stand; and the same for Prometheus.

It tells names and addresses of servers, as /metrics does, to whoever may ask: `--auth` locks it.
With `--workers` each process tells what it has seen itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from proto.metrics import Metrics
from proto.web.accept import best
from proto.web.handlers import Handlers
from proto.web.proxy.overview import POLICY, as_json, as_page
from proto.web.proxy.servers import Group
from proto.web.request import WebRequest
from proto.web.response import HTML, JSON, Response

PATH: Final = "/status/upstreams"

_FRESH: Final = ("Cache-Control", "no-store")


def mount_status(handlers: Handlers, groups: Mapping[str, Group]) -> None:
    """Show these groups, by their names, at PATH; one that comes into the mapping later as well."""

    def page(request: WebRequest) -> Response:
        accept = request.getHeader("accept") or ""
        headers = [_FRESH, ("Vary", "Accept")]
        if best(accept, (HTML.partition(";")[0], JSON)) == JSON:
            return Response(200, as_json(groups), JSON, headers)
        headers.append(("Content-Security-Policy", POLICY))
        return Response(200, as_page(groups), HTML, headers)

    def data(request: WebRequest) -> Response:
        return Response(200, as_json(groups), JSON, [_FRESH])

    handlers.register(PATH, page)
    handlers.register(f"{PATH}.json", data)


def count_group(metrics: Metrics, name: str, group: Group) -> None:
    """Tell Prometheus which servers of a group are up; once more when it has others.

    A server that has left stays at 0.  What runs at each is told by `figures`.
    """

    def reader(server: str) -> Callable[[], float]:
        def is_up() -> float:
            member = group.find(server)
            return 1.0 if member is not None and member.is_up else 0.0

        return is_up

    for member in group.members:
        metrics.gauge(
            "web_proxy_up",
            "1 while a server may get requests",
            reader(member.name),
            group=name,
            server=member.name,
        )
