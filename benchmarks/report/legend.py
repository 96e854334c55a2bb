"""What the columns of the tables mean, for the terminal and for the page.  Pure."""

from __future__ import annotations

import textwrap
from typing import Final

from benchmarks.figures import NOISY

LEGEND: Final = {
    "median": "of the rounds, after a short one that is not counted; then the least and the most",
    "ours is": (
        "how many times as good the first one's median is; 'unsteady' if the middle half of the "
        f"rounds of either spans more than {NOISY:.0%} of its median"
    ),
    "of X": "how many times as good as that of X the median of the row is",
    "cpu us": (
        "microseconds that the server was on a core for one message, delivery, line ..., in all "
        "its threads; of lines that is the seconds for a million of them"
    ),
    "busy": (
        "part of the round that the server was on a core; where it is well below 100%, the load "
        "generator or a wait was the limit, and 'cpu us' tells more than 'ours is'"
    ),
    "load": ("part of the round that the load generator was on a core: near 100% it was the limit"),
    "p50, p99": (
        "of the time that one message, delivery or request takes: medians over the rounds; max "
        "is the longest of all"
    ),
    "MiB": "the server's resident memory at the end of a round, its peers still connected",
}
"""The head of a column -> what stands below it."""
_INDENT: Final = 10


def as_text() -> str:
    """Lines of at most 97 columns, for a terminal."""
    return "\n".join(
        textwrap.fill(
            f"{head:{_INDENT}}{words}",
            width=97,
            subsequent_indent=" " * _INDENT,
            break_on_hyphens=False,
        )
        for head, words in LEGEND.items()
    )


def as_markdown() -> str:
    """A list."""
    return "\n".join(f"- **{head}**: {words}" for head, words in LEGEND.items())
