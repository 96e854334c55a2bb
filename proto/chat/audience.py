"""Those in one room who read the same form: a line is encoded once, and its bytes are shared.

What is published in one turn of the reactor is joined once, and each client is given the same
bytes at the end of the turn.  So a line costs nothing for each client, and a turn one write.
Knows no sockets; `Reader` is the outgoing side of a client.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from typing import Final, Protocol, cast

from proto.chat.events import Event, Stored
from proto.chat.person import Member

ENOUGH: Final = 65536
"""Bytes of one turn after which they are passed on without waiting for its end."""


REMEMBERED: Final = 1 << 23
"""Bytes of what was passed on whose place among the lines is known: more than a kernel keeps."""

GRAIN: Final = 4096
"""Bytes whose places are not told apart."""


class Reader(Member, Protocol):
    """A member who takes bytes that are shared with others."""

    audience: SharedAudience | None
    """Where they sit; it is told before they are sent something of their own."""

    def take(self, data: bytes, newest: int) -> None:
        """Bytes to be sent after all before; `newest` is the last line in them, or before."""
        ...


class SharedAudience:
    """An `Audience` of readers.

    encode   makes bytes of an event; empty bytes are not sent
    wake     asks for a `flush` at the end of the turn
    count    is told how many clients a published event goes to
    """

    __slots__ = (
        "_before_turn",
        "_count",
        "_encode",
        "_late",
        "_newest",
        "_passed",
        "_passed_size",
        "_pieces",
        "_readers",
        "_size",
        "_wake",
    )

    def __init__(
        self,
        encode: Callable[[Event], bytes],
        wake: Callable[[SharedAudience], None],
        count: Callable[[int], None],
    ) -> None:
        self._encode = encode
        self._wake = wake
        self._count = count
        self._readers: dict[Member, Reader] = {}
        self._pieces: list[bytes] = []
        # How many of this turn's pieces are not for somebody, or theirs already; mostly nobody's.
        self._late: dict[Member, int] = {}
        self._size = 0
        self._newest = 0
        self._before_turn = 0
        # So many bytes were passed on, and before them that line.
        self._passed: deque[tuple[int, int]] = deque()
        self._passed_size = 0

    def __len__(self) -> int:
        return len(self._readers)

    def add(self, member: Member) -> None:
        """They take what is published from now on."""
        reader = cast(Reader, member)
        reader.audience = self
        self._readers[member] = reader
        self._late[member] = len(self._pieces)

    def remove(self, member: Member) -> None:
        """They take what was published until now."""
        self.settle(member)
        self._late.pop(member, None)
        self._readers.pop(member).audience = None

    def publish(self, event: Event, skipped: Collection[Member] = ()) -> None:
        """Add an event to this turn's bytes."""
        data = self._encode(event)
        if not data:
            return
        if not self._pieces:
            self._wake(self)
        without = [member for member in skipped if member in self._readers]
        for member in without:
            self.settle(member)
        self._pieces.append(data)
        for member in without:
            self._late[member] = len(self._pieces)
        self._count(len(self._readers) - len(without))
        if isinstance(event, Stored):
            self._newest = event.sequence
        self._size += len(data)
        if self._size >= ENOUGH:
            self.flush()

    def settle(self, member: Member) -> None:
        """Give somebody what is theirs until now, before something else comes."""
        if not self._pieces:
            return
        taken = self._late.get(member, 0)
        if taken < len(self._pieces):
            self._late[member] = len(self._pieces)
            self._readers[member].take(b"".join(self._pieces[taken:]), self._newest)

    def flush(self) -> None:
        """Give everyone what they have not taken yet.

        Whatever somebody's `take` raises is raised when all others have theirs.
        """
        if not self._pieces:
            return
        pieces, self._pieces, self._size = self._pieces, [], 0
        late, self._late = self._late, {}
        whole = b"".join(pieces)
        newest = self._newest
        self._remember(len(whole))
        bug: Exception | None = None
        # A reader who does not take it may be dropped, and then leaves the dictionary.
        for member, reader in list(self._readers.items()):
            taken = late.get(member, 0) if late else 0
            try:
                if not taken:
                    reader.take(whole, newest)
                elif taken < len(pieces):
                    reader.take(b"".join(pieces[taken:]), newest)
            except Exception as error:
                bug = error
        if bug is not None:
            raise bug

    def before(self, size: int) -> int:
        """The last line that was passed on before the last so many bytes; 0 if that was earlier
        than is remembered."""
        for passed, newest in reversed(self._passed):
            size -= passed
            if size <= 0:
                return newest
        return 0

    def _remember(self, size: int) -> None:
        before, self._before_turn = self._before_turn, self._newest
        self._passed_size += size
        if self._passed and self._passed[-1][0] < GRAIN:
            last, before = self._passed.pop()
            size += last
        self._passed.append((size, before))
        while self._passed_size > REMEMBERED:
            self._passed_size -= self._passed.popleft()[0]


class SharedForm:
    """A `Form` whose readers are sent what `encode` makes; see `SharedAudience`."""

    def __init__(
        self,
        encode: Callable[[Event], bytes],
        wake: Callable[[SharedAudience], None],
        count: Callable[[int], None],
    ) -> None:
        self.encode = encode
        self._wake = wake
        self._count = count

    def audience(self) -> SharedAudience:
        """A new, empty audience."""
        return SharedAudience(self.encode, self._wake, self._count)
