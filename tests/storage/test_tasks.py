"""What a store of tasks promises, with each of the real databases."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from proto.metrics import Metrics
from proto.storage.tasks_opening import open_tasks
from proto.tasks.errors import NameTaken, NoSuch, NoSuchUser, StoreFailed, VersionConflict
from proto.tasks.query import TaskQuery, UserQuery
from proto.tasks.values import ID_MOST, Task, TaskPatch, User, UserDraft, UserPatch
from tests.storage.tasks_asking import PLACES, Asking, asking, draft, place

HOSTILE = [
    "'; DROP TABLE tasks; --",
    '"; DELETE FROM users; --',
    "%s ? :1 $1 {title} \\'",
    "x' OR '1'='1",
    "\u202e\ufeff\u0001\n",
]


@pytest.fixture(params=PLACES)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return place(request, tmp_path)


def test_a_task_is_made_replaced_changed_and_removed(where: str) -> None:
    with asking(where, itertools.count(1.5).__next__) as ask:
        store = ask.store
        user = ask(store.add_user(UserDraft(name="Ann")))
        assert user == User(id=1, name="Ann", created=1.5, updated=1.5, version=1)
        made = ask(store.add_task(draft("a", description="d", completed=True, user=1)))
        assert made == Task(
            id=1,
            title="a",
            description="d",
            completed=True,
            user=1,
            created=2.5,
            updated=2.5,
            version=1,
        )
        replaced = ask(store.replace_task(1, draft("b"), 1))
        assert replaced == Task(
            id=1,
            title="b",
            description="",
            completed=False,
            user=None,
            created=2.5,
            updated=3.5,
            version=2,
        )
        changed = ask(store.change_task(1, TaskPatch(completed=True), None))
        assert (changed.title, changed.completed, changed.version) == ("b", True, 3)
        assert ask(store.task(1)) == changed
        assert ask(store.remove_task(1, 3)) is None
        assert ask(store.task(1)) is None
        assert ask(store.add_task(draft("c"))).id == 2


def test_a_change_for_another_version_changes_nothing_and_tells_the_one_there_is(
    where: str,
) -> None:
    with asking(where) as ask:
        store = ask.store
        user = ask(store.add_user(UserDraft(name="Ann")))
        task = ask(store.add_task(draft("a")))
        deeds: list[Deferred[Any]] = [
            store.replace_task(1, draft("b"), 2),
            store.change_task(1, TaskPatch(title="b"), 2),
            store.change_task(1, TaskPatch(), 2),
            store.remove_task(1, ID_MOST * 2),
        ]
        for deed in deeds:
            with pytest.raises(VersionConflict) as conflict:
                ask(deed)
            assert conflict.value.current == task
        deeds = [
            store.replace_user(1, UserDraft(name="Eve"), 0),
            store.change_user(1, UserPatch(name="Eve"), 0),
            store.change_user(1, UserPatch(), 0),
            store.remove_user(1, -1),
        ]
        for deed in deeds:
            with pytest.raises(VersionConflict) as conflict:
                ask(deed)
            assert conflict.value.current == user
        assert ask(store.task(1)) == task
        assert ask(store.user(1)) == user


def test_of_changes_that_wait_together_each_sees_those_before_it(where: str) -> None:
    ask = Asking(where, start=False)
    store = ask.store
    asked: list[Deferred[Any]] = [
        store.add_task(draft("a")),
        store.replace_task(1, draft("b"), 1),
        store.replace_task(1, draft("c"), 1),
        store.change_task(1, TaskPatch(), 2),
        store.remove_task(1, 2),
        store.change_task(1, TaskPatch(title="d"), None),
        store.add_task(draft("e", user=1)),
        store.add_user(UserDraft(name="Ann")),
        store.add_task(draft("f", user=1)),
        store.remove_user(1, None),
        store.change_task(2, TaskPatch(title="g"), 2),
    ]
    store.start()
    made, replaced, late, same, gone, missing, nobodys, user, owned, left, last = ask.all(*asked)
    assert (made.version, replaced.version) == (1, 2)
    assert isinstance(late, VersionConflict)
    assert late.current == replaced == same
    assert gone is None
    assert isinstance(missing, NoSuch)
    assert isinstance(nobodys, NoSuchUser)
    assert (user.id, owned.user, left) == (1, 1, None)
    assert (last.title, last.user, last.version) == ("g", None, 3)
    ask(store.close())


def test_an_empty_patch_leaves_the_version(where: str) -> None:
    with asking(where) as ask:
        task = ask(ask.store.add_task(draft("a")))
        user = ask(ask.store.add_user(UserDraft(name="Ann")))
        assert ask(ask.store.change_task(1, TaskPatch(), 1)) == task
        assert ask(ask.store.change_user(1, UserPatch(), 1)) == user


def test_names_are_taken_whatever_their_case(where: str) -> None:
    with asking(where) as ask:
        store = ask.store
        ask(store.add_user(UserDraft(name="\u00c4nne Stra\u00dfe")))
        other = ask(store.add_user(UserDraft(name="Eve")))
        taken = "A\u0308NNE STRASSE"
        for deed in (
            store.add_user(UserDraft(name=taken)),
            store.replace_user(other.id, UserDraft(name=taken), None),
            store.change_user(other.id, UserPatch(name=taken), 1),
        ):
            with pytest.raises(NameTaken) as refusal:
                ask(deed)
            assert refusal.value.name == taken
        same = ask(store.change_user(1, UserPatch(name=taken), 1))
        assert (same.name, same.version) == (taken, 2)
        ask(store.remove_user(1, 2))
        assert ask(store.change_user(other.id, UserPatch(name=taken), 1)).version == 2


def test_the_tasks_of_a_user_who_goes_stay_and_are_nobodys(where: str) -> None:
    with asking(where, itertools.count(1.0).__next__) as ask:
        store = ask.store
        for name in ("Ann", "Eve"):
            ask(store.add_user(UserDraft(name=name)))
        for user in (1, 2, 1):
            ask(store.add_task(draft("a", user=user)))
        ask(store.remove_user(1, None))
        tasks = ask(store.tasks(TaskQuery())).items
        assert [(task.user, task.version) for task in tasks] == [(None, 2), (2, 1), (None, 2)]
        assert [task.updated > task.created for task in tasks] == [True, False, True]
        assert ask(store.tasks(TaskQuery(user=1))).total == 0
        with pytest.raises(NoSuchUser):
            ask(store.change_task(1, TaskPatch(user=1), None))


@pytest.mark.parametrize("id", [0, -1, 7, ID_MOST, ID_MOST + 1, -ID_MOST * 4])
def test_an_id_that_is_none_is_not_there(where: str, id: int) -> None:
    with asking(where) as ask:
        store = ask.store
        assert ask(store.task(id)) is None
        assert ask(store.user(id)) is None
        assert ask(store.tasks(TaskQuery(user=id))).items == ()
        deeds: list[Deferred[Any]] = [
            store.replace_task(id, draft("a"), None),
            store.change_task(id, TaskPatch(), None),
            store.remove_task(id, None),
            store.replace_user(id, UserDraft(name="a"), None),
            store.change_user(id, UserPatch(), None),
            store.remove_user(id, None),
        ]
        for deed in deeds:
            with pytest.raises(NoSuch) as refusal:
                ask(deed)
            assert refusal.value.id == id
        with pytest.raises(NoSuchUser) as missing:
            ask(store.add_task(draft("a", user=id)))
        assert missing.value.id == id


def test_whatever_a_text_says_is_kept_as_it_is(where: str) -> None:
    with asking(where) as ask:
        store = ask.store
        for text in HOSTILE:
            task = ask(store.add_task(draft(text, description=text)))
            user = ask(store.add_user(UserDraft(name=text)))
            assert ask(store.task(task.id)) == task
            assert (task.title, task.description, user.name) == (text, text, text)
            assert [each.title for each in ask(store.tasks(TaskQuery(text=text))).items] == [text]
            assert ask(store.users(UserQuery(text=text))).items == (user,)
        assert ask(store.tasks(TaskQuery())).total == len(HOSTILE)


def test_all_is_there_after_a_restart_and_no_id_comes_again(where: str) -> None:
    with asking(where) as ask:
        user = ask(ask.store.add_user(UserDraft(name="Ann")))
        task = ask(ask.store.add_task(draft("a", user=user.id)))
        gone = ask(ask.store.add_task(draft("b")))
        ask(ask.store.remove_task(gone.id, None))
    with asking(where) as ask:
        assert ask(ask.store.task(task.id)) == task
        assert ask(ask.store.users(UserQuery())).items == (user,)
        assert ask(ask.store.add_task(draft("c"))).id == gone.id + 1


def test_what_was_asked_before_the_end_is_answered_and_nothing_after_it(where: str) -> None:
    ask = Asking(where)
    store = ask.store
    asked = [store.add_task(draft(f"{number}")) for number in range(50)]
    closed, again = store.close(), store.close()
    late = store.add_task(draft("late"))
    answers = ask.all(*asked, closed, again, late)
    assert [task.title for task in answers[:50]] == [str(number) for number in range(50)]
    assert answers[50:52] == [None, None]
    assert isinstance(answers[52], StoreFailed)
    assert ask(store.close()) is None
    with asking(where) as ask:
        assert ask(ask.store.tasks(TaskQuery())).total == 50


def test_a_store_that_never_began_answers_at_its_end(where: str) -> None:
    ask = Asking(where, start=False)
    task = ask.store.add_task(draft("a"))
    assert [type(each) for each in ask.all(task, ask.store.close())] == [Task, type(None)]


def test_what_waits_is_measured(where: str) -> None:
    metrics = Metrics()
    store = open_tasks(where, lambda call: None, metrics=metrics)
    for number in range(3):
        store.add_task(draft(f"{number}"))
    store.task(1)
    told = metrics.render().decode()
    assert 'proto_tasks_waiting{what="change"} 3.0' in told
    assert 'proto_tasks_waiting{what="read"} 1.0' in told
