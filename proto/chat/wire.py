"""An event -> the lines that telnet and netcat show.  Encoded once for everyone.

What people chose comes first in a line (`bob says ...`) and begins with a letter or a digit, so a
line that begins with `*`, `[`, `!`, `#` or `|` is the server's word, and so is one that has a colon
after its first word.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final
from zlib import crc32

from proto.chat.events import (
    CameBack,
    Emoted,
    Entered,
    Event,
    Joined,
    Left,
    Missed,
    Moved,
    Notice,
    Pasted,
    People,
    Recalled,
    Refused,
    Renamed,
    Rooms,
    Said,
    Spoken,
    Stored,
    TakenOver,
    Told,
    TopicSet,
    WentAway,
    YouTold,
)
from proto.errors import PeerError

WELCOME: Final = (
    "Welcome to the party!",
    "Send '/NAME [new name]' to change your name.",
    "Send '/EXIT' to quit.",
)
FAREWELL: Final = "The server is stopping. Goodbye."

Paint = Callable[[str], str]
"""What makes a name stand out; or leaves it as it is."""

_HUES: Final = (31, 32, 33, 35, 36, 91, 92, 93, 94, 95, 96)
"""The foreground colours of ECMA-48 (SGR) that show on black and on white; the bright ones are
aixterm's."""


def plain(name: str) -> str:
    """The name as it is."""
    return name


def colored(name: str) -> str:
    """The name in a colour of its own, for terminals that know SGR (ECMA-48, 8.3.117)."""
    return f"\x1b[{_HUES[crc32(name.encode()) % len(_HUES)]}m{name}\x1b[0m"


def spoken(event: Spoken, paint: Paint = plain) -> str:
    """What somebody said, as people read it."""
    name = paint(event.sender)
    match event:
        case Said():  # first, and by its class alone: nearly everything is this
            return f"{name} says {event.text}"
        case Emoted(_, text):
            return f"* {name} {text}"
        case Pasted(_, text):
            lines = text.split("\n")
            return "\n".join([f"{name} pastes {counted(len(lines), 'line')}:", *_barred(lines)])
        case TopicSet(_, ""):
            return f"{name} took the topic away."
        case TopicSet(_, text):
            return f"{name} set the topic: {text}"


def shown(event: Event, paint: Paint = plain) -> str:
    """The event as people read it; several lines are joined by a line feed."""
    match event:
        case Stored():
            return spoken(event.event, paint)
        case Told(sender, text):
            return f"[private] {paint(sender)} tells you {_in_one(text)}"
        case YouTold(recipient, text):
            return f"[private] you tell {paint(recipient)} {_in_one(text)}"
        case Joined(name):
            return f"{paint(name)} has joined the party."
        case Moved(name, room):
            return f"{paint(name)} has left for {room}."
        case Left(name, reason):
            return f"{paint(name)} has disconnected{f' ({reason})' if reason else ''}."
        case Renamed(old, new):
            return f"{paint(old)} changed name to {paint(new)}"
        case WentAway(name, note):
            return f"{paint(name)} is away{f': {note}' if note else '.'}"
        case CameBack(name):
            return f"{paint(name)} is back."
        case Entered():
            return _entered(event, paint)
        case Missed(lines, more):
            return "\n".join(_missed(lines, more, paint)) if lines else "You missed nothing."
        case TakenOver():
            return "You went on elsewhere with your token. Goodbye."
        case Recalled():
            return _recalled(event, paint)
        case People(room, people, unlisted):
            names = [name if note is None else f"{name} (away)" for name, note in people]
            return f"In {room}: {listed(names, unlisted)}." if people else f"Nobody is in {room}."
        case Rooms(rooms, unlisted):
            return f"Rooms: {listed([f'{name} ({count})' for name, count in rooms], unlisted)}."
        case Notice(text):
            return text
        case Refused(reason, _):
            return f"! {reason}"


def _entered(event: Entered, paint: Paint) -> str:
    others = listed(map(paint, event.others), event.unlisted)
    here = f"Also here: {others}." if event.others else "Nobody else is here."
    told = [f"You are {event.name}, in {event.room}. {here}"]
    topic = event.topic
    if topic is not None and topic.text:
        told.append(f"Topic: {topic.text}")
    if event.resumed and (event.lines or event.more):
        told += _missed(event.lines, event.more, paint)
    elif event.lines:
        told += ["Earlier here:", *(spoken(line.event, paint) for line in event.lines), "Now:"]
    return "\n".join(told)


def _missed(lines: Sequence[Stored], more: bool, paint: Paint) -> list[str]:
    if not lines:
        return ["What you missed cannot be read now; /HISTORY shows it later."]
    told = ["You missed:", *(spoken(line.event, paint) for line in lines)]
    if more:
        told.append(f"There is more; /HISTORY 200 {lines[-1].sequence} shows what came next.")
    return [*told, "Now:"]


def _recalled(event: Recalled, paint: Paint) -> str:
    if not event.lines:
        if event.words is not None:
            return "Nothing was found."
        return f"Nothing was said {'after that' if event.after is not None else 'here yet'}."
    lines = counted(len(event.lines), "line")
    found = f"found in {event.room}" if event.words is not None else f"of {event.room}"
    if event.after is None:
        told = [f"The last {lines} {found}{', there are older ones' if event.more else ''}:"]
    else:
        newer = ", there are newer ones" if event.more else ""
        told = [f"The first {lines} {found} after #{event.after}{newer}:"]
    for line in event.lines:
        at = time.strftime("%Y-%m-%d %H:%M", time.localtime(line.at / 1000))
        told.append(f"#{line.sequence} {at} {spoken(line.event, paint)}")
    return "\n".join(told)


def _barred(lines: Iterable[str]) -> list[str]:
    return [f"| {line}" for line in lines]


def _in_one(text: str) -> str:
    """A private text of several lines begins below."""
    lines = text.split("\n")
    return text if len(lines) == 1 else "\n".join([f"{len(lines)} lines:", *_barred(lines)])


def counted(count: int, what: str) -> str:
    """`1 line`, `2 lines`."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def listed(names: Iterable[str], unlisted: int) -> str:
    """`alice, bob and 12 more`."""
    return ", ".join(names) + (f" and {unlisted} more" if unlisted else "")


def encode_lines(*lines: str) -> bytes:
    """Lines of text, each ended by CR LF as telnet wants it."""
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace")


def encode_refusal(reason: PeerError) -> bytes:
    """A refusal on its own, for somebody who has no connection to deliver an event to."""
    return encode_lines(shown(Refused(str(reason))))


_UNTIMED: Final = (Entered, Missed, TakenOver, Recalled, People, Rooms, Notice, Refused)
"""Answers: whoever reads one has just asked for it."""


class Encoder:
    """Events -> bytes, in one of the forms that a terminal may read."""

    __slots__ = ("_now", "_paint", "_times")

    def __init__(
        self, now: Callable[[], float], *, times: bool = False, colors: bool = False
    ) -> None:
        """`times` puts the server's local time before what happens; `now` is since 1970."""
        self._now = now
        self._times = times
        self._paint = colored if colors else plain

    def encode(self, event: Event) -> bytes:
        """The event's lines."""
        text = shown(event, self._paint)
        if self._times and not isinstance(event, _UNTIMED):
            at = event.at / 1000 if isinstance(event, Stored) else self._now()
            text = f"[{time.strftime('%H:%M', time.localtime(at))}] {text}"
        if "\n" in text:
            return encode_lines(*text.split("\n"))
        return f"{text}\r\n".encode("utf-8", "replace")
