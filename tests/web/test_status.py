from __future__ import annotations

import pytest

from proto.metrics import Metrics
from tests.web.wire import ask, site_of


def test_health_tells_of_each_service() -> None:
    answer = ask(site_of(ready=lambda: {"web": True, "chat": True}), "/health")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.body == b'{"live":true,"ready":true,"services":{"web":true,"chat":true}}'


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
def test_one_service_that_takes_no_peers_makes_it_503(path: str) -> None:
    answer = ask(site_of(ready=lambda: {"web": True, "chat": False}), path)
    assert answer.status == 503
    assert answer.body == b'{"live":true,"ready":false,"services":{"web":true,"chat":false}}'


def test_a_stopping_process_is_alive() -> None:
    answer = ask(site_of(ready=lambda: {"web": False}), "/health/live")
    assert (answer.status, answer.body) == (200, b'{"live":true}')


def test_readiness_is_asked_each_time() -> None:
    services = {"web": False}
    site = site_of(ready=lambda: services)
    assert ask(site, "/health/ready").status == 503
    services["web"] = True
    assert ask(site, "/health/ready").status == 200


def test_head_tells_the_length_and_other_methods_are_refused() -> None:
    site = site_of(ready=dict, metrics=Metrics())
    head = ask(site, "/health", "HEAD")
    assert (head.status, head.headers["Content-Length"]) == (200, "40")
    for path in ("/health", "/metrics"):
        refused = ask(site, path, "POST")
        assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
        options = ask(site, path, "OPTIONS")
        assert (options.status, options.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize("path", ["/health/", "/health/x", "/health/live/x", "/metrics/x"])
def test_there_is_nothing_else_below(path: str) -> None:
    assert ask(site_of(ready=dict, metrics=Metrics()), path).status == 404


def test_metrics_are_for_prometheus() -> None:
    metrics = Metrics()
    metrics.tally("things", "Things").value = 3
    answer = ask(site_of(metrics=metrics), "/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert b"proto_things_total 3.0\n" in answer.body
