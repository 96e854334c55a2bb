"""What is counted of the servers behind a proxy.  No twisted."""

from __future__ import annotations

from proto.metrics import Distribution, Metrics, Tally
from proto.web.proxy.servers import Member


class ServerFigures:
    """The counters of one server."""

    __slots__ = ("_classes", "bytes", "connects", "failures")

    def __init__(self, metrics: Metrics, server: str) -> None:
        self._classes: dict[int, Tally] = {
            number: metrics.tally(
                "web_proxy_answers",
                "Answers of servers behind the proxy",
                server=server,
                status=f"{number}xx",
            )
            for number in range(1, 10)
        }
        self.failures = metrics.tally(
            "web_proxy_failures", "Requests to a server that failed", server=server
        )
        self.connects = metrics.tally(
            "web_proxy_connects", "Connections made to a server", server=server
        )
        self.bytes = metrics.tally(
            "web_proxy_bytes_received", "Bytes of the bodies that a server sent", server=server
        )

    def answered(self, status: int) -> None:
        """Count the head of an answer."""
        self._classes[status // 100].value += 1


class Figures:
    """Those of all servers; several paths may have the same ones."""

    def __init__(self, metrics: Metrics | None = None) -> None:
        self._metrics = metrics or Metrics()
        self._servers: dict[str, ServerFigures] = {}
        self.seconds: Distribution = self._metrics.histogram(
            "web_proxy_seconds", "From asking a server to the end of its answer"
        )
        self.repeats = self._metrics.tally(
            "web_proxy_repeats", "Requests that were sent again, to another server or connection"
        )
        self.sent = self._metrics.tally(
            "web_proxy_tunnel_bytes_sent", "Bytes that went to servers through tunnels"
        )
        self.tunnels = self._metrics.tally(
            "web_proxy_tunnels", "Connections that became another protocol's"
        )

    def of(self, member: Member) -> ServerFigures:
        """The counters of a server; asking again is cheap."""
        found = self._servers.get(member.name)
        if found is None:
            found = self._servers[member.name] = ServerFigures(self._metrics, member.name)
        return found
