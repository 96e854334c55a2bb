"""What is below /api, whoever asks for it: routes, methods, refusals, pages, origins, tokens."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import capturedLogs
from twisted.web.resource import Resource

from proto.errors import PeerError
from proto.metrics import Metrics
from proto.tasks.errors import StoreBusy, StoreFailed
from proto.web.request import WebRequest
from proto.webapi.problems import Refused
from tests.web.wire import hang_up
from tests.webapi.sites import TASKS, USERS, ApiSite, Told

APP = "https://app.example"


class Broken:
    """A store of which every answer is a failure."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        return lambda *_: fail(self._error)

    def start(self) -> None:
        """It has nothing to begin."""

    def close(self) -> Deferred[None]:
        return succeed(None)


def broken(error: Exception) -> ApiSite:
    return ApiSite(store=Broken(error))


def counted(metrics: Metrics, operation: str, status: str) -> bool:
    name = f'proto_api_requests_total{{operation="{operation}",status="{status}"}}'
    return any(line.startswith(name) for line in metrics.render().decode().splitlines())


@pytest.mark.parametrize(
    "path",
    [
        "/api/none",
        "/api/v1",
        "/api/v1/",
        f"{TASKS}/",
        f"{TASKS}/x",
        f"{TASKS}/-1",
        f"{TASKS}/1.0",
        f"{TASKS}/{'9' * 19}",
        f"{TASKS}/1/more",
        f"{USERS}/1/tasks/1",
        "/api/v2/tasks",
        "/api//v1/tasks",
        "/api/v1%2ftasks",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_where_nothing_is_nothing_is_found(small: ApiSite, path: str, method: str) -> None:
    told = small.ask(path, method)
    assert (told.status, told.json["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (TASKS, "GET, HEAD, POST, OPTIONS"),
        (f"{TASKS}/1", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
        (f"{USERS}/1/tasks", "GET, HEAD, POST, OPTIONS"),
        ("/api/", "GET, HEAD, OPTIONS"),
        ("/api/openapi.json", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_and_a_wrong_method_tell_what_can_be_done(
    small: ApiSite, path: str, allowed: str
) -> None:
    told = small.ask(path, "OPTIONS")
    assert (told.status, told.body, told.headers["Allow"]) == (204, b"", allowed)
    wrong = "DELETE" if "DELETE" not in allowed else "POST"
    for method in (wrong, "TRACE"):
        told = small.ask(path, method)
        assert (told.status, told.json["code"]) == (405, "method_not_allowed")
        assert told.headers["Allow"] == allowed


def test_head_tells_of_get_without_its_body(small: ApiSite) -> None:
    place = small.made(TASKS, title="a")["links"]["self"]
    for path in (place, TASKS, "/api/", f"{TASKS}/77"):
        get, head = small.ask(path), small.ask(path, "HEAD")
        assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")


def test_who_takes_no_json_gets_none(small: ApiSite) -> None:
    for accept in ("text/html", "application/json;q=0, text/*", "*/*;q=0", "image/png;q=0.5"):
        told = small.ask(TASKS, Accept=accept)
        assert (told.status, told.json["code"]) == (406, "not_acceptable")
        assert told.fields == [("header", "Accept")]
    for accept in ("application/json", "text/html, */*;q=0.1", "application/*", "", "A/B,*/*"):
        assert small.ask(TASKS, Accept=accept).status == 200
    assert small.ask(TASKS, "POST", {"title": "a"}, Accept="text/html").status == 406
    assert small.ask(TASKS).json["total"] == 0


@pytest.mark.parametrize(
    ("error", "status", "code", "again"),
    [(StoreBusy(), 503, "busy", "1"), (StoreFailed("its disk is full"), 503, "unavailable", "5")],
)
def test_a_store_that_cannot_is_told_with_when_to_come_again(
    error: PeerError, status: int, code: str, again: str
) -> None:
    told = broken(error).ask(TASKS)
    assert (told.status, told.json["code"], told.headers["Retry-After"]) == (status, code, again)


def test_a_failure_is_told_without_its_words_and_is_in_the_log() -> None:
    api = broken(RuntimeError("the secret of the house"))
    with capturedLogs() as events:
        told = api.ask(TASKS, "POST", {"title": "a"}, Accept="*/*")
    assert (told.status, told.json["code"]) == (500, "internal_error")
    assert b"secret" not in told.body
    (event,) = [each for each in events if "log_failure" in each]
    assert event["incident"] in told.json["message"]
    assert counted(api.metrics, "add_task", "5xx")


def test_requests_are_counted_by_operation(small: ApiSite) -> None:
    small.ask(TASKS)
    small.ask(f"{TASKS}/7", "HEAD")
    small.ask("/api/none")
    assert counted(small.metrics, "list_tasks", "2xx")
    assert counted(small.metrics, "get_task", "4xx")
    assert counted(small.metrics, "none", "4xx")
    assert not counted(small.metrics, "add_task", "2xx")


def test_a_client_that_leaves_is_not_a_failure() -> None:
    waiting: Deferred[Any] = Deferred()

    class Slow(Broken):
        def tasks(self, query: object) -> Deferred[Any]:
            return waiting

    with capturedLogs() as events:
        asking = ApiSite(store=Slow(RuntimeError())).begin(TASKS)
        hang_up(asking.protocol)
    assert not [each for each in events if "log_failure" in each]
    assert asking.wire.value() == b""


def test_pages_of_others_change_nothing(small: ApiSite) -> None:
    place = small.made(TASKS, title="a")["links"]["self"]
    for headers in ({"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
        for path, method, body in (
            (TASKS, "POST", {"title": "b"}),
            (place, "PATCH", {"title": "b"}),
            (place, "DELETE", None),
        ):
            told = small.ask(path, method, body, **headers)
            assert (told.status, told.json["code"]) == (403, "other_origin")
        assert small.ask(place, **headers).json["title"] == "a"
    told = small.ask(place, "PATCH", {"title": "b"}, Origin="http://localhost")
    assert (told.status, told.headers.get("Vary")) == (200, None)


def test_a_page_that_is_named_sees_every_answer(tmp_path: Any) -> None:
    with ApiSite(str(tmp_path / "s"), origins=(APP,)) as api:
        made = api.ask(TASKS, "POST", {"title": "a"}, Origin=APP)
        wrong = api.ask(f"{TASKS}/77", Origin=APP)
        for told in (made, wrong):
            assert told.headers["Access-Control-Allow-Origin"] == APP
            assert "ETag" in told.headers["Access-Control-Expose-Headers"]
            assert told.headers["Vary"] == "Origin"
            assert "Access-Control-Allow-Credentials" not in told.headers
        asked = {"Origin": APP, "Access_Control_Request_Method": "PUT"}
        told = api.ask(made.headers["Location"], "OPTIONS", **asked)
        assert told.status == 204
        assert "PUT" in told.headers["Access-Control-Allow-Methods"]
        assert told.headers["Access-Control-Allow-Origin"] == APP
        told = api.ask(TASKS, "OPTIONS", **{**asked, "Origin": "https://evil.example"})
        assert told.status == 204
        assert not [name for name in told.headers if name.startswith("Access-Control")]
        assert told.headers["Vary"] == "Origin"


def test_what_others_put_below_api_stays_there(small: ApiSite) -> None:
    class There(Resource):
        isLeaf = True

        def render_GET(self, request: WebRequest) -> bytes:
            return b"there"

    def put(tree: Resource, handlers: Any) -> None:
        api, v1 = Resource(), Resource()
        tree.putChild(b"api", api)
        api.putChild(b"v1", v1)
        v1.putChild(b"chat", There())
        handlers.register("/api/v1/log/door", lambda request: "door")

    api = ApiSite(store=Broken(StoreBusy()), put=put)
    assert api.ask("/api/v1/chat/rooms").body == b"there"
    assert api.ask("/api/v1/log/door").body == b"door"
    assert api.ask(TASKS).status == 503
    assert api.ask("/api/v1/none").json["code"] == "not_found"


def test_with_a_check_only_the_document_and_its_page_are_for_everybody() -> None:
    asked: list[str] = []

    async def check(request: WebRequest) -> NoReturn:
        asked.append(request.verb)
        raise Refused(401, "unauthorized", "No.", (), [("WWW-Authenticate", "Bearer")])

    api = ApiSite(store=Broken(StoreBusy()), check=check)
    for path in ("/api/", "/api/openapi.json", "/api/page.js"):
        assert api.ask(path).status == 200
    assert api.ask(TASKS, "OPTIONS").status == 204
    assert asked == []

    def refused(told: Told) -> bool:
        return (told.status, told.headers["WWW-Authenticate"]) == (401, "Bearer")

    assert refused(api.ask(TASKS))
    assert refused(api.ask(f"{TASKS}/1", "HEAD"))
    assert refused(api.ask(TASKS, "POST", b"no json"))
    assert asked == ["GET", "HEAD", "POST"]


def test_without_a_slash_at_its_end_the_page_is_elsewhere(small: ApiSite) -> None:
    for path in ("/api", "/api/docs"):
        told = small.ask(path)
        assert (told.status, told.headers["Location"]) == (308, "/api/")
    assert json.loads(small.ask("/api/openapi.json").body)["openapi"] == "3.1.0"
