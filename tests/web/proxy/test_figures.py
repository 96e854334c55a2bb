from __future__ import annotations

from proto.metrics import Metrics
from proto.web.proxy.figures import Figures
from proto.web.proxy.servers import Group, Server


def test_each_server_has_counters_of_its_own() -> None:
    metrics = Metrics()
    figures = Figures(metrics)
    one, other = Group([Server("a", 1), Server("b", 2)], "round_robin", lambda: 0.0).members
    figures.of(one).answered(200)
    figures.of(one).answered(204)
    figures.of(one).answered(503)
    figures.of(other).failures.value += 1
    assert figures.of(one) is figures.of(one)
    told = metrics.render().decode()
    assert 'proto_web_proxy_answers_total{server="a:1",status="2xx"} 2.0' in told
    assert 'proto_web_proxy_answers_total{server="a:1",status="5xx"} 1.0' in told
    assert 'proto_web_proxy_failures_total{server="a:1"} 0.0' in told
    assert 'proto_web_proxy_failures_total{server="b:2"} 1.0' in told


def test_two_paths_share_what_is_counted_of_a_server() -> None:
    figures = Figures()
    groups = [Group([Server("a", 1)], "round_robin", lambda: 0.0) for _ in range(2)]
    assert figures.of(groups[0].members[0]) is figures.of(groups[1].members[0])
