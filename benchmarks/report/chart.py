"""A case as a chart: SVG text, a horizontal bar for each contestant.  Pure; knows no files.

A bar is as long as the median, from zero and on a linear scale; a whisker on it spans the rounds.
There is no script and no font in it, and it follows the reader's light or dark colours.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree

from benchmarks.figures import Summary
from benchmarks.report.results import Entry
from benchmarks.report.rows import FAILED, UNSTEADY, number, times

WIDTH: Final = 720
PADDING: Final = 20
PITCH: Final = 34
"""From one bar to the next."""
THICK: Final = 20
LINE: Final = 20
"""From one line of the title to the next."""
CAP: Final = 4
"""Half the height of a whisker's ends."""
GAP: Final = 12
LONGEST_NAME: Final = 30
"""Characters of a name on one line; a longer one has two lines."""
LONGEST_TITLE: Final = 76
LETTER: Final = 7.5
"""Width of a letter of 13 pixels in whatever font there is, at the most on average."""
DIGIT: Final = 8.5
"""Width of a bold one."""
SMALL_LETTER: Final = 7.0
TICKS: Final = 5
"""About as many lines of the scale."""
STYLE: Final = """
svg { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif;
  font-variant-numeric: tabular-nums; }
path { fill: none; }
.heading { font-size: 15px; font-weight: 600; }
.value, .name.ours { font-weight: 600; }
.soft, .note { font-size: 12px; font-weight: 400; }
.name, .right { text-anchor: end; }
.tick { text-anchor: middle; }
.whisker { stroke-width: 1.4; }
.halo { stroke-width: 3.6; stroke-opacity: 0.6; }
.bar.unsteady { fill-opacity: 0.5; }
.paper { fill: #ffffff; stroke: #d0d7de; }
.heading, .name, .value { fill: #1f2328; }
.soft, .note { fill: #59636e; }
.grid { stroke: #e4e8ec; } .axis { stroke: #59636e; }
.whisker { stroke: #1f2328; } .halo { stroke: #ffffff; }
.bar.ours { fill: #0969da; } .bar.kin { fill: #7db5f2; } .bar.other { fill: #b6c0ca; }
@media (prefers-color-scheme: dark) {
  .paper { fill: #0d1117; stroke: #30363d; }
  .heading, .name, .value { fill: #f0f6fc; }
  .soft, .note { fill: #9198a1; }
  .grid { stroke: #21262d; } .axis { stroke: #9198a1; }
  .whisker { stroke: #f0f6fc; } .halo { stroke: #0d1117; }
  .bar.ours { fill: #2f7fe6; } .bar.kin { fill: #245a9c; } .bar.other { fill: #4b545f; }
}
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One contestant: `kind` is ours, kin (another of ours) or other; a note stands behind the
    value.  Who failed has no value, and no bar."""

    name: str
    kind: str
    value: float | None = None
    least: float = 0.0
    most: float = 0.0
    note: str = ""

    @property
    def label(self) -> str:
        """The value, or that there is none."""
        return FAILED if self.value is None else number(self.value)

    @property
    def end(self) -> float:
        """The greatest value that is drawn."""
        return max(self.most, self.value or 0.0)

    @property
    def room(self) -> float:
        """Pixels that its label and note take behind the bar."""
        return GAP + DIGIT * len(self.label) + SMALL_LETTER * (len(self.note) + 1)


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the bars are: their left end, the top of the first one, and pixels for a unit."""

    left: float
    top: float
    scale: float

    def x(self, value: float) -> float:
        """Where a bar of this value ends; at its beginning, if there is less than nothing."""
        return self.left + self.width(value)

    def width(self, value: float) -> float:
        """How long a bar of this value is."""
        return max(0.0, value) * self.scale


def bars(entry: Entry) -> list[Bar]:
    """One for each contestant, in their order."""
    return [_bar(entry, name) for name in entry.results]


def subtitle(entry: Entry) -> str:
    """The unit, and which way is better."""
    return f"{entry.unit}; {'less' if entry.less else 'more'} is better"


def described(entry: Entry) -> str:
    """The chart in words, for those who do not see it."""
    words = [f"{bar.name}: {bar.label}{bar.note and f' ({bar.note})'}" for bar in bars(entry)]
    return f"{subtitle(entry)}. {'; '.join(words)}."


def drawn(entry: Entry) -> str:
    """The whole SVG document."""
    heading = textwrap.wrap(entry.title, LONGEST_TITLE)
    shown = bars(entry)
    frame = _frame(shown, PADDING + LINE * (len(heading) + 1) + GAP)
    bottom = frame.top + PITCH * len(shown)
    svg = _document(entry, bottom + 3 * PADDING + 4)
    for at, line in enumerate(heading):
        _text(svg, PADDING, PADDING + 14 + LINE * at, line, "heading")
    _text(svg, PADDING, PADDING + 14 + LINE * len(heading), subtitle(entry), "soft")
    _draw_scale(svg, frame, bottom, max(bar.end for bar in shown))
    for at, bar in enumerate(shown):
        _draw_bar(svg, frame, frame.top + PITCH * (at + 0.5), bar)
    told = "bar: median of the rounds; whisker: the least and the most"
    _text(svg, WIDTH - PADDING, bottom + 2 * PADDING + 10, told, "soft right")
    ElementTree.indent(svg, " ")
    return ElementTree.tostring(svg, encoding="unicode") + "\n"


def ticks(most: float) -> list[float]:
    """Round values from zero to at most this one: some for a scale."""
    if most <= 0:
        return [0.0]
    power = 10.0 ** math.floor(math.log10(most / TICKS))
    step = power * next(each for each in (1, 2, 5, 10, 20) if power * each * TICKS >= most)
    return [step * at for at in range(int(most / step + 1e-9) + 1)]


def _bar(entry: Entry, name: str) -> Bar:
    result = entry.results[name]
    kind = "kin" if entry.is_ours(name) else "other"
    kind = "ours" if name == next(iter(entry.results)) else kind
    if isinstance(result, str):
        return Bar(name, kind)
    note = UNSTEADY if result.noisy else _comparison(entry, result)
    return Bar(name, kind, result.median, result.least, result.most, note)


def _comparison(entry: Entry, result: Summary) -> str:
    """With ours, or with the first of those who are the measure; nothing, if that is unsteady."""
    names = list(entry.results)[:1] if entry.beside is None else entry.beside
    name = next((name for name in names if name in entry.results), None)
    measure = None if name is None else entry.results[name]
    if not isinstance(measure, Summary) or measure is result:
        return ""
    ours = entry.beside is None
    compared = times(measure, result) if ours else times(result, measure)
    if compared == UNSTEADY:
        return ""
    short = textwrap.shorten(name or "", LONGEST_NAME, placeholder=" …")
    return f"ours is {compared}" if ours else f"{compared} {short}"


def _frame(shown: Sequence[Bar], top: float) -> Frame:
    longest = max(len(line) for bar in shown for line in _lines(bar.name))
    left = PADDING + longest * LETTER + GAP
    right = WIDTH - PADDING
    scales = [(right - bar.room - left) / bar.end for bar in shown if bar.end > 0]
    return Frame(left, top, min(scales, default=0.0))


def _document(entry: Entry, height: float) -> ElementTree.Element:
    """An empty card of this height."""
    size = {"width": str(WIDTH), "height": _pixels(height)}
    svg = ElementTree.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {WIDTH} {_pixels(height)}",
            **size,
            "role": "img",
            "aria-labelledby": "title desc",
        },
    )
    ElementTree.SubElement(svg, "title", {"id": "title"}).text = entry.title
    ElementTree.SubElement(svg, "desc", {"id": "desc"}).text = described(entry)
    ElementTree.SubElement(svg, "style").text = STYLE
    inner = {"width": str(WIDTH - 1), "height": _pixels(height - 1)}
    ElementTree.SubElement(
        svg, "rect", {"class": "paper", "x": "0.5", "y": "0.5", **inner, "rx": "8"}
    )
    return svg


def _draw_scale(svg: ElementTree.Element, frame: Frame, bottom: float, most: float) -> None:
    for value in ticks(most):
        x = _pixels(frame.x(value))
        kind = "grid" if value else "axis"
        path = f"M{x} {_pixels(frame.top)}V{_pixels(bottom)}"
        ElementTree.SubElement(svg, "path", {"class": kind, "d": path})
        _text(svg, frame.x(value), bottom + 16, number(value), "soft tick")


def _draw_bar(svg: ElementTree.Element, frame: Frame, middle: float, bar: Bar) -> None:
    lines = _lines(bar.name)
    for at, line in enumerate(lines):
        y = middle + 4.5 + 15 * (at - (len(lines) - 1) / 2)
        _text(svg, frame.left - GAP, y, line, f"name {bar.kind}")
    if bar.value is not None:
        unsteady = " unsteady" if bar.note == UNSTEADY else ""
        place = {
            "x": _pixels(frame.left),
            "y": _pixels(middle - THICK / 2),
            "width": _pixels(frame.width(bar.value)),
            "height": str(THICK),
        }
        kind = {"class": f"bar {bar.kind}{unsteady}"}
        ElementTree.SubElement(svg, "rect", {**kind, **place, "rx": "2"})
        _draw_whisker(svg, frame.x(bar.least), frame.x(bar.most), middle)
    label = _text(svg, frame.x(bar.end) + GAP, middle + 4.5, bar.label, "value")
    if bar.note:
        ElementTree.SubElement(label, "tspan", {"class": "note", "dx": "6"}).text = bar.note


def _draw_whisker(svg: ElementTree.Element, least: float, most: float, middle: float) -> None:
    up, down, y = _pixels(middle - CAP), _pixels(middle + CAP), _pixels(middle)
    start, end = _pixels(least), _pixels(most)
    path = f"M{start} {up}V{down}M{start} {y}H{end}M{end} {up}V{down}"
    for kind in ("halo", "whisker"):  # the halo sets it off against any bar
        ElementTree.SubElement(svg, "path", {"class": kind, "d": path})


def _text(
    svg: ElementTree.Element, x: float, y: float, text: str, kind: str
) -> ElementTree.Element:
    place = {"class": kind, "x": _pixels(x), "y": _pixels(y)}
    element = ElementTree.SubElement(svg, "text", place)
    element.text = text
    return element


def _lines(name: str) -> list[str]:
    """The name on one line or two."""
    return textwrap.wrap(name, LONGEST_NAME, max_lines=2, placeholder=" …") or [name]


def _pixels(value: float) -> str:
    return f"{value:.6g}"
