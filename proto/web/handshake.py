"""May this request become a WebSocket, and with what?  RFC 6455, section 4.

Knows neither the request object nor the connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, InvalidHeader, InvalidUpgrade
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from proto.web.response import HTTPError

Fields = Sequence[tuple[str, str]]
Origin = tuple[str, str, int]

VERSION: Final = "Sec-WebSocket-Version"
_FIELDS: Final = frozenset(
    {"connection", "upgrade", "sec-websocket-key", VERSION.lower()}
    | {"sec-websocket-extensions", "sec-websocket-protocol"}
)
_PORTS: Final = {"http": 80, "https": 443}

# Nothing is kept between two messages, and the windows are small: an idle connection then has no
# compressor and no inflater, which would be up to 300 KiB for each.
_DEFLATE: Final = ServerPerMessageDeflateFactory(
    server_no_context_takeover=True,
    client_no_context_takeover=True,
    server_max_window_bits=12,
    client_max_window_bits=12,
    compress_settings={"memLevel": 5},
)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was negotiated: the fields of the 101 answer, the extensions, the subprotocol."""

    fields: Fields
    extensions: tuple[Extension, ...]
    subprotocol: str | None


def negotiate(
    version: str, fields: Iterable[tuple[str, str]], subprotocols: Sequence[str] = ()
) -> Agreement:
    """The answer to a GET with that HTTP version and those fields.

    The first of our subprotocols that the peer offers is taken, and none if there is none.

    Raises:
        HTTPError: 426 when it asks for no upgrade or for another version, 400 when it is malformed.
    """
    if version != "HTTP/1.1":
        raise _other_protocol()
    side = ServerProtocol(
        extensions=[_DEFLATE],
        select_subprotocol=lambda _, offered: _first(subprotocols, offered),
    )
    ours = [(name, value) for name, value in fields if name.lower() in _FIELDS]
    try:
        request = Request("/", Headers(ours))
        accept, extensions, subprotocol = side.process_request(request)
    except InvalidUpgrade as refusal:
        raise _other_protocol() from refusal
    except InvalidHandshake as refusal:
        # Another version gets to know ours (4.2.2); a request without one is malformed.
        if isinstance(refusal, InvalidHeader) and refusal.name == VERSION and refusal.value:
            raise _other_protocol() from refusal
        raise HTTPError(400, f"No WebSocket handshake: {refusal}.") from refusal
    answer = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)]
    if extensions is not None:
        answer.append(("Sec-WebSocket-Extensions", extensions))
    if subprotocol is not None:
        answer.append(("Sec-WebSocket-Protocol", subprotocol))
    return Agreement(tuple(answer), tuple(side.extensions), subprotocol)


def parse_origin(text: str) -> Origin:
    """Scheme, host and port of an origin (RFC 6454, section 6.2); the port may be left out.

    Raises:
        ValueError: it is none, as `null` and whatever has a path or a user.
    """
    parts = urlsplit(text)
    port = _PORTS.get(parts.scheme) if parts.port is None else parts.port
    if not parts.hostname or port is None or text != f"{parts.scheme}://{parts.netloc}":
        raise ValueError(f"{text!r} is no origin, as http://example.com is")
    if "@" in parts.netloc:
        raise ValueError(f"{text!r} names a user, an origin does not")
    return parts.scheme, parts.hostname, port


def check_origin(
    told: Sequence[str], host: str, is_secure: bool, allowed: frozenset[Origin]
) -> None:
    """Let a page of this server in, or of an allowed origin, or a peer that is no browser.

    `told` are the Origin fields of the request, `host` is its Host field.

    Raises:
        HTTPError: 403 for every other page (RFC 6455, section 10.2).
    """
    if not told:
        return
    try:
        (text,) = told
        origin = parse_origin(text.lower())
        if origin in allowed or origin == parse_origin(_own(host, is_secure)):
            return
    except ValueError as error:
        raise _other_origin() from error
    raise _other_origin()


def _own(host: str, is_secure: bool) -> str:
    return f"{'https' if is_secure else 'http'}://{host.lower()}"


def _first(ours: Sequence[str], offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return next((Subprotocol(name) for name in ours if name in offered), None)


def _other_protocol() -> HTTPError:
    return HTTPError(
        426,
        "Here is a WebSocket, version 13.",
        [("Upgrade", "websocket"), ("Connection", "Upgrade"), (VERSION, "13")],
    )


def _other_origin() -> HTTPError:
    return HTTPError(403, "Pages of another origin may not connect here.")
