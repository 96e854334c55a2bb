from __future__ import annotations

from dataclasses import replace

from benchmarks.report.page import files, named, page
from benchmarks.report.results import decoded
from tests.benchmarks.report.made import FACTS, entry, of, summary


def test_a_section_has_a_chart_a_table_remarks_and_says_when_and_where() -> None:
    case = replace(
        entry(proto=summary(300), Go=summary(200), nc="it <broke> | twice\nand again"),
        remarks=("C left out: gcc is not installed",),
    )
    text = page([case])
    section = text[text.index('<a id="echo-64-bytes"></a>') :]
    assert section.splitlines() == [
        '<a id="echo-64-bytes"></a>',
        "",
        "## echo: 64 bytes",
        "",
        "![messages a second; more is better. proto: 300; Go: 200 (ours is 1.50 x); nc: failed.]"
        "(benchmarks/echo-64-bytes.svg)",
        "",
        "messages a second; more is better:",
        "",
        "|  | median | min - max | ours is | cpu us | busy | load | MiB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| proto | 300 | 225 - 375 | - | 12.3 | 99% | 50% | 50 |",
        "| Go | 200 | 150 - 250 | 1.50 x | 12.3 | 99% | 50% | 50 |",
        "| nc | failed |  |  |  |  |  |  |",
        "",
        "- C left out: gcc is not installed",
        r"- nc failed: it &lt;broke> \| twice and again",
        "",
        "Measured 2026-11-21 20:55 UTC with proto 0.1.0, on a small one, 2 cores.",
    ]


def test_no_ratio_is_printed_where_the_rounds_disagree() -> None:
    text = page([entry(proto=summary(300), Go=summary(200, noisy=True))])
    assert "| Go | 200 | 150 - 250 | unsteady |" in text
    assert " x |" not in text


def test_the_machine_stands_above_the_cases() -> None:
    text = page([entry(), of("chat", "chat: 10")])
    assert "The run of 2026-11-21 20:52 UTC: echo, chat\n" in text
    assert "| machine | a small one, 2 cores |\n| proto | 0.1.0 |" in text
    assert "another machine" not in text


def test_what_was_measured_on_another_machine_says_so() -> None:
    elsewhere = replace(
        of("chat", "chat: 10"),
        date="2026-10-01 08:10 UTC",
        facts={**FACTS, "date": "2026-10-01 08:00 UTC", "machine": "a big_one"},
    )
    text = page([elsewhere, entry()])
    latest = text.index("The run of 2026-11-21 20:52 UTC: echo\n")
    assert latest < text.index("The run of 2026-10-01 08:00 UTC, on another machine: chat\n")
    assert (
        "Measured 2026-10-01 08:10 UTC with proto 0.1.0, "
        "**on another machine than the latest run**: a big\\_one.\n"
    ) in text
    assert "Measured 2026-11-21 20:55 UTC with proto 0.1.0, on a small one, 2 cores.\n" in text


def test_two_runs_on_one_machine_are_told_apart() -> None:
    before = replace(of("chat", "chat: 10"), facts={**FACTS, "date": "earlier", "proto": "0.0.9"})
    text = page([entry(), before])
    assert "The run of earlier: chat\n" in text
    assert "with proto 0.0.9, on a small one" in text
    assert "another machine" not in text


def test_the_cases_are_listed_with_links_to_their_sections() -> None:
    text = page([entry(), replace(entry(proto="it broke"), title="lag: [x]", unit="ms")])
    assert (
        "|  | ours | unit |\n| --- | ---: | --- |\n"
        "| [echo: 64 bytes](#echo-64-bytes) | 300 | messages a second |\n"
        "| [lag: \\[x\\]](#lag-x) | failed | ms |\n"
    ) in text


def test_an_unsteady_figure_is_called_so_in_the_list_too() -> None:
    assert ") | unsteady, 300 | messages" in page([entry(proto=summary(300, noisy=True))])


def test_what_the_columns_mean_is_on_the_page() -> None:
    assert "- **cpu us**: microseconds that the server" in page([entry()])


def test_every_case_has_a_name_of_its_own() -> None:
    long = "a long title " * 20
    titles = ["echo: 64 B", "echo 64 b!", "???", long, long]
    names = list(named([of("echo", title) for title in titles]))
    assert names[:3] == ["echo-64-b", "echo-64-b-2", "case"]
    assert len(set(names)) == 5
    assert max(map(len, names)) <= 82


def test_the_page_comes_after_all_that_it_shows() -> None:
    texts = files([entry(), of("chat", "chat: 10")])
    assert list(texts) == [
        "benchmarks/echo-64-bytes.svg",
        "benchmarks/chat-10.svg",
        "benchmarks/results.json",
        "benchmarks.md",
    ]
    assert texts["benchmarks.md"] == page([entry(), of("chat", "chat: 10")])
    assert decoded(texts["benchmarks/results.json"]) == [entry(), of("chat", "chat: 10")]
    assert all(name in texts["benchmarks.md"] for name in list(texts)[:3])


def test_without_any_case_there_is_a_page_all_the_same() -> None:
    assert list(files([])) == ["benchmarks/results.json", "benchmarks.md"]
