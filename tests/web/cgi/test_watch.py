from __future__ import annotations

from twisted.internet.task import Clock

from proto.web.cgi.watch import Watch


class Told:
    def __init__(self, total: float = 60, silence: float = 10) -> None:
        self.clock = Clock()
        self.told: list[str] = []
        self.watch = Watch(
            self.clock,
            total,
            silence,
            late=lambda: self.told.append(f"late at {self.clock.seconds():g}"),
            silent=lambda: self.told.append(f"silent at {self.clock.seconds():g}"),
        )

    def after(self, *seconds: float) -> list[str]:
        for each in seconds:
            self.clock.advance(each)
        return self.told


def test_its_time_in_all_is_bounded_whatever_it_does() -> None:
    it = Told(total=60, silence=60)
    for _ in range(12):
        it.watch.expect()
        it.clock.advance(5)
        it.watch.relax()
    assert it.told == ["late at 60"]
    assert not it.clock.getDelayedCalls()


def test_silence_counts_while_somebody_waits() -> None:
    it = Told()
    assert it.after(9, 9, 9) == []
    it.watch.expect()
    assert it.after(9) == []
    it.watch.moved()
    assert it.after(9) == []
    assert it.after(1, 0.5) == ["silent at 46"]


def test_a_script_that_waits_for_its_client_is_not_silent() -> None:
    it = Told()
    it.watch.expect()
    it.clock.advance(5)
    it.watch.relax()
    assert it.after(20) == []
    it.watch.expect()
    assert it.after(9.5) == []
    assert it.after(0.5) == ["silent at 35"]


def test_the_silence_may_become_shorter_but_never_longer() -> None:
    it = Told(silence=10)
    it.watch.expect()
    it.clock.advance(5)
    it.watch.shorten(1)
    assert it.after(0.9) == []
    assert it.after(0.1) == ["silent at 6"]
    other = Told(silence=0.5)
    other.watch.expect()
    other.watch.shorten(1)
    assert other.after(0.5) == ["silent at 0.5"]


def test_nothing_is_told_of_what_has_ended() -> None:
    it = Told()
    it.watch.expect()
    it.watch.stop()
    assert it.after(100) == []
    assert not it.clock.getDelayedCalls()
