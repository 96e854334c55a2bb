"""What the client is told to do: its command line, turned into timed steps.  Knows no sockets."""

from __future__ import annotations

import argparse
import enum
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

EXAMPLES: Final = r"""
--after applies to the one action that follows it, and counts from the action before.  When the
actions are done the client finishes sending (TCP) and prints until the server closes the
connection or --wait has passed.  In TEXT the escapes \n \r \t \\ and \xNN are understood.

examples:
  python -m proto.client localhost:8007 --send Hello --send '1 2 3 4' \
      --after 1 --send world --after 1 --hang-up
  python -m proto.client tcp:localhost:12345 --line alice --line 'hello, all' --after 2 --hang-up
  python -m proto.client '[::1]:8007' --send 'one\r\ntwo\r\n'
"""

_ESCAPE: Final = re.compile(r"\\(?:x([0-9a-fA-F]{2})|([nrt\\]))?")
_NAMED: Final = {"n": b"\n", "r": b"\r", "t": b"\t", "\\": b"\\"}


class End(enum.Enum):
    """How the client's part ends."""

    HANG_UP = "close the connection"
    FINISH_SENDING = "close the sending half and listen on"
    LISTEN = "there was nothing to send: listen"


@dataclass(frozen=True, slots=True)
class Step:
    """One action: bytes to send or an end, so many seconds after the action before."""

    after: float
    action: bytes | End


@dataclass(frozen=True, slots=True)
class Script:
    """All that was asked for; the last step, and no other, is an End."""

    endpoint: str
    steps: tuple[Step, ...]
    wait: float
    """Seconds to listen for after the last step."""


def unescape(text: str) -> bytes:
    r"""The bytes of TEXT with `\n`, `\r`, `\t`, `\\` and `\xNN` replaced.

    Raises ValueError for any other backslash.
    """
    raw: list[bytes] = []
    end = 0
    for found in _ESCAPE.finditer(text):
        raw.append(os.fsencode(text[end : found.start()]))
        hexadecimal, named = found.groups()
        if hexadecimal:
            raw.append(bytes.fromhex(hexadecimal))
        elif named:
            raw.append(_NAMED[named])
        else:
            raise ValueError(rf"{text!r}: only \n \r \t \\ and \xNN may follow a backslash")
        end = found.end()
    raw.append(os.fsencode(text[end:]))
    return b"".join(raw)


def parse(arguments: Sequence[str]) -> Script:
    """The script those arguments ask for; a wrong one exits with code 2, as argparse does."""
    parser = _parser()
    given = parser.parse_args(arguments)
    steps: list[Step] = []
    after = 0.0
    for kind, value in given.told:
        if steps and steps[-1].action is End.HANG_UP:
            parser.error(f"{kind} comes after --hang-up")
        if kind == "--after":
            after += value
            continue
        steps.append(Step(after, _action(kind, value)))
        after = 0.0
    if not steps or steps[-1].action is not End.HANG_UP:
        steps.append(Step(after, End.FINISH_SENDING if steps else End.LISTEN))
    return Script(given.endpoint, tuple(steps), given.wait)


class _Told(argparse.Action):
    """Keeps the options in the order in which they were given."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        namespace.told = [*namespace.told, (self.option_strings[0], values)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m proto.client",
        description="Connect, send what is told when it is told, and print what comes back.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(told=[])
    parser.add_argument(
        "endpoint",
        metavar="ENDPOINT",
        help="HOST:PORT, or a Twisted client endpoint such as tcp:localhost:8007 or unix:/run/echo",
    )
    parser.add_argument("--send", action=_Told, type=_text, metavar="TEXT", help="send TEXT")
    parser.add_argument(
        "--line", action=_Told, type=_text, metavar="TEXT", help="send TEXT and a line end (CRLF)"
    )
    parser.add_argument(
        "--after",
        action=_Told,
        type=_seconds,
        metavar="SECONDS",
        help="wait before the next action",
    )
    parser.add_argument("--hang-up", action=_Told, nargs=0, help="close the connection")
    parser.add_argument(
        "--wait",
        type=_seconds,
        default=5.0,
        metavar="SECONDS",
        help="how long to print what comes after the last action (default 5)",
    )
    return parser


def _action(kind: str, text: bytes) -> bytes | End:
    if kind == "--hang-up":
        return End.HANG_UP
    return text + b"\r\n" if kind == "--line" else text


def _text(text: str) -> bytes:
    try:
        return unescape(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds
