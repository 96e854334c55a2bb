"""How a client speaks to one kind of chat.  Pure: knows no socket and no server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Dialect:
    """What is said before the first line, and what comes of a line.

    hello    what a newcomer says at once; `%(number)d` in it is another number for each newcomer
    ready    what it must read before it counts as present
    prefix   stands before every line that is said
    echoes   who says a line hears it too
    at_once  newcomers who may knock at once: fewer than the shortest queue of such a server
    """

    hello: bytes = b""
    ready: bytes = b"Welcome"
    prefix: bytes = b""
    echoes: bool = True
    at_once: int = 32

    def greeting(self, number: int) -> bytes:
        """What the newcomer of that number says at once."""
        return self.hello % {b"number": number}

    def line(self, text: bytes) -> bytes:
        """What has to be sent to say this."""
        return self.prefix + text + b"\r\n"

    def hearers(self, people: int) -> int:
        """How many of those present hear a line that one of them says."""
        return people if self.echoes else people - 1

    def witnesses(self, everybody: Sequence[int], speakers: int) -> dict[int, int]:
        """Somebody who hears -> the speaker whose lines it hears; the first ones are the speakers.

        That is the speaker, who may say the next line then; or whoever stands beside it, where
        nobody hears what he says himself.
        """
        hearing = everybody if self.echoes else [*everybody[1:], *everybody[:1]]
        return dict(zip(hearing[:speakers], everybody[:speakers], strict=True))


PLAIN: Final = Dialect()
"""Lines, and a server that greets: the chats of the tutorials."""
OURS: Final = Dialect(hello=b"\r\n", ready=b"You are ")
"""Our chat waits a moment before it greets, unless a newcomer speaks: an empty line is enough."""
IRC: Final = Dialect(
    hello=b"NICK n%(number)d\r\nUSER bench 0 * :bench\r\nJOIN &chat\r\n",
    ready=b":End of NAMES",
    prefix=b"PRIVMSG &chat :",
    echoes=False,
    at_once=8,
)
"""The list of who is there ends a JOIN (366 in RFC 2812, 5.1).  A channel with `&`, for a `#` marks
a line that is counted.  ngIRCd's queue has room for ten; whoever finds none tries again after a
second."""
