"""`python -m benchmarks`: the tables on standard output, progress on standard error; the page too,
if it is told where."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import FrameType

from benchmarks import disk
from benchmarks.cases import BENCHMARKS
from benchmarks.contest import run
from benchmarks.figures import Result
from benchmarks.machine import Cores, facts
from benchmarks.report import files, legend
from benchmarks.report.page import PAGE
from benchmarks.report.results import Entry, ResultsUnreadable, by_name
from benchmarks.scale import FULL, QUICK, Scale
from benchmarks.servers import TWISTD
from benchmarks.table import render

_NAMES = ", ".join(BENCHMARKS)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0, or 1 if anybody failed or the page could not be written."""
    options = _parser().parse_args(arguments)
    if wrong := _obstacle(options):
        print(wrong, file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)  # a shell's background job inherits that it is ignored
    scale = _scale(options)
    cores = Cores.found()
    rounds = f"{scale.rounds} of {scale.seconds} s, the contestants in turn"
    told = f"{facts(cores)}\nproto     {version('proto')}\nrounds    {rounds}"
    print(f"{told}\n{legend.as_text()}\n")
    measured = []
    for name in options.benchmark or BENCHMARKS:
        for entry in _measured(name, scale, cores, by_name(told)):
            print(render(entry.title, entry.unit, entry.results, entry.remarks, entry.beside))
            print(flush=True)
            measured.append(entry)
    wrote = options.write is None or _wrote(options.write, measured)
    return int(not wrote or any(_has_failure(entry.results) for entry in measured))


def _obstacle(options: argparse.Namespace) -> str:
    """Why there is no use in measuring, or nothing."""
    if not Path(TWISTD).exists():
        return f"{TWISTD} is not there; install proto for {sys.executable}"
    if options.write is None:
        return ""
    if options.quick:
        return "--quick tells too little for --write: leave one of them out"
    if not os.access(options.write, os.W_OK | os.X_OK) or not options.write.is_dir():
        return f"nothing could be written: {options.write} is no folder that can be written to"
    try:
        files.read(options.write)
    except (OSError, ResultsUnreadable) as error:
        return f"nothing could be written: {error}"
    return ""


def _measured(name: str, scale: Scale, cores: Cores, told: Mapping[str, str]) -> Iterator[Entry]:
    """The cases of a benchmark, each as soon as it is over."""
    for case in BENCHMARKS[name](scale):
        results = run(case, scale.rounds, scale.seconds, cores, scale.folder)
        yield Entry(
            benchmark=name,
            title=case.title,
            unit=case.unit,
            results=results,
            date=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            facts=told,
            remarks=tuple(case.remarks),
            beside=None if case.beside is None else tuple(case.beside),
        )


def _wrote(folder: Path, measured: Sequence[Entry]) -> bool:
    """Whether the page could be written, which it is not if one of ours failed."""
    failures = [f"{entry.title}: {each}" for entry in measured for each in entry.failures()]
    for failure in failures:
        print(f"{folder} is left as it was, for one of ours failed: {failure}", file=sys.stderr)
    if failures:
        return False
    try:
        files.write(folder, measured, tuple(BENCHMARKS))
    except (OSError, ResultsUnreadable) as error:
        print(f"{folder} is left as it was: {error}", file=sys.stderr)
        return False
    return True


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
        "--write",
        type=Path,
        metavar="FOLDER",
        help=f"at the end, write {PAGE} and its charts there; keep what it has of other benchmarks",
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
