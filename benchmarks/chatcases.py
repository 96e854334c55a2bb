"""The cases of the chat: how many lines reach everybody, and who waits meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from benchmarks import disk, ircd
from benchmarks.commands import in_c, in_go, on_uvloop, peer, proto
from benchmarks.contest import Case, Contestant
from benchmarks.figures import Figure
from benchmarks.load import Load
from benchmarks.load.chat import FanOut, LightTalk
from benchmarks.load.dialect import IRC, OURS, PLAIN, Dialect
from benchmarks.scale import Scale
from benchmarks.servers import Command

STRONGEST: Final = (
    "proto, on disk",
    "proto, memory",
    "Twisted tutorial, TCP_NODELAY",
    "uvloop Protocol",
    "Go",
    "C",
    "sink",
)
"""The chats that take part where there is little time."""
EACH_LINE: Final = (
    "proto, memory",
    "uvloop Protocol",
    "Go, each line by itself",
    "C, each line by itself",
    "sink",
)
"""Those who are compared where there is nothing to join."""
FROZEN_LINE: Final = 4000
"""Bytes of a line where some do not read: large, so that what waits for them soon shows."""
NOT_BESIDE_FROZEN: Final = {
    "asyncio streams": "it waits for whoever reads nothing",
    "ngircd": f"a line of IRC has at most {ircd.LONGEST} bytes",
    "sink": "",
}
"""And why not."""


@dataclass(frozen=True, slots=True)
class _Chat:
    command: Command
    dialect: Dialect = PLAIN


def chat(scale: Scale) -> list[Case]:
    """Fan-out, everybody reading; of one sender, so that there is nothing to join; with one in a
    hundred who does not read; then a line now and then, of which the delay counts."""
    chats, remarks = _chats(scale)
    remarks = [f"on disk: {disk.described(scale.folder)}", *remarks]
    fan_out = [
        Case(
            f"chat: {readers} readers and {scale.senders} senders",
            "deliveries a second",
            _chatters(chats, FanOut(readers, scale.senders)),
            remarks=remarks,
        )
        for readers in scale.readers
    ]
    alone = [_one_sender(scale, readers) for readers in scale.one_sender]
    frozen = [
        _beside_frozen(scale, readers, lines, chats, remarks)
        for readers, lines in scale.beside_frozen
    ]
    return [*fan_out, *alone, *frozen, _light(scale, chats, remarks)]


def chat_server(*options: str) -> Command:
    """Our chat, which takes as many clients and lines as come."""
    limits = ("flood-rate", "max-per-address", "max-per-minute", "max-connections")
    lifted = [word for limit in limits for word in (f"--{limit}", "0")]
    return proto("chat", *lifted, *options)


def _one_sender(scale: Scale, readers: int) -> Case:
    """The next line is said when the last one is heard: in no turn there are two."""
    chats, remarks = _chats(scale, EACH_LINE)
    return Case(
        f"chat: {readers} readers and one sender, who waits for each line",
        "deliveries a second",
        _chatters(chats, FanOut(readers, senders=1, window=1)),
        remarks=remarks,
    )


def _beside_frozen(
    scale: Scale, readers: int, lines: int, chats: Mapping[str, _Chat], remarks: Sequence[str]
) -> Case:
    frozen = max(1, readers // 100)
    crowd = FanOut(
        readers, scale.senders, frozen=frozen, window=2, line_bytes=FROZEN_LINE, lines=lines
    )
    without = [
        f"{name} left out: {why}"
        for name, why in NOT_BESIDE_FROZEN.items()
        if name in chats and why
    ]
    fit = {name: each for name, each in chats.items() if name not in NOT_BESIDE_FROZEN}
    return Case(
        f"chat: {readers} readers, {scale.senders} senders and {frozen} who read nothing; "
        f"{lines * scale.seconds:.0f} lines of {FROZEN_LINE} bytes",
        "deliveries a second",
        _chatters(fit, crowd),
        remarks=[*remarks, *without],
    )


def _light(scale: Scale, chats: Mapping[str, _Chat], remarks: Sequence[str]) -> Case:
    people, senders = scale.light_people, min(scale.senders, scale.light_people - 1)

    def talk(crowd: FanOut) -> LightTalk:
        return LightTalk(crowd, scale.light_pause, scale.light_stretch)

    return Case(
        f"chat: {people} people, a line every {scale.light_pause * 1000:.0f} ms",
        "milliseconds until 99 in 100 readers have it",
        _chatters(chats, FanOut(people - senders, senders), talk),
        figure=Figure.WAIT,
        remarks=remarks,
    )


def _chatters(
    chats: Mapping[str, _Chat],
    crowd: FanOut,
    talk: Callable[[FanOut], Load] = lambda crowd: crowd,
) -> list[Contestant]:
    return [
        Contestant(name, each.command, talk(replace(crowd, dialect=each.dialect)))
        for name, each in chats.items()
    ]


def _chats(scale: Scale, names: Collection[str] = ()) -> tuple[dict[str, _Chat], list[str]]:
    """Those of these names, or all that there is time for; and who is left out for what reason."""
    remarks = []
    if not names and not scale.every_chat:
        names = STRONGEST
        remarks.append("the weaker chats left out: there is little time")
    chats = {}
    for name, command in _everybody(scale).items():
        if names and name not in names:
            continue
        if isinstance(command, str):
            remarks.append(f"{name} left out: {command}")
        else:
            chats[name] = _Chat(command, _dialect(name))
    return chats, remarks


def _everybody(scale: Scale) -> dict[str, Command | str]:
    wanted: dict[str, Command | str] = {
        "proto, on disk": chat_server("--state", "state"),
        "proto, memory": chat_server("--state", "memory"),
        "Twisted tutorial": peer("chat_twisted"),
        "Twisted tutorial, TCP_NODELAY": peer("chat_twisted", "--nodelay"),
        "asyncio streams": peer("chat_asyncio"),
        "uvloop Protocol": on_uvloop("chat_asyncio"),
        "Go": in_go("chat_go"),
        "Go, each line by itself": in_go("chat_go", "-each"),
        "C": in_c("chat_c/chat.c"),
        "C, each line by itself": in_c("chat_c/chat.c", "-each"),
        "ngircd": ircd.ngircd(),
    }
    if scale.with_sink:
        wanted["sink"] = peer("sink", "chat")
    return wanted


def _dialect(name: str) -> Dialect:
    return IRC if name == "ngircd" else OURS if name.startswith("proto") else PLAIN
