from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.task import Clock

from proto.errors import StartError
from proto.web.visits import Visits, with_footer


def test_visits_are_counted_and_written_at_most_once_a_second(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "visits"
    visits = Visits(path, clock)
    assert [visits.visit(), visits.visit()] == [1, 2]
    assert path.read_bytes() == b"0\n"
    clock.advance(0.9)
    assert path.read_bytes() == b"0\n"
    clock.advance(0.1)
    assert path.read_bytes() == b"2\n"
    assert not clock.getDelayedCalls()
    visits.visit()
    clock.advance(1)
    assert path.read_bytes() == b"3\n"


def test_visits_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "visits"
    clock = Clock()
    first = Visits(path, clock)
    first.visit()
    first.close()
    first.close()
    assert not clock.getDelayedCalls()
    assert Visits(path, Clock()).visit() == 2
    assert list(tmp_path.iterdir()) == [path]


def test_a_kill_leaves_a_whole_number_of_a_second_ago(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "visits"
    killed = Visits(path, clock)
    killed.visit()
    clock.advance(1)
    killed.visit()
    assert Visits(path, Clock()).count == 1


def test_an_empty_file_counts_from_zero(tmp_path: Path) -> None:
    (tmp_path / "visits").touch()
    assert Visits(tmp_path / "visits", Clock()).count == 0


@pytest.mark.parametrize("text", [b"many", b"-1", b"1.5", b"1" * 19, b"1 2"])
def test_a_file_that_holds_no_number_is_left_alone(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "visits"
    path.write_bytes(text)
    with pytest.raises(StartError, match=r"does not hold a number: name another file"):
        Visits(path, Clock())
    assert path.read_bytes() == text


def test_a_folder_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"cannot be written \(No such file or directory\): name"):
        Visits(tmp_path / "x" / "visits", Clock())


def test_a_file_that_is_a_folder_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"cannot be read \(Is a directory\): name"):
        Visits(tmp_path, Clock())


def test_a_disk_that_fails_meanwhile_stops_nobody(tmp_path: Path) -> None:
    clock, folder = Clock(), tmp_path / "state"
    folder.mkdir()
    visits = Visits(folder / "visits", clock)
    visits.visit()
    folder.rename(tmp_path / "gone")
    clock.advance(1)
    (tmp_path / "gone").rename(folder)
    assert visits.visit() == 2
    clock.advance(1)
    assert (folder / "visits").read_bytes() == b"2\n"


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (b"<body>x</body>", b"<body>x<footer>Visits: 7</footer></body>"),
        (b"x</BODY></html>", b"x<footer>Visits: 7</footer></BODY></html>"),
        (b"</body></body>", b"</body><footer>Visits: 7</footer></body>"),
        (b"no end", b"no end"),
    ],
)
def test_the_footer_stands_before_the_end_of_the_body(page: bytes, expected: bytes) -> None:
    assert with_footer(page, 7) == expected
