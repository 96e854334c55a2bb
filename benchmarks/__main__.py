"""`python -m benchmarks`: the tables on standard output, progress on standard error."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType

from benchmarks import disk
from benchmarks.cases import BENCHMARKS
from benchmarks.contest import run
from benchmarks.figures import NOISY
from benchmarks.machine import Cores, facts
from benchmarks.scale import FULL, QUICK, Scale
from benchmarks.servers import TWISTD
from benchmarks.table import Result, render

_NAMES = ", ".join(BENCHMARKS)
LEGEND = f"""\
median    of the rounds, after a short one that is not counted; then the least and the most
ours is   how many times as good the first one's median is; 'unsteady' if the middle half of the
          rounds of either spans more than {NOISY:.0%} of its median
of X      how many times as good as that of X the median of the row is
cpu us    microseconds that the server was on a core for one message, delivery, line ..., in all
          its threads; of lines that is the seconds for a million of them
busy      part of the round that the server was on a core; where it is well below 100%, the load
          generator or a wait was the limit, and 'cpu us' tells more than 'ours is'
load      part of the round that the load generator was on a core: near 100% it was the limit
p50, p99  of the time that one message, delivery or request takes: medians over the rounds; max
          is the longest of all
MiB       the server's resident memory at the end of a round, its peers still connected
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0, or 1 if anybody failed."""
    options = _parser().parse_args(arguments)
    if not Path(TWISTD).exists():
        print(f"{TWISTD} is not there; install proto for {sys.executable}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)  # a shell's background job inherits that it is ignored
    scale = _scale(options)
    cores = Cores.found()
    print(facts(cores))
    print(f"rounds    {scale.rounds} of {scale.seconds} s, the contestants in turn\n{LEGEND}")
    failed = False
    for name in options.benchmark or BENCHMARKS:
        for case in BENCHMARKS[name](scale):
            results = run(case, scale.rounds, scale.seconds, cores, scale.folder)
            table = render(case.title, case.unit, results, case.remarks, case.beside)
            print(table, end="\n\n", flush=True)
            failed |= _has_failure(results)
    return int(failed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few short rounds: a minute or two")
    parser.add_argument(
        "--sink", action="store_true", help="measure the load generator too, against nothing at all"
    )
    parser.add_argument(
        "--tmpfs", action="store_true", help="keep the servers' files in memory, not on a disk"
    )
    parser.add_argument(
        "--syslog-ng",
        type=Path,
        metavar="FOLDER",
        help="where its packages are unpacked (dpkg -x), for rsyslog's forbid to install them",
    )
    parser.add_argument(
        "benchmark", nargs="*", type=_known, metavar="NAME", help=f"{_NAMES}; all if none"
    )
    return parser


def _scale(options: argparse.Namespace) -> Scale:
    """What is asked for; exits if it cannot be."""
    folder = disk.in_memory() if options.tmpfs else None
    if options.tmpfs and folder is None:
        raise SystemExit("there is no tmpfs that can be written to")
    scale = QUICK if options.quick else FULL
    return replace(scale, with_sink=options.sink, folder=folder, syslog_ng=options.syslog_ng)


def _known(name: str) -> str:
    if name not in BENCHMARKS:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {_NAMES}")
    return name


def _has_failure(results: Mapping[str, Result]) -> bool:
    return any(isinstance(result, str) for result in results.values())


def _end(number: int, frame: FrameType | None) -> None:
    """Leave through every `with`, so that no server is left running."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
