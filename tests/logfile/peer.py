"""A sender of lines that can be told from all others, and what it was told became of them."""

from __future__ import annotations

from functools import partial

from proto.logfile.formats import FORMATS
from proto.logfile.framing import LineFraming, Piece
from proto.logfile.intake import Intake
from proto.logfile.origin import Origin
from tests.logfile.senders import Sender

LIMIT = 20


class Peer(Sender):
    """Each of its lines begins with its own number and that of the line."""

    def __init__(self, intake: Intake, number: int, name: str) -> None:
        super().__init__()
        self.number = number
        self._intake = intake
        self._framing = LineFraming(LIMIT)
        self._lines = 0
        self._begun = False
        self._reads_while_paused = 0
        self._takes = self._settled = 0
        self.waiting = 0
        """Lines that it was not told of yet."""
        self.sent: set[bytes] = set()
        """All records that may be in a file."""
        self.acked: set[bytes] = set()
        """Of these, what it was told is stored."""
        self.account = intake.open(self, Origin(f"peer {number}", name))

    def send(self, texts: list[bytes]) -> None:
        """One read; a paused transport brings at most the one that was under way."""
        if not self.paused:
            self._reads_while_paused = 0
        elif self._reads_while_paused:
            return
        else:
            self._reads_while_paused = 1
        data = b""
        for text in texts:
            if not self._begun:
                data += b"%d.%d:" % (self.number, self._lines)
                self._lines += 1
            data += text
            self._begun = not text.endswith(b"\n")
        self._take(self._framing.feed(data))

    def leave(self) -> None:
        """Hang up, perhaps within a line."""
        rest = self._framing.close()
        if rest is not None:
            self._take([rest])
        self._intake.close(self.account)

    def check_order(self, lines: list[bytes]) -> None:
        """Those lines of a file that are ours are in the order in which they were sent."""
        mine = [line for line in lines if line.startswith(b"%d." % self.number)]
        numbers = [int(line.partition(b":")[0].partition(b".")[2]) for line in mine]
        assert numbers == sorted(set(numbers))

    def _take(self, pieces: list[Piece]) -> None:
        if pieces:
            records = FORMATS["raw"](pieces, self.account.origin, 0.0, 1).split(b"\n")[:-1]
            self.sent.update(records)
            took = self._intake.take(
                self.account, pieces, partial(self._stored, self._takes, records)
            )
            assert took == len(records)
            self._takes += 1
            self.waiting += took

    def _stored(self, take: int, records: list[bytes], stored: bool) -> None:
        assert take == self._settled
        self._settled += 1
        self.waiting -= len(records)
        if stored:
            self.acked.update(records)
