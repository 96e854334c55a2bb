"""A web service with the API in it, in memory, over a real store; and who asks it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Final, Self

import pytest
from twisted.internet.testing import StringTransport

from proto.metrics import Metrics
from proto.storage.tasks_opening import open_tasks
from proto.tasks.store import Store
from proto.web.handlers import Handlers
from proto.web.mounts import Mounts
from proto.web.site import ProtoSite
from proto.web.tree import Tree, build_tree
from proto.webapi.answers import answers_from
from proto.webapi.openapi import document
from proto.webapi.operations import OPERATIONS
from proto.webapi.origins import Origins
from proto.webapi.page import Pages
from proto.webapi.resource import ANY_LENGTH, PATH, ApiResource, Check
from tests.support import connect
from tests.web.wire import Answer, clock_now, hang_up, request_bytes, split_answer

DEADLINE: Final = 20.0
TASKS: Final = "/api/v1/tasks"
USERS: Final = "/api/v1/users"
DOCUMENT: Final = document(
    OPERATIONS, title="proto", version="0", tags={"tasks": "Tasks.", "users": "Users."}
)


@dataclass
class Told:
    """An answer of the API, its JSON decoded."""

    status: int
    headers: dict[str, str]
    body: bytes
    json: Any = field(default=None)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Where a refusal says that something is wrong."""
        return [(each["in"], each["field"]) for each in self.json["details"]]


class ApiSite:
    """The service; what comes from its store's threads is taken while somebody waits."""

    def __init__(
        self,
        where: str = "",
        *,
        store: Store | None = None,
        origins: tuple[str, ...] = (),
        check: Check | None = None,
        put: Callable[[Tree, Handlers], None] = lambda tree, handlers: None,
    ) -> None:
        """`put` puts something else into the tree."""
        self._calls: SimpleQueue[tuple[Callable[..., object], tuple[Any, ...]]] = SimpleQueue()
        self.store = store or open_tasks(where, lambda call, *args: self._calls.put((call, args)))
        self.clock = clock_now()
        self.metrics = Metrics()
        self.api = ApiResource(
            OPERATIONS,
            answers_from(self.store),
            Pages(DOCUMENT),
            Origins(origins),
            self.metrics,
            check=check,
        )
        handlers, mounts = Handlers(), Mounts()
        mounts.add(PATH, self.api, max_body=ANY_LENGTH)
        tree = build_tree(None, self.clock, handlers=handlers, mounts=mounts)
        put(tree, handlers)
        self.api.adopt(tree, handlers)
        self.site = ProtoSite(tree, self.clock, streams=tree.streams)

    def __enter__(self) -> Self:
        self.store.start()
        return self

    def __exit__(self, *_: object) -> None:
        closed = self.store.close()
        self.until(lambda: closed.called)

    def until(self, is_so: Callable[[], object]) -> None:
        """Take what the store's threads bring, until it is so."""
        end = time.monotonic() + DEADLINE
        while not is_so():
            if time.monotonic() > end:
                pytest.fail("what was waited for did not happen")
            with suppress(Empty):  # it may be so without a call, too
                call, args = self._calls.get(timeout=0.05)
                call(*args)

    def ask(self, path: str, method: str = "GET", body: object = None, **headers: str) -> Told:
        """One request; a body that is no bytes is sent as JSON."""
        return self.begin(path, method, body, **headers).told()

    def begin(self, path: str, method: str = "GET", body: object = None, **headers: str) -> Asking:
        """The same, with its answer still to come."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        raw = b""
        if body is not None:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            named.setdefault("Content-Type", "application/json")
            if not raw:
                named["Content-Length"] = "0"
        return Asking(self, method, request_bytes(path, method, named, raw))

    def made(self, path: str, **fields: object) -> Any:
        """The JSON of something new."""
        told = self.ask(path, "POST", fields)
        assert told.status == 201, told
        return told.json


class Asking:
    """A request on its way."""

    def __init__(self, site: ApiSite, method: str, raw: bytes) -> None:
        self._site = site
        self._method = method
        self.protocol, self._wire = connect(site.site)
        self.protocol.dataReceived(raw)

    @property
    def wire(self) -> StringTransport:
        """What the site writes to."""
        return self._wire

    def told(self) -> Told:
        """The answer, when it is there."""
        self._site.until(lambda: self._is_whole(self._wire.value()))
        answer, rest = split_answer(self._wire.value(), self._method)
        assert rest == b""
        hang_up(self.protocol)
        return read(answer, self._method)

    def _is_whole(self, raw: bytes) -> bool:
        if b"\r\n\r\n" not in raw:
            return False
        with suppress(AssertionError):
            split_answer(raw, self._method)
            return True
        return False


def read(answer: Answer, method: str) -> Told:
    """The answer with its JSON; a refusal has the one shape that all of them have."""
    told = Told(answer.status, answer.headers, answer.body)
    kind = answer.headers.get("Content-Type", "")
    if answer.body and kind.endswith("json"):
        told.json = json.loads(answer.body)
    if answer.status >= 400:
        assert kind == "application/problem+json", answer
        if method != "HEAD":
            names = ["type", "title", "status", "code", "message", "details"]
            assert list(told.json) == names
            assert told.json["status"] == answer.status
    return told
