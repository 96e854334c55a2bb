"""The resources at which programs call functions: one for JSON-RPC, one for XML-RPC.

A page of another origin cannot call: its content type would need a preflight, and its origin is
refused.  What is called is in `calling`; the protocols are `jsonrpc` and `xmlrpc`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from io import SEEK_END
from typing import Any, Final

from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.web.resource import Resource

from proto.metrics import Metrics
from proto.web.handlers import HandlerResource
from proto.web.handshake import check_origin, parse_origin
from proto.web.request import WebRequest
from proto.web.response import JSON, HTTPError, Response, allowed_methods, refusal_of
from proto.web.rpc import jsonrpc, xmlrpc
from proto.web.rpc.calling import Caller, together
from proto.web.rpc.faults import INTERNAL_ERROR, RPCError

MAX_BODY: Final = 256 * 1024
"""Bytes of a request."""
AT_ONCE: Final = 64
"""Requests that are answered at the same time; more get 503."""
OF_A_BATCH: Final = 8
"""Calls of one batch that run at the same time."""
XML: Final = "text/xml; charset=utf-8"
_METHODS: Final = ("POST", "OPTIONS")
_UNENCODABLE: Final = (TypeError, ValueError, RecursionError)


@dataclass(slots=True)
class Room:
    """How many requests are answered now, at all doors together."""

    most: int = AT_ONCE
    taken: int = 0

    def count(self, metrics: Metrics) -> Room:
        """Tell Prometheus."""
        metrics.gauge("rpc_requests_running", "Calls being answered now", lambda: self.taken)
        return self


class RpcDoor(Resource):
    """A leaf of the tree that answers POST."""

    isLeaf = True
    log = Logger()
    types: tuple[str, ...]
    """What a request may be."""

    def __init__(self, caller: Caller, room: Room, origins: Sequence[str] = ()) -> None:
        """`origins` are those whose pages may call besides our own: `https://example.com`.

        Raises:
            ValueError: one of them is none.
        """
        super().__init__()
        self._caller = caller
        self._room = room
        self._origins = frozenset(parse_origin(origin.lower()) for origin in origins)

    async def reply(self, body: bytes, request: WebRequest) -> Response:
        """The answer to a body, whatever it holds."""
        raise NotImplementedError

    # Twisted calls this.
    def render(self, request: WebRequest) -> int:
        return HandlerResource(self._answer, {}).render(request)

    async def _answer(self, request: WebRequest) -> Response:
        if any(request.postpath or ()):
            raise HTTPError(404)
        told = [
            each.decode("latin-1") for each in request.requestHeaders.getRawHeaders(b"Origin", [])
        ]
        check_origin(told, request.header("Host"), request.isSecure(), self._origins)
        if request.verb == "OPTIONS":
            return _shared(allowed_methods(_METHODS), told)
        if request.verb != "POST":
            raise refusal_of(request.verb, _METHODS)
        self._check_type(request)
        body = _body_of(request)
        if self._room.taken >= self._room.most:
            raise HTTPError(503, "Too many calls are being answered.", [("Retry-After", "1")])
        self._room.taken += 1
        try:
            return _shared(await self.reply(body, request), told)
        finally:
            self._room.taken -= 1

    def _check_type(self, request: WebRequest) -> None:
        kind = request.header("Content-Type").partition(";")[0].strip().lower()
        coding = request.header("Content-Encoding").strip().lower()
        if kind not in self.types or coding not in ("", "identity"):
            taken = ", ".join(self.types)
            raise HTTPError(415, f"What can be sent here is {taken}.", [("Accept-Post", taken)])

    async def _called(self, request: WebRequest, call: jsonrpc.Call) -> Any:
        """What the call gives.  Raises RPCError, and CancelledError when the peer has left."""
        try:
            return await self._caller.call(call.method, call.positional, call.named)
        except CancelledError as cancelled:
            if request.is_over:
                raise
            raise self._caller.mistake(call.method) from cancelled


class JsonRpc(RpcDoor):
    """Speaks JSON-RPC 2.0."""

    types = (JSON, "application/json-rpc", "application/jsonrequest")

    async def reply(self, body: bytes, request: WebRequest) -> Response:
        wanted = jsonrpc.read(body)
        jobs = [partial(self._one, request, each) for each in wanted.asked]
        answers = [await jobs[0]()] if len(jobs) == 1 else await together(jobs, OF_A_BATCH)
        told = jsonrpc.answer(wanted, answers)
        return Response(200, told, JSON, _FRESH) if told else Response(204)

    async def _one(self, request: WebRequest, asked: jsonrpc.Call | jsonrpc.Broken) -> bytes | None:
        if isinstance(asked, jsonrpc.Broken):
            return jsonrpc.failure(asked.id, asked.error)
        try:
            value = await self._called(request, asked)
        except RPCError as error:
            return self._failed(asked, error)
        if asked.is_notification:
            return None
        try:
            return jsonrpc.result(asked, value)
        except _UNENCODABLE:
            return self._failed(asked, self._caller.mistake(asked.method))

    def _failed(self, call: jsonrpc.Call, error: RPCError) -> bytes | None:
        if call.is_notification:
            self.log.warn(
                "a notification of {method} failed: {code} {error}",
                method=ascii(call.method[:100]),
                code=error.code,
                error=ascii(error.message),
            )
            return None
        try:
            return jsonrpc.failure(call.id, error)
        except _UNENCODABLE:
            return jsonrpc.failure(call.id, self._caller.mistake(call.method))


class XmlRpc(RpcDoor):
    """Speaks XML-RPC."""

    types = ("text/xml", "application/xml")

    async def reply(self, body: bytes, request: WebRequest) -> Response:
        name = ""
        try:
            name, params = xmlrpc.read(body)
            told = xmlrpc.result(await self._called(request, jsonrpc.Call(name, params)))
        except RPCError as error:
            told = xmlrpc.failure(error)
        except _UNENCODABLE as error:
            told = xmlrpc.failure(self._unsayable(name, error))
        return Response(200, told, XML, _FRESH)

    def _unsayable(self, name: str, error: Exception) -> RPCError:
        told = self._caller.mistake(name)
        return RPCError(INTERNAL_ERROR, told.message, str(error))


_FRESH: Final = (("Cache-Control", "no-store"),)


def _body_of(request: WebRequest) -> bytes:
    content = request.content
    if content.seek(0, SEEK_END) > MAX_BODY:
        raise HTTPError(413, f"A call may have {MAX_BODY} bytes.")
    content.seek(0)
    body: bytes = content.read()
    return body


def _shared(response: Response, origins: Sequence[str]) -> Response:
    """The answer with what a browser wants to see for a page that may call."""
    if not origins:
        return response
    headers = (
        *response.headers,
        ("Access-Control-Allow-Origin", origins[0]),
        ("Access-Control-Allow-Headers", "Content-Type"),
        ("Access-Control-Allow-Methods", "POST"),
        ("Vary", "Origin"),
    )
    return Response(response.status, response.body, response.content_type, headers)
