"""However late and in whatever order the history answers, a room has one order for everyone."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from proto.chat.events import Entered, Joined, Left, Moved, Refused, Stored, WentAway
from proto.chat.house import House
from proto.chat.room import Room
from proto.chat.talk import go_away, ignore, recall, say
from tests.chat.doubles import LateHistory, OneByOne, Plain, Somebody, house_of

_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["admit", "leave", "say", "say", "move", "answer", "away"]),
        st.integers(0, 5),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(_STEPS)
def test_whatever_people_do_each_sees_a_room_in_one_order_without_gap_or_repeat(
    steps: list[tuple[str, int]],
) -> None:
    late = LateHistory()
    house = house_of(late, last_lines=1000)
    people: dict[int, Somebody] = {}
    everyone: list[Somebody] = []
    for count, (what, who) in enumerate(steps):
        person = people.get(who)
        if what == "admit" and person is None:
            people[who] = person = Somebody(house)
            everyone.append(person)
            house.admit(person, None)
        elif what == "leave" and person is not None:
            house.leave(people.pop(who))
        elif what == "answer":
            late.answer(who)
        elif person is not None and person.room is not None:
            if what == "say":
                say(person, f"{person.room.name} {count}")
            elif what == "away":
                go_away(person, "")
            else:
                house.move(person, "den" if person.room is house.lobby else "lobby")
    late.answer_all()
    for person in everyone:
        _check_order(person)
    assert all(person.room is not None for person in people.values())
    assert all(person.has_departed for person in everyone if person not in people.values())


def _check_order(person: Somebody) -> None:
    """Of each stay: the last lines, then every line live, in the order they were said."""
    stay: list[int] | None = None
    for event in person.saw:
        if isinstance(event, Entered):
            stay = [int(line.event.text.split()[1]) for line in event.lines]
        elif isinstance(event, Stored):
            assert stay is not None
            stay.append(int(event.event.text.split()[1]))
        else:
            assert isinstance(event, Joined | Left | Moved | WentAway)
        assert stay is None or stay == sorted(set(stay))


_RETURNS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["say", "answer", "break", "mend"]), st.just(0)),
        st.tuples(st.sampled_from(["come", "return", "leave", "reform", "ask"]), st.integers(0, 3)),
        st.tuples(st.just("read"), st.integers(0, 3)),
    ),
    max_size=60,
)


class Listener(Somebody):
    """Who comes into one room, and knows after which line the next one has to be."""

    def __init__(self, house: House) -> None:
        super().__init__(house)
        self.last = 0
        self.complete = True

    def check(self) -> None:
        """Nothing was doubled or out of order since they came, and nothing left out."""
        for event in self.news():
            if isinstance(event, Entered):
                lines = [line.sequence for line in event.lines]
                first = lines[0] if lines else event.newest + 1
                self.complete = not event.more or not event.resumed
                if event.resumed and lines:
                    assert first == self.last + 1
                if self.complete and lines:
                    assert lines == list(range(first, event.newest + 1))
                self.last = event.newest
            elif isinstance(event, Stored):
                assert event.sequence == self.last + 1
                self.last = event.sequence


@settings(deadline=None, max_examples=200)
@given(_RETURNS)
def test_who_comes_and_comes_back_misses_nothing_whenever_reads_and_appends_are_answered(
    steps: list[tuple[str, int]],
) -> None:
    late = LateHistory()
    house = house_of(late, last_lines=3)
    room = house.room("den")
    anchor = Listener(house)
    house.admit(anchor, None, room="den")
    late.answer_all()
    here: dict[int, Listener] = {}
    gone: dict[int, Listener] = {}
    for what, who in steps:
        if what == "say":
            say(anchor, "line")
        elif what == "answer":
            late.answer(1)
        elif what == "read":
            late.answer_read(who)
        elif what in ("break", "mend"):
            late.broken = what == "break"
        elif what in ("come", "return") and who not in here:
            here[who] = _enter(house, room, gone.pop(who, None) if what == "return" else None)
        elif what == "leave" and who in here and here[who].room is not None:
            gone[who] = _exit(room, here.pop(who))
        elif what == "reform" and who in here:
            here[who].form = Plain()
            room.reform(here[who])
        elif what == "ask" and anchor.person.asking < 4:
            recall(house, anchor, count=2)
    late.broken = False
    late.answer_all()
    for listener in (anchor, *here.values(), *gone.values()):
        listener.check()
    for listener in (anchor, *here.values()):
        assert listener.last == (room.published or 0)


def _enter(house: House, room: Room, before: Listener | None) -> Listener:
    listener = Listener(house)
    after = None
    if before is not None:
        before.check()
        listener.last = after = before.last
    room.enter(listener, lambda: _arrived(listener, room), after=after)
    return listener


def _arrived(listener: Listener, room: Room) -> None:
    listener.room = room


def _exit(room: Room, listener: Listener) -> Listener:
    listener.room = None
    room.exit(listener, Left("listener"), listener.departed)
    return listener


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=30))
def test_each_reads_every_line_but_those_of_whom_they_ignored_when_it_was_said(
    steps: list[tuple[int, int, bool]],
) -> None:
    late = LateHistory()
    house = house_of(late)
    people = [Somebody(house) for _ in range(4)]
    for person in people:
        house.admit(person, None)
        late.answer()
    expected: dict[Somebody, list[str]] = {person: [] for person in people}
    for count, (who, other, ignores) in enumerate(steps):
        person, target = people[who], people[other]
        if ignores and person is not target:
            if target.name in house.ignoring.ignored(person):
                house.ignoring.unignore(person, target.name)
            else:
                ignore(house, person, target.name)
            continue
        say(person, str(count))
        for reader in people:
            if person.name not in house.ignoring.ignored(reader):
                expected[reader].append(str(count))
        if ignores:
            late.answer(1)
    late.answer_all()
    assert {person: person.heard() for person in people} == expected


def test_a_double_is_an_audience_of_its_own_and_takes_each_member_once() -> None:
    audience = Plain().audience()
    assert isinstance(audience, OneByOne)
    house = house_of()
    member = Somebody(house)
    audience.add(member)
    audience.publish(Refused("a"))
    audience.publish(Refused("b"), [member])
    audience.remove(member)
    audience.publish(Refused("c"))
    assert (member.saw, len(audience)) == ([Refused("a")], 0)
