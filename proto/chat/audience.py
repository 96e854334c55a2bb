"""Those in one room who read the same form: a line is encoded once, and its bytes are shared.

What is published in one turn of the reactor is joined once, and each client is given the same
bytes at the end of the turn.  So a line costs nothing for each client, and a turn one write.
Knows no sockets; `Reader` is the outgoing side of a client.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Final, Protocol, cast

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

    def step_out(self) -> None:
        """Be given things one by one, if they were among those who are `Together`."""
        ...


class Together(Protocol):
    """Readers who are given the same bytes with one call."""

    def admit(self, reader: Any, back: Callable[[], None]) -> bool:
        """Whether they are given what the others are from now on.

        They may step out at any time; `back` is called when they do.
        """
        ...

    def give(self, data: bytes, newest: int) -> None:
        """As `Reader.take`.  Whatever one of them raises is raised when all others have theirs."""
        ...


class SharedAudience:
    """An `Audience` of readers.

    encode   makes bytes of an event; empty bytes are not sent
    wake     asks for a `flush` at the end of the turn
    count    is told how many clients a published event goes to
    together those of the readers who need not be given it one by one, where there may be such
    """

    __slots__ = (
        "_apart",
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
        "_together",
        "_wake",
    )

    def __init__(
        self,
        encode: Callable[[Event], bytes],
        wake: Callable[[SharedAudience], None],
        count: Callable[[int], None],
        together: Together | None = None,
    ) -> None:
        self._encode = encode
        self._wake = wake
        self._count = count
        self._together = together
        self._readers: dict[Member, Reader] = {}
        self._apart: dict[Member, Reader] = {}  # Of these, those who are not among `together`.
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
        self._readers[member] = self._apart[member] = reader
        self._late[member] = len(self._pieces)

    def remove(self, member: Member) -> None:
        """They take what was published until now."""
        self.settle(member)
        self._late.pop(member, None)
        reader = self._readers[member]
        reader.step_out()
        reader.audience = None
        del self._readers[member], self._apart[member]

    def publish(self, event: Event, skipped: Collection[Member] = ()) -> None:
        """Add an event to this turn's bytes."""
        data = self._encode(event)
        if not data:
            return
        if not self._pieces:
            self._wake(self)
        if skipped:
            skipped = [member for member in skipped if member in self._readers]
            for member in skipped:
                self.settle(member)
        self._pieces.append(data)
        for member in skipped:
            self._late[member] = len(self._pieces)
        self._count(len(self._readers) - len(skipped))
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
        for member in late:
            if member in self._readers:
                self._readers[member].step_out()
        # Who does not take it may be dropped, or step out: neither may take it twice.
        apart = list(self._apart.items())
        bug: Exception | None = None
        try:
            if self._together is not None:
                self._together.give(whole, newest)
        except Exception as error:
            bug = error
        for member, reader in apart:
            taken = late.get(member, 0)
            try:
                if taken < len(pieces):
                    reader.take(b"".join(pieces[taken:]) if taken else whole, newest)
                self._admit(member, reader)
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

    def _admit(self, member: Member, reader: Reader) -> None:
        """Let them be among those who take it together, if they can."""
        together, back = self._together, partial(self._stepped_out, member)
        if together is not None and member in self._apart and together.admit(reader, back):
            del self._apart[member]

    def _stepped_out(self, member: Member) -> None:
        self._apart[member] = self._readers[member]

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
        together: Callable[[], Together | None] = lambda: None,
    ) -> None:
        """`together` makes one for each audience, where its readers may be given things so."""
        self.encode = encode
        self._wake = wake
        self._count = count
        self._together = together

    def audience(self) -> SharedAudience:
        """A new, empty audience."""
        return SharedAudience(self.encode, self._wake, self._count, self._together())
