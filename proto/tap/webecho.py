"""`--ws-echo`: a WebSocket in the web's tree that sends back what it hears."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from proto.config import parsed, setting
from proto.errors import StartError
from proto.tap.process import Process
from proto.tap.service import Part
from proto.web.echosocket import MAX_MESSAGE, MAX_QUEUE, EchoListener
from proto.web.handlers import Handlers
from proto.web.handshake import parse_origin
from proto.web.mounts import Mounts, names_of
from proto.web.request import WebRequest
from proto.web.response import HTTPError
from proto.web.websocket import WebSocketResource


def place(text: str) -> str:
    """A path of its own in the tree.  Raises ValueError."""
    if not names_of(text):
        raise ValueError(f"{text!r} is the whole tree")
    return text


def origin_of(text: str) -> str:
    """An origin as it was given.  Raises ValueError for what is none."""
    parse_origin(text.lower())
    return text


@dataclass(frozen=True, kw_only=True)
class EchoSocketSettings:
    """Where the echo stands, and whose pages may talk to it."""

    ws_echo: str | None = setting(
        parsed('a path such as "/ws/echo"', place),
        None,
        "as /ws/echo: a WebSocket there sends back what it hears",
    )
    ws_echo_origin: tuple[str, ...] = setting(
        parsed('an origin such as "https://example.org"', origin_of),
        [],
        "an origin whose pages may use --ws-echo besides our own; may be given more than once",
        many=True,
    )


def check(settings: EchoSocketSettings) -> None:
    """Raises StartError for options that make no sense alone."""
    if settings.ws_echo_origin and settings.ws_echo is None:
        raise StartError("--ws-echo-origin is for --ws-echo; give that too, or leave it out")


def mount(
    settings: EchoSocketSettings, process: Process, mounts: Mounts, handlers: Handlers
) -> Sequence[Part]:
    """Put the echo into the tree, if it is wanted."""
    if settings.ws_echo is not None:
        echo = WebSocketResource(
            process.reactor,
            _accept,
            origins=settings.ws_echo_origin,
            max_message=MAX_MESSAGE,
            max_queue=MAX_QUEUE,
            metrics=process.metrics,
            counted_as="echo_socket",
        )
        mounts.add(settings.ws_echo, echo)
    return ()


def _accept(request: WebRequest) -> EchoListener:
    if any(request.postpath or ()):
        raise HTTPError(404)
    return EchoListener()
