"""What the operations do, over the wire, on every database."""

from __future__ import annotations

from typing import Any

import pytest

from proto.webapi.answers import answers_from
from proto.webapi.operations import OPERATIONS
from tests.storage.postgres import Server
from tests.webapi.sites import TASKS, USERS, ApiSite


def titles(told: Any) -> list[str]:
    return [each["title"] for each in told.json["items"]]


def test_every_operation_that_is_declared_is_answered(small: ApiSite) -> None:
    assert set(answers_from(small.store)) == {each.name for each in OPERATIONS}


def test_a_task_is_made_read_replaced_changed_and_removed(api: ApiSite) -> None:
    made = api.ask(TASKS, "POST", {"title": "Buy milk"})
    assert made.status == 201
    place = made.headers["Location"]
    assert place == made.json["links"]["self"] == f"{TASKS}/{made.json['id']}"
    assert (made.headers["ETag"], made.json["version"]) == ('"1"', 1)
    assert (made.json["completed"], made.json["user"], made.json["description"]) == (
        False,
        None,
        "",
    )
    assert made.json["created"] == made.json["updated"]
    assert made.json["created"].endswith("Z")

    read = api.ask(place)
    assert (read.status, read.json) == (200, made.json)
    assert read.headers["ETag"] == '"1"'

    whole = {"title": "Buy oats", "completed": True}
    replaced = api.ask(place, "PUT", whole, If_Match='"1"')
    assert (replaced.status, replaced.headers["ETag"]) == (200, '"2"')
    assert (replaced.json["title"], replaced.json["completed"]) == ("Buy oats", True)

    changed = api.ask(place, "PATCH", {"completed": False})
    assert (changed.status, changed.headers["ETag"]) == (200, '"3"')
    assert (changed.json["title"], changed.json["completed"]) == ("Buy oats", False)
    assert api.ask(place).json == changed.json

    removed = api.ask(place, "DELETE")
    assert (removed.status, removed.body) == (204, b"")
    for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
        gone = api.ask(place, method, body)
        assert (gone.status, gone.json["code"]) == (404, "no_such_task")
    gone = api.ask(place, "PUT", whole, If_Match="*")
    assert (gone.status, gone.json["code"], gone.fields) == (404, "no_such_task", [("path", "id")])


def test_a_merge_patch_may_be_called_one(api: ApiSite) -> None:
    place = api.ask(TASKS, "POST", {"title": "a", "user": None}).headers["Location"]
    kind = "application/merge-patch+json"
    told = api.ask(place, "PATCH", b'{"user": null, "title": "b"}', Content_Type=kind)
    assert (told.status, told.json["title"]) == (200, "b")


def test_a_user_is_made_read_replaced_changed_and_removed(api: ApiSite) -> None:
    made = api.ask(USERS, "POST", {"name": "Ann"})
    place = made.headers["Location"]
    assert (made.status, made.headers["ETag"], made.json["name"]) == (201, '"1"', "Ann")
    assert made.json["links"] == {"self": place, "tasks": f"{place}/tasks"}
    assert api.ask(place).json == made.json
    assert api.ask(place, "PUT", {"name": "Anna"}, If_Match='"1"').json["name"] == "Anna"
    assert api.ask(place, "PATCH", {"name": "Anne"}, If_Match='"2"').headers["ETag"] == '"3"'
    assert [each["name"] for each in api.ask(USERS).json["items"]] == ["Anne"]
    assert api.ask(place, "DELETE", If_Match='"3"').status == 204
    for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
        assert api.ask(place, method, body).json["code"] == "no_such_user"
    assert api.ask(place, "PUT", {"name": "x"}, If_Match='"3"').status == 404


def test_a_name_is_had_once_in_whatever_case(api: ApiSite) -> None:
    api.made(USERS, name="Ann")
    told = api.ask(USERS, "POST", {"name": "ANN"})
    assert (told.status, told.json["code"], told.fields) == (409, "name_taken", [("body", "name")])


def test_a_users_tasks_are_below_the_user(api: ApiSite) -> None:
    ann = api.made(USERS, name="Ann")
    path = ann["links"]["tasks"]
    made = api.ask(path, "POST", {"title": "Read", "completed": True})
    assert (made.status, made.json["user"]) == (201, ann["id"])
    assert made.json["links"]["user"] == ann["links"]["self"]
    assert made.headers["Location"] == made.json["links"]["self"]
    api.made(TASKS, title="Somebody else's")
    told = api.ask(path)
    assert (titles(told), told.json["total"]) == (["Read"], 1)
    assert titles(api.ask(f"{path}?completed=false")) == []
    assert api.ask(ann["links"]["self"], "DELETE").status == 204
    assert api.ask(made.headers["Location"]).json["user"] is None
    assert api.ask(path).json["code"] == "no_such_user"
    told = api.ask(path, "POST", {"title": "too late"})
    assert (told.status, told.json["code"], told.fields) == (404, "no_such_user", [("path", "id")])


def test_a_task_for_nobody_is_refused(api: ApiSite) -> None:
    told = api.ask(TASKS, "POST", {"title": "a", "user": 77})
    assert (told.status, told.json["code"]) == (409, "no_such_user")
    assert told.fields == [("body", "user")]
    assert api.ask(TASKS).json["total"] == 0


def test_a_list_is_filtered_and_sorted(api: ApiSite) -> None:
    for title, completed in (("Milk", False), ("oat Milk", True), ("bread", False)):
        api.made(TASKS, title=title, completed=completed)
    assert titles(api.ask(TASKS)) == ["Milk", "oat Milk", "bread"]
    assert titles(api.ask(f"{TASKS}?completed=true")) == ["oat Milk"]
    assert titles(api.ask(f"{TASKS}?completed=false&sort=-title")) == ["Milk", "bread"]
    assert titles(api.ask(f"{TASKS}?q=MILK&sort=-created")) == ["oat Milk", "Milk"]
    assert titles(api.ask(f"{TASKS}?sort=completed,-title")) == ["Milk", "bread", "oat Milk"]
    assert titles(api.ask(f"{TASKS}?sort=title,-title,id")) == ["bread", "Milk", "oat Milk"]


def test_pages_go_on_from_their_last_item_while_others_come_and_go(api: ApiSite) -> None:
    ids = [api.made(TASKS, title=f"task {number}")["id"] for number in range(7)]
    first = api.ask(f"{TASKS}?limit=3&sort=-id")
    assert (first.json["total"], first.json["page"], first.json["per_page"]) == (7, 1, 3)
    assert first.json["links"]["prev"] is None
    api.made(TASKS, title="new")  # comes before all of them
    api.ask(f"{TASKS}/{ids[5]}", "DELETE")  # was on the first page
    seen = [each["id"] for each in first.json["items"]]
    link = first.json["links"]["next"]
    while link is not None:
        page = api.ask(link)
        assert page.json["page"] is None
        assert page.json["links"]["self"] == link
        seen += [each["id"] for each in page.json["items"]]
        link = page.json["links"]["next"]
    assert seen == ids[::-1]
    before = api.ask(page.json["links"]["prev"])
    assert [each["id"] for each in before.json["items"]] == ids[1:4][::-1]


def test_who_asks_for_pages_by_number_gets_numbers(api: ApiSite) -> None:
    for number in range(5):
        api.made(USERS, name=f"user {number}")
    told = api.ask(f"{USERS}?page=2&limit=2&q=user")
    names = [each["name"] for each in told.json["items"]]
    assert (names, told.json["page"]) == (["user 2", "user 3"], 2)
    links = told.json["links"]
    assert links["self"] == f"{USERS}?page=2&limit=2&q=user"
    assert links["next"] == links["last"] == f"{USERS}?q=user&limit=2&page=3"
    assert links["prev"] == f"{USERS}?q=user&limit=2&page=1"
    assert api.ask(links["next"]).json["links"]["next"] is None
    beyond = api.ask(f"{USERS}?page=9&limit=2")
    assert (beyond.json["items"], beyond.json["links"]["prev"]) == ([], f"{USERS}?limit=2&page=3")


def test_a_cursor_that_is_none_or_of_another_order_finds_no_page(api: ApiSite) -> None:
    for title in "abc":
        api.made(TASKS, title=title)
    cursor = api.ask(f"{TASKS}?limit=1&sort=title").json["links"]["next"]
    for link in (f"{TASKS}?cursor=AAAA", cursor.replace("sort=title", "sort=id")):
        told = api.ask(link)
        assert (told.status, told.json["code"]) == (404, "no_such_page")
        assert told.fields == [("query", "cursor")]


def test_of_two_writers_one_is_told_and_nothing_is_lost(api: ApiSite) -> None:
    place = api.made(TASKS, title="shared")["links"]["self"]
    ann, bob = api.ask(place), api.ask(place)
    first = api.begin(place, "PUT", {"title": "of Ann"}, If_Match=ann.headers["ETag"])
    second = api.begin(place, "PUT", {"title": "of Bob"}, If_Match=bob.headers["ETag"])
    told = [first.told(), second.told()]
    assert sorted(each.status for each in told) == [200, 412]
    winner = next(each for each in told if each.status == 200)
    loser = next(each for each in told if each.status == 412)
    assert loser.json["code"] == "version_conflict"
    assert loser.fields == [("header", "If-Match")]
    assert loser.headers["ETag"] == winner.headers["ETag"] == '"2"'
    assert api.ask(place).json == winner.json
    again = api.ask(place, "PATCH", {"description": "Bob again"}, If_Match=loser.headers["ETag"])
    assert (again.status, again.json["title"]) == (200, winner.json["title"])


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_version_that_is_not_there_changes_nothing(api: ApiSite, method: str) -> None:
    place = api.made(TASKS, title="a")["links"]["self"]
    body = {"title": "b"} if method == "PATCH" else None
    for tag in ('"2"', 'W/"1"', '"one"', "1", "", '"7", "8"'):
        told = api.ask(place, method, body, If_Match=tag)
        assert (told.status, told.headers["ETag"]) == (412, '"1"'), tag
    assert api.ask(place).json["title"] == "a"
    assert api.ask(place, method, body, If_Match='"9", "1"').status in (200, 204)


def test_a_replacement_has_to_tell_what_it_replaces(api: ApiSite) -> None:
    place = api.made(TASKS, title="a")["links"]["self"]
    told = api.ask(place, "PUT", {"title": "b"})
    assert (told.status, told.json["code"]) == (428, "match_required")
    assert told.fields == [("header", "If-Match")]
    assert api.ask(place, "PUT", {"title": "b"}, If_Match="*").json["title"] == "b"


def test_who_has_the_newest_version_is_not_sent_it_again(api: ApiSite) -> None:
    place = api.made(TASKS, title="a")["links"]["self"]
    for path in (place, TASKS, f"{TASKS}?limit=5"):
        tag = api.ask(path).headers["ETag"]
        told = api.ask(path, If_None_Match=f'"other", W/{tag}')
        assert (told.status, told.body, told.headers["ETag"]) == (304, b"", tag)
        assert "Content-Type" not in told.headers
        api.ask(place, "PATCH", {"description": f"{path} was asked"})
        told = api.ask(path, If_None_Match=tag)
        assert told.status == 200
        assert told.headers["ETag"] != tag
    assert api.ask(place, If_None_Match="no tag").status == 200


def test_nothing_that_is_sent_becomes_part_of_a_statement(api: ApiSite) -> None:
    title = "Robert'); DROP TABLE tasks;-- %_\\"
    assert api.made(TASKS, title=title)["title"] == title
    assert titles(api.ask(f"{TASKS}?q=%27)%3B%20DROP")) == [title]
    assert titles(api.ask(f"{TASKS}?q=%25_%5C")) == [title]
    assert titles(api.ask(f"{TASKS}?q=%25x")) == []


def test_a_database_that_is_away_is_told_and_found_again(server: Server) -> None:
    with ApiSite(server.new()) as api:
        made = api.made(TASKS, title="kept")
        server.crash()
        try:
            for method, body in (("GET", None), ("POST", {"title": "lost"})):
                told = api.ask(TASKS, method, body)
                assert (told.status, told.json["code"]) == (503, "unavailable")
                assert told.headers["Retry-After"] == "5"
        finally:
            server.start()
        # Each lane of the store finds out for itself that its database is there again.
        api.until(lambda: api.ask(TASKS).status == 200)
        api.until(lambda: api.ask(TASKS, "POST", {"title": "new"}).status == 201)
        assert titles(api.ask(TASKS))[0] == made["title"]
        assert "lost" not in titles(api.ask(TASKS))
