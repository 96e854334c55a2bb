"""Twisted's own tests on Twisted's epoll reactor and on the lean one, and where they differ.

    python -m tests.reactor.equality [package or module ...]

A test that the lean reactor alone does not pass is run again, three times on both: some of them
depend on how busy the machine is.  What still differs is printed, and the exit code is 1.  Those of
Twisted's tests that make reactors of their own (ReactorBuilder) make the one that is tried.

Not a test of pytest: it takes some minutes.  Twisted's tests need what Twisted[test] installs.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from proto.reactor.loop import LeanReactor

PACKAGES: Final = (
    "twisted.internet",
    "twisted.protocols",
    "twisted.test",
    "twisted.web",
    "twisted.conch",
    "twisted.words",
    "twisted.application",
)
HERE: Final = "tests.reactor.equality"
REACTORS: Final = {"epoll": "twisted.internet.epollreactor", "lean": HERE}
"""The name for `trial --reactor`, and the module whose EPollReactor the tests make."""
AGAIN: Final = 3
ALL_OF_IT: Final = 1800
"""Seconds for one package on one reactor; more is a test that hangs."""
UNTRIED: Final = "no result"
"""What a test came to that hung, or stopped the process."""


class EPollReactor(LeanReactor):
    """The lean reactor under the name by which some tests know what epoll cannot do."""


def try_one(reactor: str, names: Sequence[str], report: Path) -> None:
    """Run these tests on one reactor in this process, and write what each came to."""
    from twisted.internet.test.reactormixins import ReactorBuilder
    from twisted.scripts import trial
    from twisted.trial import reporter

    class Report(reporter.TreeReporter):
        """Writes each outcome as it comes, so that a hung test leaves the others'."""

        def startTest(self, method: Any) -> None:
            note(method, UNTRIED)
            super().startTest(method)

        def addSuccess(self, test: Any) -> None:
            note(test, "passed")
            super().addSuccess(test)

        def addFailure(self, *args: Any) -> None:
            note(args[0], "failed")
            super().addFailure(*args)

        def addError(self, *args: Any) -> None:
            note(args[0], "failed")
            super().addError(*args)

        def addSkip(self, *args: Any) -> None:
            note(args[0], "skipped")
            super().addSkip(*args)

        def addExpectedFailure(self, *args: Any) -> None:
            note(args[0], "failed as expected")
            super().addExpectedFailure(*args)

        def addUnexpectedSuccess(self, *args: Any) -> None:
            note(args[0], "passed unexpectedly")
            super().addUnexpectedSuccess(*args)

    def note(test: Any, outcome: str) -> None:
        out.write(json.dumps([test.id(), outcome]) + "\n")
        out.flush()

    ReactorBuilder._reactors[:] = [f"{REACTORS[reactor]}.EPollReactor"]
    options = trial.Options()
    with report.open("w") as out:
        options.parseOptions(["--reactor", reactor, "--temp-directory", "trial", *names])
        options["reporter"] = Report
        trial._makeRunner(options).run(trial._getSuite(options))


def outcomes(reactor: str, names: Sequence[str]) -> dict[str, str]:
    """What each of these tests came to, in a process and a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-m", HERE, "--on", reactor, str(report), *names]
        with Path(folder, "output").open("wb") as output:
            try:
                subprocess.run(
                    command,
                    cwd=folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=ALL_OF_IT,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                tell(f"{reactor}: stopped after {ALL_OF_IT} s")
        if not report.exists():
            sys.exit(Path(folder, "output").read_text(errors="replace"))
        found: dict[str, str] = {}
        for line in report.read_text().splitlines():
            test, outcome = json.loads(line)
            # An error after the test, such as what it left behind, outweighs that it passed.
            if found.get(test) != "failed":
                found[test] = outcome
        return found


def tell(text: str) -> None:
    """Print a line now: the next one may take minutes."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def worse(lean: dict[str, str], epoll: dict[str, str]) -> list[str]:
    """The tests that the lean reactor does not pass and Twisted's own does."""
    good = ("passed", "failed as expected")
    return sorted(
        test for test, was in epoll.items() if was in good and lean.get(test, UNTRIED) not in good
    )


def compare(package: str) -> list[str]:
    """Try a package on both; print what came of it.  The tests that the lean reactor fails."""
    lean, epoll = outcomes("lean", [package]), outcomes("epoll", [package])
    for name, result in (("epoll", epoll), ("lean", lean)):
        counts = ", ".join(
            f"{count} {was}" for was, count in sorted(Counter(result.values()).items())
        )
        tell(f"{package} on {name}: {counts}")
    suspects = worse(lean, epoll)
    for _ in range(AGAIN):
        if not suspects:
            break
        tell(f"  again: {' '.join(suspects)}")
        suspects = worse(outcomes("lean", suspects), outcomes("epoll", suspects))
    for test in suspects:
        tell(f"  only the lean reactor fails: {test}")
    return suspects


def main() -> None:
    """Compare all that are named, or all that there are."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--on", nargs=2, metavar=("REACTOR", "REPORT"), help="as it calls itself"
    )
    arguments.add_argument("names", nargs="*", default=PACKAGES)
    given = arguments.parse_args()
    if given.on:
        try_one(given.on[0], given.names, Path(given.on[1]))
        return
    if importlib.util.find_spec("hamcrest") is None:  # then the tests that matter would not load
        sys.exit("Twisted's tests need more than Twisted; pip install 'Twisted[test]'")
    different = [test for package in given.names for test in compare(package)]
    tell(f"{len(different)} tests fail on the lean reactor alone")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
