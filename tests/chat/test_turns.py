from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from proto.chat.turns import SIZE, Turns
from proto.limits import TokenBucket


class Speaker:
    """Turns with everything around them; an item of `free` costs nothing."""

    def __init__(self, burst: float = 2, rate: float = 1, limit: int = 3, free: str = "-") -> None:
        self.clock = Clock()
        self.may = True
        self.silenced_by = ""
        self.said: list[str] = []
        self.turns: Turns[str] = Turns(
            self.clock,
            TokenBucket(burst, rate, 0),
            limit,
            self.say,
            lambda: self.may,
            self.go_on,
            lambda item: item in free,
        )

    def say(self, item: str) -> None:
        self.said.append(item)
        if item == self.silenced_by:
            self.may = False

    def go_on(self) -> None:
        self.turns.go_on()

    def add(self, items: str) -> None:
        self.turns.add(items)
        self.turns.go_on()


def test_a_burst_is_said_at_once_and_the_rest_at_a_pace_and_in_order() -> None:
    speaker = Speaker()
    speaker.add("abcde")
    assert (speaker.said, len(speaker.turns), speaker.turns.delayed) == (["a", "b"], 3, True)
    heard = [len(speaker.said)]
    for _ in range(3):
        speaker.clock.advance(1)
        heard.append(len(speaker.said))
    assert heard == [2, 3, 4, 5]
    assert speaker.said == list("abcde")
    assert (speaker.turns.delayed, speaker.clock.getDelayedCalls()) == (False, [])


def test_what_is_free_costs_no_turn_but_waits_for_what_is_before_it() -> None:
    speaker = Speaker()
    speaker.add("--a--b-c-")
    assert speaker.said == list("--a--b-")
    speaker.clock.advance(1)
    assert speaker.said == list("--a--b-c-")


def test_nothing_is_said_while_one_may_not_speak() -> None:
    speaker = Speaker()
    speaker.may = False
    speaker.add("ab")
    assert (speaker.said, speaker.turns.delayed, speaker.clock.getDelayedCalls()) == ([], False, [])
    speaker.may = True
    speaker.turns.go_on()
    assert speaker.said == ["a", "b"]


def test_who_may_not_speak_after_something_they_said_stops_there() -> None:
    speaker = Speaker(burst=9)
    speaker.silenced_by = "b"
    speaker.add("abc")
    assert (speaker.said, len(speaker.turns)) == (["a", "b"], 1)


def test_above_the_limit_it_is_crowded() -> None:
    speaker = Speaker()
    crowded = []
    speaker.add("abcde")
    crowded.append(speaker.turns.crowded)
    speaker.turns.add("f")
    crowded.append(speaker.turns.crowded)
    speaker.clock.advance(1)
    crowded.append(speaker.turns.crowded)
    assert crowded == [False, True, False]


def test_an_item_may_cost_more_than_one_turn() -> None:
    speaker = Speaker(burst=2)
    speaker.add("a")
    speaker.turns.charge(2)
    speaker.add("b")
    assert (speaker.said, speaker.turns.delayed) == (["a"], True)
    speaker.clock.advance(1.9)
    assert speaker.said == ["a"]
    speaker.clock.advance(0.1)
    assert speaker.said == ["a", "b"]


def test_however_often_one_is_asked_to_go_on_there_is_one_timer() -> None:
    speaker = Speaker()
    speaker.add("abcde")
    for _ in range(5):
        speaker.turns.go_on()
    assert len(speaker.clock.getDelayedCalls()) == 1
    speaker.turns.clear()
    assert (len(speaker.turns), speaker.turns.delayed) == (0, False)
    assert speaker.clock.getDelayedCalls() == []


def test_without_a_rate_nothing_waits() -> None:
    speaker = Speaker(rate=0)
    speaker.add("abcdefghij")
    speaker.turns.charge(100)
    speaker.add("k")
    assert speaker.said == list("abcdefghijk")


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(st.text("ab-", max_size=9), st.floats(0, 3), st.booleans(), st.just(None)),
        max_size=30,
    )
)
def test_whatever_the_pace_nothing_is_lost_doubled_or_overtaken(
    steps: list[str | float | bool | None],
) -> None:
    speaker = Speaker()
    sent = ""
    for step in steps:
        if isinstance(step, str):
            sent += step
            speaker.add(step)
        elif isinstance(step, bool):
            speaker.may = step
        elif step is None:
            speaker.turns.go_on()
        else:
            speaker.clock.advance(step)
        assert sent == "".join(speaker.said) + "".join(speaker.turns._waiting)
    speaker.may = True
    speaker.turns.go_on()
    for _ in range(len(sent) + 1):
        speaker.clock.advance(1)
    assert "".join(speaker.said) == sent
    assert speaker.clock.getDelayedCalls() == []


def test_who_has_much_waiting_is_crowded_however_few_items_it_is() -> None:
    speaker = Speaker(burst=1)
    long = "x" * (SIZE // 2)
    speaker.turns.add([long, long, long, long])
    crowded = [speaker.turns.crowded]
    speaker.turns.go_on()
    crowded.append(speaker.turns.crowded)
    speaker.clock.advance(1)
    crowded.append(speaker.turns.crowded)
    speaker.turns.add([long])
    crowded.append(speaker.turns.crowded)
    speaker.turns.clear()
    crowded.append(speaker.turns.crowded)
    assert crowded == [True, True, False, True, False]
