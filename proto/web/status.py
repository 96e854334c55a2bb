"""Is the process alive, is it ready, and what has it counted?  For probes and for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from twisted.web.resource import Resource

from proto.metrics import CONTENT_TYPE, Metrics
from proto.web.request import WebRequest
from proto.web.response import JSON, HTTPError, Response

Ready = Callable[[], Mapping[str, bool]]


class _Page(Resource):
    """A resource that has only the children it was given."""

    # Twisted calls this.
    def getChild(self, path: bytes, request: WebRequest) -> Resource:
        raise HTTPError(404)


class Live(_Page):
    """`/health/live`: that there is an answer is the answer."""

    def render_GET(self, request: WebRequest) -> bytes:
        return _body(request, msgspec.json.encode({"live": True}), JSON)


class Readiness(_Page):
    """`/health/ready`: 503 as soon as one service takes no new peers.

    That is what makes a load balancer look elsewhere while the process stops.  `ready` tells it
    of each service by name.
    """

    def __init__(self, ready: Ready) -> None:
        super().__init__()
        self._ready = ready

    def render_GET(self, request: WebRequest) -> bytes:
        services = dict(self._ready())
        is_ready = all(services.values())
        request.setResponseCode(200 if is_ready else 503)
        told = {"live": True, "ready": is_ready, "services": services}
        return _body(request, msgspec.json.encode(told), JSON)


class Health(Readiness):
    """`/health`: the same, with `/health/live` and `/health/ready` below it."""

    def __init__(self, ready: Ready) -> None:
        super().__init__(ready)
        self.putChild(b"live", Live())
        self.putChild(b"ready", Readiness(ready))


class Counters(_Page):
    """`/metrics` in Prometheus' text format."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__()
        self._metrics = metrics

    def render_GET(self, request: WebRequest) -> bytes:
        return _body(request, self._metrics.render(), CONTENT_TYPE)


def _body(request: WebRequest, body: bytes, content_type: str) -> bytes:
    status = request.code
    headers = [("Cache-Control", "no-store")]
    request.begin(Response(status, content_type=content_type, headers=headers), len(body))
    return body
