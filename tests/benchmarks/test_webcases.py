from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks import webcases
from benchmarks.scale import FULL
from benchmarks.webservers import ACCESS_LOG
from tests.system.programs import program


def test_a_log_is_right_only_if_it_has_a_line_for_every_answer(tmp_path: Path) -> None:
    (tmp_path / ACCESS_LOG).write_text("one\ntwo\n")
    assert webcases.verify(tmp_path, 2.0) == ""
    assert webcases.verify(tmp_path, 3.0) == "3 answers came, the log has 2 lines"
    assert webcases.verify(tmp_path, 1.0) == "1 answers came, the log has 2 lines"
    (tmp_path / f"{ACCESS_LOG}.1").write_text("before\n")
    assert webcases.verify(tmp_path, 3.0) == ""


def test_where_there_is_no_log_at_all_no_answer_is_in_it(tmp_path: Path) -> None:
    assert webcases.verify(tmp_path, 1.0) == "1 answers came, the log has 0 lines"


def test_no_part_of_the_file_that_is_served_is_there_twice() -> None:
    data = webcases.content(100_000)
    assert len(data) == 100_000
    assert len({data[at : at + 16] for at in range(0, 100_000, 16)}) == 100_000 // 16
    assert webcases.content(0) == b""
    assert len(webcases.content(1024)) == 1024


def test_with_little_time_only_the_strongest_take_part_and_it_is_said() -> None:
    program("nginx", "nginx")
    scale = replace(FULL, every_web=False, file_sizes=(1024,))
    hello, encoded, file = webcases.web(scale)
    assert [each.name for each in hello.contestants] == [
        "proto, register()",
        "proto, plain Resource",
        "twisted-web",
        "granian WSGI",
        "nginx",
    ]
    assert [each.name for each in file.contestants] == ["proto", "nginx", "twisted-web"]
    assert all("the weaker servers left out" in case.remarks[-1] for case in (hello, encoded, file))


def test_everybody_is_compared_with_somebody_who_takes_part() -> None:
    program("nginx", "nginx")
    for case in webcases.web(FULL):
        names = [each.name for each in case.contestants]
        assert names[0].startswith("proto")
        assert case.beside
        assert set(case.beside) <= set(names)
        assert case.title.startswith("web: ")
