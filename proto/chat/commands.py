"""What a person can send: a line to the room, or a command.

The table at the end is the only list of commands: `obey` looks a command up in it, `/HELP` prints
it.  A new command is one function and one row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import Final, Protocol

from proto.chat.events import Notice
from proto.chat.house import LOBBY, AlreadyThere, House
from proto.chat.room import LISTED, Member
from proto.chat.wire import listed
from proto.errors import PeerError

LONGEST_WORD: Final = 16
"""Of a command that does not exist, this much is repeated and compared."""


class NothingSeen(PeerError):
    """A line holds only what is taken out of it."""


class UnknownCommand(PeerError):
    """There is no such command."""


class Incomplete(PeerError):
    """The command needs more than it was given."""


class Person(Member, Protocol):
    """A member who sends commands."""

    @property
    def house(self) -> House:
        """The house they are in."""
        ...

    def quit(self) -> None:
        """They want to go."""
        ...


@dataclass(frozen=True, slots=True)
class Command:
    """One row of the table; the first name is the one that help shows."""

    names: tuple[str, ...]
    arguments: str
    help: str
    run: Callable[[Person, str], None]

    @property
    def usage(self) -> str:
        """How it is typed, like `/MSG name text`."""
        return f"/{self.names[0]} {self.arguments}".rstrip()

    @property
    def about(self) -> str:
        """The help sentence, with the other names of the command."""
        also = ", ".join(f"/{name}" for name in self.names[1:])
        return f"{self.help} Also: {also}." if also else self.help


def obey(person: Person, line: str) -> None:
    """Do what a line asks for: a command, or be said to the room.  Raises a `PeerError`."""
    if not line.startswith("/"):
        say(person, line)
    elif line.startswith("//"):
        say(person, line[1:])
    else:
        word, _, rest = line[1:].partition(" ")
        find(word).run(person, rest.strip())


def find(word: str) -> Command:
    """The command of that name, in whatever case, or an `UnknownCommand` naming the nearest."""
    name = word.upper()
    command = BY_NAME.get(name)
    if command is None:
        word, name = word[:LONGEST_WORD], name[:LONGEST_WORD]
        near = _nearest(name)
        raise UnknownCommand(f"There is no /{word}; the nearest is /{near}. /HELP lists them all.")
    return command


def _nearest(name: str) -> str:
    """The likeliest command; one that would end the session only if it is very like."""
    close = get_close_matches(name, BY_NAME, n=1, cutoff=0.7)
    harmless = [each for each in BY_NAME if BY_NAME[each].run is not leave_house]
    return (close or get_close_matches(name, harmless, n=1, cutoff=0.0))[0]


def say(person: Person, text: str) -> None:
    """Say a line to the room.

    One of which nothing is seen is refused: an answer finds out that its sender has gone.
    """
    text = text.rstrip()
    if not text:
        raise NothingSeen("Nothing of that line can be seen.")
    person.house.say(person, text)


def rename(person: Person, rest: str) -> None:
    """Take another name."""
    person.house.rename(person, rest)


def leave_house(person: Person, rest: str) -> None:
    """Disconnect."""
    person.quit()


def show_help(person: Person, rest: str) -> None:
    """Show the table, or one row of it."""
    if rest:
        command = find(rest.removeprefix("/"))
        person.deliver(Notice(f"{command.usage}: {command.about}"))
        return
    width = max(len(command.usage) for command in COMMANDS)
    rows = [f"{command.usage:<{width}}  {command.about}" for command in COMMANDS]
    last = "Any other line is said to the room; start one with // to say a line with a slash."
    person.deliver(Notice("\n".join([*rows, last])))


def who(person: Person, rest: str) -> None:
    """List the people in the room."""
    room = person.room
    people = room.people if room else {}
    names = [member.name for member in islice(people, LISTED)]
    where = room.name if room else "no room"
    person.deliver(Notice(f"In {where}: {listed(names, len(people) - len(names))}."))


def emote(person: Person, rest: str) -> None:
    """Do something rather than say it."""
    person.house.emote(person, _needed(rest, "ME"))


def message(person: Person, rest: str) -> None:
    """Say a line to one person."""
    name, _, text = rest.partition(" ")
    person.house.tell(person, _needed(name, "MSG"), _needed(text.strip(), "MSG"))


def join(person: Person, rest: str) -> None:
    """Go to another room; a `#` before its name is a habit from elsewhere and is ignored."""
    person.house.move(person, _needed(rest.lstrip("#"), "JOIN"))


def leave_room(person: Person, rest: str) -> None:
    """Go back to the lobby."""
    if person.room is person.house.lobby:
        raise AlreadyThere("You are in the lobby; /EXIT leaves the party.")
    person.house.move(person, LOBBY)


def rooms(person: Person, rest: str) -> None:
    """List the rooms, the fullest first."""
    every = sorted(person.house.rooms, key=lambda room: -len(room.people))
    names = [f"{room.name} ({len(room.people)})" for room in every[:LISTED]]
    person.deliver(Notice(f"Rooms: {listed(names, len(every) - len(names))}."))


def _needed(argument: str, name: str) -> str:
    if not argument:
        raise Incomplete(f"Like this: {BY_NAME[name].usage}")
    return argument


COMMANDS: Final = (
    Command(("NAME",), "new-name", "change your name.", rename),
    Command(("EXIT", "QUIT"), "", "leave the party.", leave_house),
    Command(("HELP",), "[command]", "show all commands, or one.", show_help),
    Command(("WHO",), "", "list the people in this room.", who),
    Command(("ME",), "text", "do something: /ME waves.", emote),
    Command(("MSG",), "name text", "say something to one person alone.", message),
    Command(("JOIN",), "room", "go to another room; it opens when you are the first.", join),
    Command(("LEAVE",), "", "go back to the lobby.", leave_room),
    Command(("ROOMS",), "", "list the rooms, and how many people are in each.", rooms),
)

BY_NAME: Final = {name: command for command in COMMANDS for name in command.names}
