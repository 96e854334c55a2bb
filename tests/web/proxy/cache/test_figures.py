from __future__ import annotations

from proto.metrics import Metrics
from proto.web.proxy.cache.entry import Variants
from proto.web.proxy.cache.figures import CacheFigures, show_store
from proto.web.proxy.cache.memory import MemoryStore
from tests.web.proxy.cache.results import now


def test_each_answer_is_counted_by_route_and_result() -> None:
    metrics = Metrics()
    figures = CacheFigures(metrics, "/app")
    figures.hits.value += 2
    CacheFigures(metrics, "/app").misses.value += 1
    told = metrics.render().decode()
    assert 'proto_proxy_cache_answers_total{result="hit",route="/app"} 2.0' in told
    assert 'proto_proxy_cache_answers_total{result="miss",route="/app"} 1.0' in told


def test_what_a_store_holds_is_told() -> None:
    metrics = Metrics()
    store = MemoryStore(10_000)
    show_store(metrics, store)
    now(store.put(b"k", Variants((), b"")))
    told = metrics.render().decode()
    assert "proto_proxy_cache_entries 1.0" in told
    assert f"proto_proxy_cache_bytes {float(store.size)}" in told
