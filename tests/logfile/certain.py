"""Which lines on a disk in memory are there for certain, whatever a power loss leaves.

Knows no writer: what somebody was told is stored is to be compared with this.
"""

from __future__ import annotations

from functools import reduce
from pathlib import Path

from tests.logfile.disk import FakeDisk
from tests.logfile.inodes import Inode

TORN = ".torn"


def lines_of(text: bytes, *, behind_zeros: bool = False) -> set[bytes]:
    """The whole lines without zeros; with `behind_zeros` also what follows the last zero of one."""
    lines = text.split(b"\n")[:-1]
    if behind_zeros:
        return {line.rpartition(b"\0")[2] for line in lines}
    return {line for line in lines if b"\0" not in line}


def certain_in(inode: Inode, *, behind_zeros: bool = False) -> set[bytes]:
    """The lines of one file that are on the disk, whichever way a power loss ends."""
    data = bytes(inode.data)
    ends = [inode.synced] if data.startswith(inode.synced) else [inode.synced, data]
    found = []
    for end in ends:
        text = bytearray(end)
        for begin, stop in inode.lost:
            text[begin:stop] = b"\0" * len(text[begin:stop])
        found.append(lines_of(bytes(text), behind_zeros=behind_zeros))
    return set.intersection(*found)


def certain(disk: FakeDisk, folder: str = "/logs") -> set[bytes]:
    """The lines that are there under some name, whichever of the last changes of names survive.

    What is only in NAME.torn does not count.
    """
    directory = disk.directory(Path(folder))
    known: dict[Inode, set[bytes]] = {}
    states = []
    for names in (*directory.past, directory.names):
        inodes = {inode for name, inode in names.items() if not name.endswith(TORN)}
        for inode in inodes - known.keys():
            known[inode] = certain_in(inode)
        states.append(set().union(*(known[inode] for inode in inodes)))
    return reduce(set.__and__, states)
