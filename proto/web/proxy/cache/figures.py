"""What is counted of a cache, for Prometheus."""

from __future__ import annotations

from proto.metrics import Metrics, Tally
from proto.web.proxy.cache.store import Measured


class CacheFigures:
    """The counters of the cache of one route; asking twice for a route gives the same ones."""

    def __init__(self, metrics: Metrics, route: str = "/") -> None:
        text = "Answers of a proxy with a cache, by where they came from"

        def answers(result: str) -> Tally:
            return metrics.tally("proxy_cache_answers", text, route=route, result=result)

        self.hits = answers("hit")
        """From the store, fresh."""
        self.stale = answers("stale")
        """From the store, stale: the origin fails, is asked behind, or the client does not mind."""
        self.confirmed = answers("revalidated")
        """From the store, after the origin said that it holds."""
        self.collapsed = answers("collapsed")
        """Out of what another client was just asking for."""
        self.misses = answers("miss")
        """From the origin."""
        self.passed = answers("bypass")
        """From the origin; no cache may answer such a request."""
        self.kept = metrics.tally("proxy_cache_stored", "Answers that were stored", route=route)
        self.failed = metrics.tally(
            "proxy_cache_store_failures", "Answers that a store did not take", route=route
        )


def show_store(metrics: Metrics, store: Measured) -> None:
    """Tell what a store holds; those in other processes and programs tell it themselves."""
    metrics.gauge("proxy_cache_bytes", "Bytes in the proxy's cache", lambda: store.size)
    metrics.gauge("proxy_cache_entries", "Answers in the proxy's cache", lambda: store.entries)
