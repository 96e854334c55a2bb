from __future__ import annotations

from proto.logfile.send.progress import Progress


def test_the_line_is_written_over_and_ended_once() -> None:
    said: list[str] = []
    progress = Progress(said.append, 10.0)
    progress.show(1024, 0, 10.1)
    progress.show(3000, 2000, 11.0)
    progress.show(3001, 2000, 11.1)
    progress.show(4000, 4000, 11.15, at_once=True)
    progress.end()
    progress.end()
    assert said == [
        "\r\x1b[K3,000 sent, 2,000 acknowledged, 2,000 lines/s",
        "\r\x1b[K4,000 sent, 4,000 acknowledged, 3,478 lines/s",
        "\n",
    ]


def test_where_nobody_watches_nothing_is_written() -> None:
    progress = Progress(None, 0.0)
    progress.show(1, 1, 100.0, at_once=True)
    progress.end()
