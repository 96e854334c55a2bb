"""An event -> the lines that telnet and netcat show.  Encoded once for everyone.

What people chose comes first in a line (`bob says ...`) and begins with a letter or a digit, so a
line that begins with `*`, `[` or `!` is the server's word.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from proto.chat.events import (
    Emoted,
    Entered,
    Event,
    Joined,
    Left,
    Moved,
    Notice,
    Refused,
    Renamed,
    Said,
    Told,
    YouTold,
)
from proto.errors import PeerError

WELCOME: Final = (
    "Welcome to the party!",
    "Send '/NAME [new name]' to change your name.",
    "Send '/EXIT' to quit.",
)
FAREWELL: Final = "The server is stopping. Goodbye."


def shown(event: Event) -> str:
    """The event as people read it; several lines are joined by a line feed."""
    match event:
        case Said(sender, text):
            return f"{sender} says {text}"
        case Emoted(sender, text):
            return f"* {sender} {text}"
        case Told(sender, text):
            return f"[private] {sender} tells you {text}"
        case YouTold(recipient, text):
            return f"[private] you tell {recipient} {text}"
        case Joined(name):
            return f"{name} has joined the party."
        case Moved(name, room):
            return f"{name} has left for {room}."
        case Left(name, reason):
            return f"{name} has disconnected{f' ({reason})' if reason else ''}."
        case Renamed(old, new):
            return f"{old} changed name to {new}"
        case Entered(room, name, others, unlisted, lines):
            here = f"Also here: {listed(others, unlisted)}." if others else "Nobody else is here."
            earlier = ["Earlier here:", *map(shown, lines), "Now:"] if lines else []
            return "\n".join([f"You are {name}, in {room}. {here}", *earlier])
        case Notice(text):
            return text
        case Refused(reason):
            return f"! {reason}"


def listed(names: Iterable[str], unlisted: int) -> str:
    """`alice, bob and 12 more`."""
    return ", ".join(names) + (f" and {unlisted} more" if unlisted else "")


def encode_lines(*lines: str) -> bytes:
    """Lines of text, each ended by CR LF as telnet wants it."""
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace")


def encode_refusal(reason: PeerError) -> bytes:
    """A refusal on its own, for somebody who has no connection to deliver an event to."""
    return encode_lines(shown(Refused(str(reason))))


class Encoder:
    """Events -> bytes.  A room shows one event to everybody before the next, so the last one
    encoded is remembered and its bytes are shared."""

    __slots__ = ("_bytes", "_event")

    def __init__(self) -> None:
        self._event: Event | None = None
        self._bytes = b""

    def encode(self, event: Event) -> bytes:
        """The event's lines; the same object for the same event, asked for in a row."""
        if event is not self._event:
            self._bytes = encode_lines(*shown(event).split("\n"))
            self._event = event
        return self._bytes
