"""The proof itself: whatever could go wrong with the lines of a log, it finds."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.numbered import UNFINISHED, Notes, Proof, line, prove

Damage = Callable[[list[bytes]], object]


def senders() -> list[Notes]:
    """Two of them; the first one had to come twice, and the second one was not told of its last."""
    ann, bob = Notes(b"ann"), Notes(b"bob")
    ann.begin()
    ann.next(5)
    ann.told(3)
    ann.begin()
    ann.next(4)
    ann.told(7)
    bob.begin()
    bob.next(3)
    bob.told(2)
    return [ann, bob]


def whole() -> list[bytes]:
    """What a log may hold then: lines 4 and 5 of ann are there twice."""
    first = [line(b"ann", 1, number) for number in range(1, 6)]
    again = [line(b"ann", 2, number) for number in range(4, 8)]
    return [*first, *(line(b"bob", 1, number) for number in range(1, 4)), *again]


def write(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(b"".join(each + b"\n" for each in lines))


def test_a_log_in_which_all_is_well_is_told_in_figures(tmp_path: Path) -> None:
    lines = whole()
    name = tmp_path / "log.txt.20261121T180000Z"
    (tmp_path / f"{name}.000001.gz").write_bytes(gzip.compress(lines[0] + b"\n"))
    write(tmp_path / f"{name}.000002.unsynced", lines[1:4])
    write(tmp_path / f"{name}.000003", lines[3:7])
    half = line(b"bob", 1, 4)[:9]
    write(tmp_path / "log.txt", [*lines[7:], half + UNFINISHED])
    write(tmp_path / "log.txt.torn", [line(b"ann", 2, 7)[:20], b"bo"])
    assert prove(senders(), tmp_path) == Proof(
        stored=12, acknowledged=9, doubled=2, torn=2, unfinished=1, unsynced=1, segments=4
    )


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda lines: lines.pop(2), "does not come next"),
        (lambda lines: lines.pop(), "lost, 7 were acknowledged"),
        (lambda lines: lines.__delitem__(slice(8, None)), "a whole turn is missing"),
        (lambda lines: lines.__delitem__(slice(5, 8)), "a whole turn is missing"),
        (lambda lines: lines.insert(3, lines[2]), "does not come next"),
        (lambda lines: lines.insert(2, lines.pop(1)), "does not come next"),
        (lambda lines: lines.append(lines[0]), "turn 1 does not come here"),
        (lambda lines: lines.append(line(b"ann", 2, 8)), "was never sent"),
        (lambda lines: lines.append(line(b"ann", 3, 8)), "turn 3 does not come here"),
        (lambda lines: lines.append(b"forged"), "a foreign, half or merged line"),
        (lambda lines: lines.append(lines.pop() + lines.pop()), "a foreign, half or merged line"),
        (lambda lines: lines.append(lines.pop()[:-1]), "a foreign, half or merged line"),
        (lambda lines: lines.append(lines.pop().replace(b"x", b"xx", 1)), "a changed line"),
        (lambda lines: lines.append(b"bob 1 5 x" + UNFINISHED), "bob 1 5"),
    ],
)
def test_what_is_lost_doubled_forged_or_out_of_order_is_found(
    damage: Damage, told: str, tmp_path: Path
) -> None:
    lines = whole()
    damage(lines)
    write(tmp_path / "log.txt", lines)
    with pytest.raises(AssertionError, match=told):
        prove(senders(), tmp_path)


def test_half_a_line_at_the_end_and_a_file_left_behind_are_found(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_bytes(b"\n".join(whole()))
    with pytest.raises(AssertionError, match="ends in half a line"):
        prove(senders(), tmp_path)
    write(tmp_path / "log.txt", whole())
    (tmp_path / "log.txt.fresh").touch()
    with pytest.raises(AssertionError, match=r"log\.txt\.fresh was left behind"):
        prove(senders(), tmp_path)


def test_a_torn_tail_that_nobody_sent_is_found(tmp_path: Path) -> None:
    write(tmp_path / "log.txt", whole())
    for half in (b"eve 1 1 xx", line(b"ann", 1, 4)[:-20] + b"yy"):
        write(tmp_path / "log.txt.torn", [half])
        with pytest.raises(AssertionError):
            prove(senders(), tmp_path)
