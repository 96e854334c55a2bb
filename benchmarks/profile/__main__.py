"""`python -m benchmarks.profile`: where the time goes, on standard output; progress on standard
error."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from benchmarks.load.sockets import LoadFailed
from benchmarks.machine import Cores, facts
from benchmarks.profile.recording import ProfileFailed
from benchmarks.profile.report import render
from benchmarks.profile.rounds import Plan, found
from benchmarks.profile.subjects import SUBJECTS
from benchmarks.servers import TWISTD, ServerFailed

_NAMES = ", ".join(SUBJECTS)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0, or 1 if there is something that could not be profiled."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)  # a shell's background job inherits that it is ignored
    plan = Plan(options.seconds, options.native, options.flame)
    cores = Cores.found()
    try:
        if not Path(TWISTD).exists():
            raise ProfileFailed(f"{TWISTD} is not there; install proto for {sys.executable}")
        if options.flame is not None:
            options.flame.mkdir(parents=True, exist_ok=True)
        print(f"{facts(cores)}\nrounds    {plan.seconds:g} s each, one for each tool\n")
        for name in options.benchmark or SUBJECTS:
            for subject in SUBJECTS[name]():
                print(render(found(subject, plan, cores, _say)), end="\n\n", flush=True)
    except (ProfileFailed, LoadFailed, ServerFailed, OSError) as error:
        print(f"benchmarks.profile: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument(
        "--seconds", type=_seconds, default=4.0, help="of each round (default: %(default)g)"
    )
    parser.add_argument(
        "--flame", type=Path, metavar="FOLDER", help="write a flame graph of each subject there"
    )
    parser.add_argument(
        "--no-native",
        dest="native",
        action="store_false",
        help="functions of Python only: what compiled code takes counts for who called it, waiting "
        "for a lock too",
    )
    parser.add_argument(
        "benchmark", nargs="*", type=_known, metavar="NAME", help=f"{_NAMES}; all if none"
    )
    return parser


def _seconds(word: str) -> float:
    seconds = float(word)
    if not 0 < seconds <= 60:
        raise argparse.ArgumentTypeError(f"{word} is not above 0 and at most 60")
    return seconds


def _known(name: str) -> str:
    if name not in SUBJECTS:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {_NAMES}")
    return name


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _end(number: int, frame: FrameType | None) -> None:
    """Leave through every `with`, so that nothing is left running."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
