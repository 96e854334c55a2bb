"""The command: `python -m proto.logfile.send FILE|- --to HOST:PORT --relp|--http`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from proto.logfile.send.connecting import Connection, context_of
from proto.logfile.send.delivery import Delivery
from proto.logfile.send.httpwire import HttpWire
from proto.logfile.send.options import Errand, parse
from proto.logfile.send.progress import Progress
from proto.logfile.send.relpwire import RelpWire
from proto.logfile.send.window import MOST_LINES, Window
from proto.logfile.send.wire import Hopeless, Wire

INTERRUPTED: Final = 130
"""128 and SIGINT, as shells count."""
HTTP_LINES: Final = 16 * MOST_LINES
"""A request takes as long for one line as for many, and there is one at a time."""


def send(errand: Errand, say: Callable[[str], object], *, terminal: bool) -> int:
    """Do the errand; the exit code, after one line to `say` if it is not 0."""
    progress = Progress(say if terminal else None, time.monotonic())
    window = Window(HTTP_LINES if errand.way == "http" else MOST_LINES)

    def watch(window: Window) -> None:
        progress.show(window.told, window.acknowledged, time.monotonic(), at_once=window.empty)

    def tell(text: str) -> None:
        progress.end()
        say(f"{errand.to}: {text}\n")

    try:
        source = _open(errand.source)
    except OSError as problem:
        say(f"{errand.source}: {problem.strerror}\n")
        return 1
    try:
        context = context_of(errand)
        delivery = Delivery(
            source,
            window,
            lambda: Connection(errand, context),
            lambda window: _wire(errand, window),
            give_up=errand.give_up,
            watch=watch,
            tell=tell,
        )
        delivery.run()
    except Hopeless as problem:
        tell(f"{problem}; {window.acknowledged} lines are acknowledged")
        return 1
    except KeyboardInterrupt:
        left = window.told - window.acknowledged
        tell(f"interrupted; {window.acknowledged} lines are acknowledged, {left} sent are not")
        return INTERRUPTED
    progress.end()
    return 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the sender; exits with 0, 1 or 130 as --help says, with 2 if the options are wrong."""
    errand = parse(sys.argv[1:] if arguments is None else arguments)
    raise SystemExit(send(errand, _say, terminal=sys.stderr.isatty()))


def _open(source: str) -> int:
    if source == "-":
        return sys.stdin.fileno()
    return os.open(source, os.O_RDONLY)


def _wire(errand: Errand, window: Window) -> Wire:
    return RelpWire(window) if errand.way == "relp" else HttpWire(window, str(errand.to))


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


if __name__ == "__main__":
    main()
