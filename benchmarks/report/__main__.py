"""`python -m benchmarks.report FOLDER`: page and charts anew from the results kept there."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.cases import BENCHMARKS
from benchmarks.report import files
from benchmarks.report.results import ResultsUnreadable


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0, 1 if it cannot be done, or 2 if it is not said where."""
    words = sys.argv[1:] if arguments is None else arguments
    if len(words) != 1:
        print(f"{__doc__}\n1 folder is wanted", file=sys.stderr)
        return 2
    try:
        files.write(Path(words[0]), [], tuple(BENCHMARKS))
    except (OSError, ResultsUnreadable) as error:
        print(f"benchmarks.report: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
