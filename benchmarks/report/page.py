"""All that is known of the cases as a page of Markdown.  Pure; knows no files but their names."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from typing import Final

from benchmarks.figures import Result
from benchmarks.report import chart, legend
from benchmarks.report.results import Entry, encoded
from benchmarks.report.rows import FAILED, UNSTEADY, number, rows

PAGE: Final = "benchmarks.md"
FOLDER: Final = "benchmarks"
RESULTS: Final = f"{FOLDER}/results.json"
LONGEST_NAME: Final = 80
"""Characters of a chart's file name, before the ending."""
HEAD: Final = f"""\
# Benchmarks

How fast each service is, beside others that do the same. `make bench` measures everything and
writes this page, its charts and [its figures]({RESULTS}): do not edit it.
What is measured, and with whom it is compared, is read in
[benchmarks/cases.py](../benchmarks/cases.py).
"""
METHOD: Final = """\
## How it was measured

- A case is one task for several contestants. Each of them is a process of its own, which listens
  on a free port of 127.0.0.1.
- All servers of a case share one core, and the load generator has another, where the machine has
  two; 'pinning' says so.
- The contestants are measured in turn, round by round (A B C, A B C ...), so that what slows the
  machine down for a while slows down everybody.
- The figure is the median of the rounds. No ratio is given where the rounds disagree too much.
- Loopback is not a network: what is compared is what the servers themselves cost.
- Our services run with their defaults and with what the name of a row says; the command lines are
  in [benchmarks/](../benchmarks/commands.py). Where one load generator plays all the clients, the
  limits of how many may come and of how fast one may speak are lifted; nothing else is.

What the columns mean:
"""
_UNSAFE: Final = re.compile(r"([\\`*_\[\]|~#])")


def files(entries: Sequence[Entry]) -> dict[str, str]:
    """Path below the folder of documents -> text: the charts, the results and, last, the page."""
    charts = {f"{FOLDER}/{name}.svg": chart.drawn(entry) for name, entry in named(entries).items()}
    return {**charts, RESULTS: encoded(entries), PAGE: page(entries)}


def named(entries: Sequence[Entry]) -> dict[str, Entry]:
    """The entries by the name of their chart's file, which is also the anchor of their section."""
    names: dict[str, Entry] = {}
    for entry in entries:
        plain = re.sub(r"[^a-z0-9]+", "-", entry.title.lower()).strip("-") or "case"
        name, number_ = plain[:LONGEST_NAME].rstrip("-"), 1
        while name in names:
            number_ += 1
            name = f"{plain[:LONGEST_NAME].rstrip('-')}-{number_}"
        names[name] = entry
    return names


def page(entries: Sequence[Entry]) -> str:
    """The whole text."""
    newest = max(entries, key=lambda entry: entry.date, default=None)
    parts = [HEAD, *_runs(entries, newest), METHOD.rstrip() + "\n", legend.as_markdown() + "\n"]
    parts += [_overview(entries)] if entries else []
    parts += [_section(name, entry, newest) for name, entry in named(entries).items()]
    return "\n".join(parts)


def _runs(entries: Sequence[Entry], newest: Entry | None) -> list[str]:
    """The facts of each run that something on the page is of, the latest first."""
    runs: list[list[Entry]] = []
    for entry in entries:
        same = [run for run in runs if run[0].facts == entry.facts]
        if same:
            same[0].append(entry)
        else:
            runs.append([entry])
    parts = ["## The machine\n"]
    for run in sorted(runs, key=lambda run: max(each.date for each in run), reverse=True):
        facts = run[0].facts
        elsewhere = "" if _same_machine(facts, newest) else ", on another machine"
        names = ", ".join(dict.fromkeys(entry.benchmark for entry in run))
        parts.append(f"The run of {_cell(facts.get('date', '?'))}{elsewhere}: {names}\n")
        table = [("", ""), *((name, text) for name, text in facts.items() if name != "date")]
        parts.append(_table(table, left=(0, 1)) + "\n")
    return parts


def _overview(entries: Sequence[Entry]) -> str:
    table = [("", "ours", "unit")]
    for name, entry in named(entries).items():
        table.append((f"[{_cell(entry.title)}](#{name})", _told(entry.first), _cell(entry.unit)))
    return f"## All cases\n\n{_table(table, left=(0, 2), escape=False)}\n"


def _told(result: Result) -> str:
    if isinstance(result, str):
        return FAILED
    return f"{UNSTEADY}, {number(result.median)}" if result.noisy else number(result.median)


def _section(name: str, entry: Entry, newest: Entry | None) -> str:
    notes = [f"- {_cell(remark)}" for remark in entry.remarks]
    notes += [
        f"- {_cell(who)} failed: {_cell(result)}"
        for who, result in entry.results.items()
        if isinstance(result, str)
    ]
    table = rows(entry.results, entry.beside)
    parts = [
        f'<a id="{name}"></a>\n\n## {_cell(entry.title)}\n',
        f"![{_cell(chart.described(entry))}]({FOLDER}/{name}.svg)\n",
        f"{_cell(chart.subtitle(entry))}:\n",
        _table(table) + "\n",
        *(["\n".join(notes) + "\n"] if notes else []),
        _measured(entry, newest) + "\n",
    ]
    return "\n".join(parts)


def _measured(entry: Entry, newest: Entry | None) -> str:
    """When and where."""
    words = f"Measured {entry.date} with proto {entry.facts.get('proto', '?')}"
    machine = entry.facts.get("machine", "?")
    if _same_machine(entry.facts, newest):
        return f"{_cell(words)}, on {_cell(machine)}."
    return f"{_cell(words)}, **on another machine than the latest run**: {_cell(machine)}."


def _same_machine(facts: Mapping[str, str], newest: Entry | None) -> bool:
    return newest is not None and facts.get("machine") == newest.facts.get("machine")


def _table(
    table: Sequence[Sequence[str]], *, left: Container[int] = (0,), escape: bool = True
) -> str:
    """The first row is the head; the columns that are not `left` have their cells on the right."""
    cells = [[_cell(cell) if escape else cell for cell in row] for row in table]
    rule = [" --- " if at in left else " ---: " for at in range(len(cells[0]))]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([lines[0], f"|{'|'.join(rule)}|", *lines[1:]])


def _cell(text: str) -> str:
    """Plain text that Markdown shows as it is, on one line."""
    plain = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return _UNSAFE.sub(r"\\\1", plain)
