"""`twistd -n chat`: the chat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from proto.chat.events import Spoken
from proto.chat.figures import timed
from proto.chat.history import KEPT, CopiedHistory, History, MemoryHistory
from proto.chat.house import LAST_LINES, House
from proto.chat.lines import LONGEST
from proto.chat.protocol import ChatFactory
from proto.chat.text import clean
from proto.chat.wire import shown
from proto.config import TEXT, Unfit, flag, number, parsed, seconds, setting, size, whole
from proto.errors import StartError
from proto.storage import chatlog
from proto.storage.chatlog import SqliteHistory
from proto.tap.launch import launch
from proto.tap.options import ENDPOINT, ListenSettings, ProcessSettings, SettingsOptions, one_line
from proto.tap.process import Process
from proto.tap.service import DoorService, open_doors

ALONE = "there is no log receiver in this process; run both as twistd -n proto"
MEMORY: Final = "memory"
"""What `--state` says when nothing is to be kept; a folder of that name is ./memory."""


def _state(text: str) -> str:
    if not text or "\0" in text:
        raise Unfit
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
        parsed("a folder, or memory", _state),
        MEMORY,
        "a folder in which everything said is kept (SQLite), or memory",
    )
    last_lines: int = setting(
        whole(0, KEPT), LAST_LINES, "lines of the room that a newcomer is shown"
    )
    flood_lines: int = setting(whole(1), 10, "lines that somebody may send at once", reloads=True)
    flood_rate: float = setting(
        number(), 5.0, "lines a second after that, the others wait; 0 is no limit", reloads=True
    )
    send_queue: int = setting(
        size(4096), "1 MiB", "bytes waiting for a client above which it is dropped", reloads=True
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
    kept, start, close = keep(settings, clock)
    history = timed(kept, clock.seconds, process.metrics)
    if settings.copy_to_logfile:
        history = CopiedHistory(history, lambda room, event: copy(process, room, event))
    house = House(history, last_lines=settings.last_lines)
    factory = ChatFactory(house, clock, metrics=process.metrics)
    apply(factory, settings)
    keeper = process.doorkeeper("chat", factory, settings.limits())
    try:
        opened = open_doors(keeper, settings, clock)
    except StartError:
        if isinstance(kept, SqliteHistory):
            kept.close()
        raise
    return DoorService(
        keeper,
        opened,
        clock,
        process.settings.grace,
        settings,
        apply=lambda changed: apply(factory, changed),
        start=start,
        close=close,
    )


def keep(
    settings: ChatSettings, reactor: Any
) -> tuple[History, Callable[[], None], Callable[[], Deferred[None] | None]]:
    """Where lines are kept, what starts that, and what ends it.  Raises StartError."""
    if settings.state == MEMORY:
        return MemoryHistory(), lambda: None, lambda: None
    history = SqliteHistory(Path(settings.state), reactor.callFromThread)

    def close() -> Deferred[None]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), history.close)

    return history, history.start, close


def copy(process: Process, room: str, event: Spoken) -> None:
    """Append what was said to the log receiver's file: `[lobby] bob says hello`."""
    if process.note is not None:
        process.note(f"[{room}] {shown(event)}".encode())


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
        chatlog.check(Path(settings.state))


def makeService(options: Options) -> Process:
    """What twistd runs."""
    with one_line(options.command):
        if options.read(ChatSettings).copy_to_logfile:
            raise StartError(f"--copy-to-logfile: {ALONE}")
    return launch(options, ChatSettings, build)
