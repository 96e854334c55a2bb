from __future__ import annotations

from benchmarks import doorcases
from benchmarks.scale import FULL
from tests.system.programs import program


def test_everybody_is_compared_with_somebody_who_takes_part() -> None:
    for name in ("nginx", "haproxy"):
        program(name, name)
    for case in (*doorcases.proxy(FULL), *doorcases.wsgi(FULL), *doorcases.api(FULL)):
        names = [each.name for each in case.contestants]
        assert names[0] == "proto"
        assert case.beside
        assert set(case.beside) <= set(names)
        assert not [remark for remark in case.remarks if "left out" in remark]


def test_a_proxy_is_measured_for_its_rate_and_for_what_it_adds() -> None:
    many, one = doorcases.proxy(FULL)
    assert "connections: 64" in many.title
    assert "connections: 1" in one.title
    assert many.beneath is not one.beneath
