from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.report import files
from benchmarks.report.__main__ import main
from benchmarks.report.results import ResultsUnreadable
from tests.benchmarks.report.made import of

ORDER = ("echo", "chat")


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    assert files.read(tmp_path) == []
    files.write(tmp_path, [of("echo", "echo: 1")], ORDER)
    assert files.read(tmp_path) == [of("echo", "echo: 1")]
    assert set(contents(tmp_path)) == {
        "benchmarks.md",
        "benchmarks/results.json",
        "benchmarks/echo-1.svg",
    }


def test_a_run_of_some_benchmarks_keeps_the_others(tmp_path: Path) -> None:
    files.write(tmp_path, [of("echo", "echo: 1"), of("chat", "chat: 10")], ORDER)
    files.write(tmp_path, [of("chat", "chat: 100")], ORDER)
    assert files.read(tmp_path) == [of("echo", "echo: 1"), of("chat", "chat: 100")]
    text = (tmp_path / "benchmarks.md").read_text()
    assert "## echo: 1\n" in text
    assert "## chat: 100\n" in text


def test_a_chart_that_is_no_longer_shown_is_removed_and_nothing_else(tmp_path: Path) -> None:
    files.write(tmp_path, [of("chat", "chat: 10")], ORDER)
    (tmp_path / "benchmarks" / "drawing.svg").write_text("somebody's")
    files.write(tmp_path, [of("chat", "chat: 100")], ORDER)
    charts = {path.name for path in (tmp_path / "benchmarks").glob("*.svg")}
    assert charts == {"chat-100.svg", "drawing.svg"}


def test_if_one_file_cannot_be_written_none_is_replaced(tmp_path: Path) -> None:
    files.replace(tmp_path, {"a.txt": "old", "b.txt": "old"})
    before = contents(tmp_path)
    (tmp_path / ".b.txt.new").mkdir()  # in its way
    with pytest.raises(OSError, match="Is a directory"):
        files.replace(tmp_path, {"a.txt": "new", "b.txt": "new"})
    assert contents(tmp_path) == before
    assert not (tmp_path / ".a.txt.new").exists()


def test_results_of_another_kind_are_left_alone_and_named(tmp_path: Path) -> None:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "results.json").write_text("[1]")
    before = contents(tmp_path)
    with pytest.raises(ResultsUnreadable, match=r"results\.json: .*; remove it and measure"):
        files.write(tmp_path, [of("echo", "echo: 1")], ORDER)
    assert contents(tmp_path) == before


def test_the_page_is_made_anew_from_the_results_alone(tmp_path: Path) -> None:
    files.write(tmp_path, [of("echo", "echo: 1")], ORDER)
    before = contents(tmp_path)
    (tmp_path / "benchmarks.md").unlink()
    (tmp_path / "benchmarks" / "echo-1.svg").write_text("old")
    assert main([str(tmp_path)]) == 0
    assert contents(tmp_path) == before


def test_what_stops_the_page_from_being_made_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "results.json").write_text("[1]")
    assert main([str(tmp_path)]) == 1
    assert "results.json" in capsys.readouterr().err
    assert main([]) == 2
