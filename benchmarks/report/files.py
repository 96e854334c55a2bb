"""The page, its charts and the results on a disk.  What is in them others know."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.report import page
from benchmarks.report.results import Entry, ResultsUnreadable, decoded, merged


def read(folder: Path) -> list[Entry]:
    """The entries that are kept below the folder; none, if nothing is.

    Raises OSError, and ResultsUnreadable if there is something else.
    """
    path = folder / page.RESULTS
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return []
    try:
        return decoded(text)
    except ResultsUnreadable as error:
        raise ResultsUnreadable(f"{path}: {error}; remove it and measure all again") from error


def write(folder: Path, entries: Sequence[Entry], order: Sequence[str]) -> None:
    """Write all anew, with what is kept of the benchmarks that these entries are not of.

    Either all files are replaced or, if one cannot be written, none.  Raises as `read`.
    """
    old = read(folder)
    everything = merged(old, entries, order)
    replace(folder, page.files(everything))
    for path in page.files(old).keys() - page.files(everything).keys():
        (folder / path).unlink(missing_ok=True)


def replace(folder: Path, texts: Mapping[str, str]) -> None:
    """Give each file, named below the folder, its text; none of them if that fails (OSError)."""
    with ExitStack() as cleanup:
        fresh: list[tuple[Path, Path]] = []
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_name(f".{path.name}.new")
            cleanup.callback(partial(new.unlink, missing_ok=True))
            _write_durably(new, text)
            fresh.append((new, path))
        for new, path in fresh:
            os.replace(new, path)


def _write_durably(path: Path, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
