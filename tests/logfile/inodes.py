"""Files and folders in memory, and what is left of them without power."""

from __future__ import annotations

import random

from proto.logfile.filesystem import Status


class Inode:
    """One file: what is read from it now, and what is left of it without power."""

    def __init__(self, number: int, mode: int) -> None:
        self.number = number
        self.mode = mode
        self.owner = self.group = 0
        self.links = 0
        self.modified = 0.0
        self.data = bytearray()
        self.synced = b""
        self.lost: list[tuple[int, int]] = []
        """What a failed sync left out: from where to where."""
        self.again: list[int] = []
        """Bytes that were written over since, and are not synced yet."""

    def status(self) -> Status:
        size = len(self.data)
        return Status(
            1, self.number, size, self.links, self.mode, self.owner, self.group, self.modified
        )

    def was_synced(self) -> None:
        for byte in self.again:
            self.lost = [
                part
                for begin, end in self.lost
                for part in (
                    [(begin, byte), (byte + 1, end)] if begin <= byte < end else [(begin, end)]
                )
            ]
        self.again.clear()
        self.synced = bytes(self.data)

    def was_not_synced(self) -> None:
        """What is dirty is never written, but is read as before."""
        pairs = zip(self.synced, self.data, strict=False)
        shorter = min(len(self.synced), len(self.data))
        same = next((at for at, (old, new) in enumerate(pairs) if old != new), shorter)
        self.lost.append((same, len(self.data)))
        self.again.clear()
        self.synced = bytes(self.data)

    def evict(self) -> None:
        """What was never written is read from the disk from now on, as zeros."""
        synced = bytearray(self.synced)
        for begin, end in self.lost:
            for byte in set(range(begin, end)).difference(self.again):
                for text in (self.data, synced):
                    if byte < len(text):
                        text[byte] = 0
        self.synced = bytes(synced)

    def lose_power(self, chance: random.Random | None) -> None:
        """Keep what was synced, and of the rest as much as chance wants: nothing without one."""
        kept = self.synced
        if chance is not None:
            if self.data.startswith(kept):
                kept = bytes(self.data[: chance.randint(len(kept), len(self.data))])
            elif chance.random() < 0.5:  # it was truncated
                kept = bytes(self.data)
        holes = bytearray(kept)
        for begin, end in self.lost:
            holes[begin:end] = b"\0" * len(holes[begin:end])
        self.data, self.synced, self.lost = holes, bytes(holes), []


class Directory:
    """The names in one folder, and how they were after each change since they were synced."""

    def __init__(self) -> None:
        self.names: dict[str, Inode] = {}
        self.past: list[dict[str, Inode]] = [{}]
        self.locked = False
        self.gone = False

    def changed(self) -> None:
        self.past.append(dict(self.names))

    def sync(self) -> None:
        self.past = [dict(self.names)]

    def lose_power(self, chance: random.Random | None) -> None:
        """A journal keeps the order of changes: some of the last ones may be missing."""
        for inode in self.names.values():
            inode.links = 0
        self.names = dict(chance.choice(self.past) if chance else self.past[0])
        for inode in self.names.values():
            inode.links += 1
        self.sync()
