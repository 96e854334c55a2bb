from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from benchmarks.report.chart import WIDTH, described, drawn, ticks
from benchmarks.report.results import Entry
from tests.benchmarks.report.made import entry, summary

SVG = "{http://www.w3.org/2000/svg}"


def parsed(case: Entry) -> ElementTree.Element:
    return ElementTree.fromstring(drawn(case))


def marked(svg: ElementTree.Element, tag: str, kind: str) -> list[ElementTree.Element]:
    return [each for each in svg.iter(SVG + tag) if kind in each.get("class", "").split()]


def texts(svg: ElementTree.Element, kind: str) -> list[str]:
    return ["".join(each.itertext()).strip() for each in marked(svg, "text", kind)]


def widths(svg: ElementTree.Element) -> list[float]:
    return [float(each.get("width", "")) for each in marked(svg, "rect", "bar")]


def test_bars_are_as_long_as_the_medians_and_start_at_zero() -> None:
    svg = parsed(entry(proto=summary(300), C=summary(600), Go=summary(1)))
    ours, limit, other = widths(svg)
    assert limit == pytest.approx(2 * ours, rel=1e-4)
    assert other == pytest.approx(ours / 300, rel=1e-4)
    assert len({each.get("x") for each in marked(svg, "rect", "bar")}) == 1
    assert texts(svg, "value")[2].startswith("1")  # too small to see, but it is told


def test_a_whisker_spans_the_rounds_on_the_same_scale() -> None:
    svg = parsed(entry(proto=summary(400)))
    (bar,) = marked(svg, "rect", "bar")
    (whisker,) = marked(svg, "path", "whisker")
    path = whisker.get("d", "")
    least, most = float(path[1:].split()[0]), float(path.split("H")[1].split("M")[0])
    left, width = float(bar.get("x", "")), float(bar.get("width", ""))
    assert least == pytest.approx(left + 0.75 * width, rel=1e-4)
    assert most == pytest.approx(left + 1.25 * width, rel=1e-4)


def test_ours_stand_out() -> None:
    svg = parsed(entry(**{"proto": summary(3), "proto, on disk": summary(2), "Go": summary(1)}))
    kinds = [each.get("class") for each in marked(svg, "rect", "bar")]
    assert kinds == ["bar ours", "bar kin", "bar other"]


def test_names_and_titles_that_look_like_markup_are_shown_as_they_are() -> None:
    case = replace(entry(**{'<b>&"': summary(1)}), title="a < b & c", unit="<things>")
    svg = parsed(case)
    assert texts(svg, "name") == ['<b>&"']
    assert svg.findtext(f"{SVG}title") == "a < b & c"
    assert texts(svg, "heading") == ["a < b & c"]
    assert "<things>" in (svg.findtext(f"{SVG}desc") or "")


def test_who_does_not_see_the_chart_is_told_what_is_in_it() -> None:
    case = entry(proto=summary(300), Go=summary(200), C=summary(9, noisy=True), nc="it broke")
    svg = parsed(case)
    assert svg.get("role") == "img"
    ids = [each.get("id") for each in svg if each.get("id")]
    assert ids == (svg.get("aria-labelledby") or "").split()
    assert svg.findtext(f"{SVG}desc") == described(case)
    assert described(case) == (
        "messages a second; more is better. "
        "proto: 300; Go: 200 (ours is 1.50 x); C: 9 (unsteady); nc: failed."
    )


def test_who_is_unsteady_is_paler_and_compared_with_nobody() -> None:
    svg = parsed(entry(proto=summary(300), Go=summary(200, noisy=True)))
    assert [each.get("class") for each in marked(svg, "rect", "unsteady")] == ["bar other unsteady"]
    assert texts(svg, "value") == ["300", "200unsteady"]


def test_nobody_is_compared_with_an_unsteady_first_and_only_that_one_is_called_so() -> None:
    svg = parsed(entry(proto=summary(300, noisy=True), Go=summary(200)))
    assert texts(svg, "value") == ["300unsteady", "200"]


def test_who_failed_has_a_name_but_no_bar() -> None:
    svg = parsed(entry(proto=summary(300), Go="it broke"))
    assert len(widths(svg)) == 1
    assert texts(svg, "name") == ["proto", "Go"]
    assert texts(svg, "value") == ["300", "failed"]


@pytest.mark.parametrize("results", [{"proto": "it broke"}, {"proto": summary(0)}])
def test_a_chart_without_a_figure_can_be_drawn(results: dict[str, str]) -> None:
    svg = parsed(entry(**results))
    assert sum(widths(svg)) == 0
    assert texts(svg, "tick") == ["0"]


def test_less_than_nothing_has_no_bar_but_a_label() -> None:
    svg = parsed(entry(proto=summary(-2, less=True), Go=summary(8, less=True)))
    assert widths(svg)[0] == 0
    assert widths(svg)[1] > 0
    assert texts(svg, "value")[0] == "-2"


def test_which_way_is_better_is_said() -> None:
    assert "messages a second; less is better" in texts(
        parsed(entry(proto=summary(1, less=True))), "soft"
    )


def test_where_others_are_the_measure_bars_are_compared_with_the_first_that_took_part() -> None:
    case = entry(proto=summary(300), C=summary(400), Go=summary(200))
    compared = parsed(replace(case, beside=("rust", "C", "Go")))
    assert texts(compared, "value") == ["3000.75 x C", "400", "2000.50 x C"]
    assert texts(parsed(replace(case, beside=("rust",))), "value") == ["300", "400", "200"]
    assert texts(parsed(replace(case, beside=())), "value") == ["300", "400", "200"]


def test_there_is_no_ratio_to_nothing() -> None:
    assert texts(parsed(entry(proto=summary(300), Go=summary(0))), "value") == ["300", "0"]


def test_a_long_name_has_two_lines_and_everything_stays_on_the_card() -> None:
    name = "lines, each write or sync takes 100 ms more than it takes elsewhere, on Sundays"
    svg = parsed(entry(**{name: summary(1_234_567), "Go": summary(1_234_567_890)}))
    lines = texts(svg, "name")
    assert len(lines) == 3
    assert lines[1].endswith("…")
    assert max(map(len, lines)) <= 30
    for label in marked(svg, "text", "value"):
        assert float(label.get("x", "")) < WIDTH - 7 * len("".join(label.itertext()).strip())


def test_there_are_bars_beside_the_longest_names_and_figures() -> None:
    names = ["proto and what else there is to say", "the others " * 8]
    case = entry(**{name: summary(9_876_543_210) for name in names})
    assert min(widths(parsed(replace(case, beside=(names[1],))))) > 0


def test_the_longest_bar_takes_the_room_that_its_label_leaves() -> None:
    svg = parsed(entry(**{"proto": summary(1_000_000), "Go": summary(1)}))
    label = marked(svg, "text", "value")[0]
    assert float(label.get("x", "")) > WIDTH - 110


def test_a_long_title_is_shown_whole_above_the_first_bar() -> None:
    title = "chat: 1000 readers, 10 senders and 10 who read nothing; 1050 lines of 4000 bytes"
    svg = parsed(replace(entry(), title=title))
    assert " ".join(texts(svg, "heading")) == title
    assert len(texts(svg, "heading")) == 2
    lowest = max(float(each.get("y", "")) for each in marked(svg, "text", "heading"))
    assert lowest < float(marked(svg, "rect", "bar")[0].get("y", ""))


def test_nothing_is_run_or_fetched() -> None:
    svg = parsed(entry())
    assert {each.tag.removeprefix(SVG) for each in svg.iter()} == {
        *("svg", "title", "desc", "style", "rect", "path", "text", "tspan")
    }
    style = svg.findtext(f"{SVG}style") or ""
    assert "prefers-color-scheme: dark" in style
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (0, [0]),
        (-1, [0]),
        (1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (3.03, [0, 1, 2, 3]),
        (299_787, [0, 100_000, 200_000]),
        (500, [0, 100, 200, 300, 400, 500]),
    ],
)
def test_the_scale_has_a_few_round_values(most: float, expected: list[float]) -> None:
    assert ticks(most) == pytest.approx(expected)
