"""`twistd -n chat`: the chat."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool

from proto.chat.events import Stored
from proto.chat.factory import ChatFactory
from proto.chat.figures import timed
from proto.chat.history import KEPT, CopiedHistory, History, MemoryHistory
from proto.chat.house import LAST_LINES, House
from proto.chat.lines import LONGEST
from proto.chat.text import clean
from proto.chat.wire import spoken
from proto.config import TEXT, Unfit, flag, number, parsed, seconds, setting, size, whole
from proto.errors import StartError
from proto.storage.chatlog import DurableHistory
from proto.storage.opening import check as check_state
from proto.storage.opening import is_url, open_history
from proto.storage.pruning import Keep
from proto.tap.launch import launch
from proto.tap.options import ENDPOINT, ListenSettings, ProcessSettings, SettingsOptions, one_line
from proto.tap.process import Process
from proto.tap.service import DoorService, open_doors
from proto.web.handshake import parse_origin
from proto.webchat.doors import WebChat

ALONE = "there is no log receiver in this process; run both as twistd -n proto"
MEMORY: Final = "memory"
"""What `--state` says when nothing is to be kept; a folder of that name is ./memory."""
STATE: Final = "chat-state"
CHECKPOINT_SECONDS: Final = 5.0
"""How often it is written down how far each person has read."""


def _state(text: str) -> str:
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text)
    if not text or "\0" in text or (scheme is not None and not is_url(text)):
        raise Unfit
    return text


def parse_origin_text(text: str) -> str:
    """An origin as it was given.  Raises ValueError for what is none."""
    parse_origin(text.lower())
    return text


@dataclass(frozen=True, kw_only=True)
class ChatSettings(ListenSettings):
    """The chat's settings."""

    port: tuple[Any, ...] = setting(
        ENDPOINT, "12345", "where to listen; may be given more than once", also=("p",), many=True
    )
    max_per_address: int = setting(
        whole(), 32, "connections open at once from one address; 0 is no limit", reloads=True
    )
    max_per_minute: int = setting(
        whole(), 20, "new connections a minute from one address; 0 is no limit", reloads=True
    )
    motd: str = setting(TEXT, "", "lines that everybody reads after the welcome", reloads=True)
    hide_addresses: bool = flag("call newcomers guest-7 instead of by their address", reloads=True)
    state: str = setting(
        parsed("a folder, a postgresql:// URL, or memory", _state),
        STATE,
        "where what is said is kept: a folder (SQLite), a postgresql:// URL, or memory",
    )
    keep_lines: int = setting(whole(), 100_000, "lines that each room keeps; 0 is all of them")
    keep_days: float = setting(number(), 0.0, "days that a line is kept; 0 is for ever")
    keep_rooms: int = setting(
        whole(), 10_000, "rooms that are kept; of more, the quietest go; 0 is all of them"
    )
    origin: tuple[str, ...] = setting(
        parsed('an origin such as "https://example.org"', parse_origin_text),
        [],
        "whose web pages may come in besides those of our own web server; "
        "may be given more than once",
        many=True,
    )
    last_lines: int = setting(
        whole(0, KEPT), LAST_LINES, "lines of the room that a newcomer is shown"
    )
    flood_lines: int = setting(whole(1), 10, "lines that somebody may send at once", reloads=True)
    flood_rate: float = setting(
        number(), 5.0, "lines a second after that, the others wait; 0 is no limit", reloads=True
    )
    send_queue: int = setting(
        size(4096),
        "1 MiB",
        "bytes waiting for a client above which it is dropped, if they do for a second",
        reloads=True,
    )
    hold_input: int = setting(
        size(1024),
        "64 KiB",
        "bytes waiting for a client above which its own input is held",
        reloads=True,
    )
    stuck_after: float = setting(
        seconds(0.1), 30.0, "seconds until a client that reads nothing is dropped", reloads=True
    )
    copy_to_logfile: bool = flag("copy what is said to the log receiver's file, in the suite")
    max_line: int = setting(
        size(16), LONGEST, "bytes of the longest line; a longer one is refused", reloads=True
    )


class Options(SettingsOptions):
    """The options of `twistd -n chat`."""

    command = "chat"
    groups = (ChatSettings, ProcessSettings)
    longdesc = "A line chat for telnet and netcat: telnet localhost 12345, then /HELP."


def build(settings: ChatSettings, process: Process) -> DoorService:
    """The service, its ports bound.  Raises StartError."""
    clock = process.reactor
    check(settings)
    kept = MemoryHistory(clock.seconds) if settings.state == MEMORY else keep(settings, process)
    history: History = timed(kept, clock.seconds, process.metrics)
    if settings.copy_to_logfile:
        history = CopiedHistory(history, lambda room, line: copy(process, room, line))
    house = House(history, clock.seconds, last_lines=settings.last_lines)
    factory = ChatFactory(
        house, clock, metrics=process.metrics, at_end_of_turn=process.at_end_of_turn
    )
    apply(factory, settings)
    keeper = process.doorkeeper("chat", factory, settings.limits())
    try:
        opened = open_doors(keeper, settings, clock)
    except StartError:
        if isinstance(kept, DurableHistory):
            kept.close()
        raise
    on_the_web = WebChat(factory, keeper.admissions, process.metrics, settings.origin)
    process.mounts.append(on_the_web.mount)

    def reload(changed: ChatSettings) -> None:
        apply(factory, changed)
        on_the_web.reload()

    grace = process.settings.grace
    if not isinstance(kept, DurableHistory):
        return DoorService(keeper, opened, clock, grace, settings, apply=reload)
    log = _Log(kept, house, clock)
    return DoorService(
        keeper, opened, clock, grace, settings, apply=reload, start=log.start, close=log.close
    )


class _Log:
    """What outlives the process: it begins when twistd forks no more, and ends after everybody."""

    def __init__(self, kept: DurableHistory, house: House, reactor: Any) -> None:
        self._kept = kept
        self._house = house
        self._reactor = reactor
        self._checkpoints = LoopingCall(house.sessions.checkpoint)
        self._checkpoints.clock = reactor

    def start(self) -> None:
        self._kept.start()
        self._checkpoints.start(CHECKPOINT_SECONDS, now=False)

    def close(self) -> Deferred[None]:
        if self._checkpoints.running:
            self._checkpoints.stop()
        self._house.sessions.checkpoint()
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), self._kept.close)


def keep(settings: ChatSettings, process: Process) -> DurableHistory:
    """Where lines are kept that outlive the process.  Raises StartError."""
    much = Keep(lines=settings.keep_lines, days=settings.keep_days, rooms=settings.keep_rooms)
    with _named():
        return open_history(
            settings.state,
            process.reactor.callFromThread,
            keep=much,
            at_end_of_turn=process.at_end_of_turn,
        )


@contextmanager
def _named() -> Iterator[None]:
    """A wrong state is told with the name of its option."""
    try:
        yield
    except StartError as error:
        raise StartError(f"--state: {error}") from error


def copy(process: Process, room: str, line: Stored) -> None:
    """Append what was said to the log receiver's file: `[lobby] bob says hello`."""
    if process.note is not None:
        for each in spoken(line.event).split("\n"):
            process.note(f"[{room}] {each}".encode())


def apply(factory: ChatFactory, settings: ChatSettings) -> None:
    """Let the factory use these settings; line and flood limits count for newcomers."""
    factory.motd = [clean(line) for line in settings.motd.splitlines()]
    factory.hide_addresses = settings.hide_addresses
    factory.flood_lines = settings.flood_lines
    factory.flood_rate = settings.flood_rate
    factory.soft_mark = settings.hold_input
    factory.hard_mark = settings.send_queue
    factory.stuck_after = settings.stuck_after
    factory.line_limit = settings.max_line


def check(settings: ChatSettings) -> None:
    """Raises StartError for settings that do not fit together."""
    if settings.hold_input >= settings.send_queue:
        raise StartError(
            f"hold-input {settings.hold_input} must be below send-queue {settings.send_queue}; "
            "lower it"
        )
    if settings.state != MEMORY:
        with _named():
            check_state(settings.state, connect=False)  # a reload must not wait


def makeService(options: Options) -> Process:
    """What twistd runs."""
    with one_line(options.command):
        if options.read(ChatSettings).copy_to_logfile:
            raise StartError(f"--copy-to-logfile: {ALONE}")
    return launch(options, ChatSettings, build)
