"""What a person can send: a line to the room, or a command.

The table at the end is the only list of commands: `obey` looks a command up in it, `/HELP` prints
it.  A new command is one function and one row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Final, Protocol

from proto.chat import talk
from proto.chat.events import Notice, Refused
from proto.chat.house import LAST_LINES, LOBBY, AlreadyThere, House, Return, room_of
from proto.chat.person import Member
from proto.chat.wire import listed
from proto.errors import PeerError

LONGEST_WORD: Final = 16
"""Of a command that does not exist, this much is repeated and compared."""


class UnknownCommand(PeerError):
    """There is no such command."""


class Incomplete(PeerError):
    """The command needs more than it was given."""


class Commander(Member, Protocol):
    """A member who sends commands."""

    @property
    def house(self) -> House:
        """The house they are in."""
        ...

    def quit(self) -> None:
        """They want to go."""
        ...

    def paste(self) -> None:
        """The lines up to a lone dot are to be said as one."""
        ...

    def read_as(self, *, times: bool | None = None, colors: bool | None = None) -> None:
        """They want times, or colours, or not, in what they read."""
        ...


@dataclass(frozen=True, slots=True)
class Command:
    """One row of the table; the first name is the one that help shows."""

    names: tuple[str, ...]
    arguments: str
    help: str
    run: Callable[[Commander, str], None]

    @property
    def usage(self) -> str:
        """How it is typed, like `/MSG name text`."""
        return f"/{self.names[0]} {self.arguments}".rstrip()

    @property
    def about(self) -> str:
        """The help sentence, with the other names of the command."""
        also = ", ".join(f"/{name}" for name in self.names[1:])
        return f"{self.help} Also: {also}." if also else self.help


def obey(person: Commander, line: str) -> None:
    """Do what a line asks for: a command, or be said to the room.  Raises a `PeerError`.

    A command with spaces before it is one too, lest a token or a private line is said to everyone.
    """
    unindented = line.lstrip()
    if not unindented.startswith("/"):
        talk.say(person, line)
        return
    if unindented[1:].partition(" ")[0].upper() in BY_NAME:
        line = unindented
    if not line.startswith("/"):
        talk.say(person, line)
    elif line.startswith("//"):
        talk.say(person, line[1:])
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


def rename(person: Commander, rest: str) -> None:
    """Take another name."""
    person.house.rename(person, rest)


def leave_house(person: Commander, rest: str) -> None:
    """Disconnect."""
    person.quit()


def show_help(person: Commander, rest: str) -> None:
    """Show the table, or one row of it."""
    if rest:
        command = find(rest.removeprefix("/"))
        person.deliver(Notice(f"{command.usage}: {command.about}"))
        return
    width = max(len(command.usage) for command in COMMANDS)
    rows = [f"{command.usage:<{width}}  {command.about}" for command in COMMANDS]
    last = "Any other line is said to the room; start one with // to say a line with a slash."
    person.deliver(Notice("\n".join([*rows, last])))


def who(person: Commander, rest: str) -> None:
    """List the people in the room."""
    person.deliver(talk.people_in(person.house, person))


def whois(person: Commander, rest: str) -> None:
    """Tell about one person."""
    person.deliver(Notice(talk.whois(person.house, _needed(rest, "WHOIS"))))


def emote(person: Commander, rest: str) -> None:
    """Do something rather than say it."""
    talk.emote(person, _needed(rest, "ME"))


def message(person: Commander, rest: str) -> None:
    """Say a line to one person."""
    name, _, text = rest.partition(" ")
    talk.tell(person.house, person, _needed(name, "MSG"), _needed(text.strip(), "MSG"))


def reply(person: Commander, rest: str) -> None:
    """Say a line to who wrote last."""
    talk.reply(person.house, person, _needed(rest, "REPLY"))


def join(person: Commander, rest: str) -> None:
    """Go to another room; a `#` before its name is a habit from elsewhere and is ignored."""
    person.house.move(person, _needed(rest.lstrip("#"), "JOIN"))


def leave_room(person: Commander, rest: str) -> None:
    """Go back to the lobby."""
    if person.room is person.house.lobby:
        raise AlreadyThere("You are in the lobby; /EXIT leaves the party.")
    person.house.move(person, LOBBY)


def rooms(person: Commander, rest: str) -> None:
    """List the rooms, the fullest first."""
    person.deliver(talk.open_rooms(person.house))


def topic(person: Commander, rest: str) -> None:
    """Show what the room is about, or say what it is."""
    if rest:
        talk.set_topic(person, "" if rest == "-" else rest)
        return
    now = room_of(person).topic
    # The text comes last: it might say who has set it.
    about = f"Topic, set by {now.sender}: {now.text}" if now and now.text else "There is no topic."
    person.deliver(Notice(about))


def history(person: Commander, rest: str) -> None:
    """Look back."""
    numbers = rest.replace("#", " ").split()
    if len(numbers) > 2 or not all(map(_is_number, numbers)):
        raise Incomplete(f"Like this: {BY_NAME['HISTORY'].usage}, with numbers such as 50")
    count = int(numbers[0]) if numbers else LAST_LINES
    after = int(numbers[1]) if len(numbers) == 2 else None
    talk.recall(person.house, person, count=count, after=after, mark=person.person.mark)


def search(person: Commander, rest: str) -> None:
    """Look for words in what was said."""
    words, mark = _needed(rest, "SEARCH"), person.person.mark
    talk.recall(person.house, person, count=LAST_LINES, words=words, mark=mark)


def paste(person: Commander, rest: str) -> None:
    """Say several lines as one."""
    person.paste()
    person.deliver(Notice("Now the lines; end with a dot alone on its line."))


def away(person: Commander, rest: str) -> None:
    """Say that one does not read."""
    talk.go_away(person, rest)


def back(person: Commander, rest: str) -> None:
    """Say that one reads again."""
    talk.come_back(person)


def ignore(person: Commander, rest: str) -> None:
    """Read nothing more of somebody, or list whom one ignores."""
    house = person.house
    if rest:
        name = talk.ignore(house, person, rest)
        person.deliver(Notice(f"You do not read {name} any more, whatever they are called."))
        return
    names = house.ignoring.ignored(person)
    person.deliver(Notice(f"You ignore {listed(names, 0)}." if names else "You ignore nobody."))


def unignore(person: Commander, rest: str) -> None:
    """Read somebody again."""
    name = person.house.ignoring.unignore(person, _needed(rest, "UNIGNORE"))
    person.deliver(Notice(f"You read {name} again."))


def times(person: Commander, rest: str) -> None:
    """Show when things happen, or not."""
    person.read_as(times=_switch(rest, "TIME"))
    person.deliver(Notice(f"Times are {rest.lower()}."))


def colors(person: Commander, rest: str) -> None:
    """Show names in colours, or not."""
    person.read_as(colors=_switch(rest, "COLOR"))
    person.deliver(Notice(f"Colours are {rest.lower()}."))


def resume(person: Commander, rest: str) -> None:
    """Show the token one can come back with, or come back with one."""
    house = person.house
    if not rest:
        token = house.sessions.token_of(person)
        person.deliver(Notice(f"When your connection breaks, come back with: /RESUME {token}"))
        return
    token, _, last = rest.partition(" ")
    last = last.strip().removeprefix("#")
    if last and not _is_number(last):
        raise Incomplete(f"Like this: {BY_NAME['RESUME'].usage}")
    if house.sessions.holder(token) is person:
        raise AlreadyThere("That is your token already; it is for when your connection breaks.")
    me = person.person
    talk.check_asking(me)

    def found(back: Return) -> None:
        me.asking -= 1
        house.resume(person, back)

    def refused(reason: PeerError) -> None:
        me.asking -= 1
        if house.is_here(person):
            person.deliver(Refused(str(reason)))

    me.asking += 1
    here = partial(house.is_here, person)
    after = int(last) if last else None
    house.come_back(token, after, found, refused, by=person, wanted=here)


def _needed(argument: str, name: str) -> str:
    if not argument:
        raise Incomplete(f"Like this: {BY_NAME[name].usage}")
    return argument


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 19


def _switch(argument: str, name: str) -> bool:
    if argument.lower() not in ("on", "off"):
        raise Incomplete(f"Like this: {BY_NAME[name].usage}")
    return argument.lower() == "on"


COMMANDS: Final = (
    Command(("NAME", "NICK"), "new-name", "change your name.", rename),
    Command(("EXIT", "QUIT"), "", "leave the party.", leave_house),
    Command(("HELP",), "[command]", "show all commands, or one.", show_help),
    Command(("WHO",), "", "list the people in this room.", who),
    Command(("WHOIS",), "name", "tell about somebody: where, since when, away.", whois),
    Command(("ME",), "text", "do something: /ME waves.", emote),
    Command(("MSG",), "name text", "say something to one person alone.", message),
    Command(("REPLY",), "text", "answer who wrote to you alone.", reply),
    Command(("PASTE",), "", "say the lines up to a lone dot as one.", paste),
    Command(("JOIN",), "room", "go to another room; it opens when you are the first.", join),
    Command(("LEAVE", "PART"), "", "go back to the lobby.", leave_room),
    Command(("ROOMS", "LIST"), "", "list the rooms, and how many people are in each.", rooms),
    Command(
        ("TOPIC",), "[text]", "show what the room is about, or set it; - takes it away.", topic
    ),
    Command(
        ("HISTORY",), "[lines [after]]", "show what was said here before, or after a line.", history
    ),
    Command(("SEARCH",), "words", "find the lines of this room that have all the words.", search),
    Command(("AWAY",), "[note]", "tell the room that you do not read for a while.", away),
    Command(("BACK",), "", "tell the room that you read again.", back),
    Command(
        ("IGNORE",), "[name]", "hide what somebody says from now on; list whom you hide.", ignore
    ),
    Command(("UNIGNORE",), "name", "show again what somebody says.", unignore),
    Command(("TIME",), "on|off", "show the time before each line.", times),
    Command(("COLOR",), "on|off", "show names in colours.", colors),
    Command(
        ("RESUME",),
        "[token [number]]",
        "show your token; with it, come back to your name, your room and what you missed.",
        resume,
    ),
)

BY_NAME: Final = {name: command for command in COMMANDS for name in command.names}
