"""The command: `python -m proto.client ENDPOINT [--send TEXT] [--after SECONDS --send TEXT] ...`.

The only module outside of `proto.tap` that meets the reactor, and only inside main().
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from twisted.internet.endpoints import HostnameEndpoint, clientFromString, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import react

from proto.client.conversation import Conversation, ConversationBroken
from proto.client.script import Script, parse

_HOST_AND_PORT: Final = re.compile(r"(?:\[([0-9a-fA-F:.]+(?:%\w+)?)\]|([^:=\[\]]+)):(\d{1,5})")
_ENDPOINT_KINDS: Final = ("tcp", "tls", "ssl", "unix")
CONNECT_TIMEOUT: Final = 30
"""Seconds for HOST:PORT; an endpoint string may say `timeout=`."""


class EndpointInvalid(Exception):
    """The text names no place to connect to."""


def endpoint_of(reactor: Any, text: str) -> IStreamClientEndpoint:
    """The endpoint that `HOST:PORT`, `[IPV6]:PORT` or a client endpoint string means."""
    found = _HOST_AND_PORT.fullmatch(text)
    if re.fullmatch(r"[\w.-]+(:\D*)?", text) and text.partition(":")[0] not in _ENDPOINT_KINDS:
        raise EndpointInvalid(
            f"no port in it; write HOST:PORT, such as {text.partition(':')[0]}:8007"
        )
    try:
        if found and found[2] not in _ENDPOINT_KINDS:
            host, port = found[1] or found[2], int(found[3])
            if not 0 < port <= 65535:
                raise ValueError(f"{port} is not a port")
            return HostnameEndpoint(reactor, host, port, CONNECT_TIMEOUT)
        return cast(IStreamClientEndpoint, clientFromString(reactor, text))
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        raise EndpointInvalid(
            f"no endpoint ({_one_line(problem)}); write HOST:PORT or tcp:HOST:PORT"
        ) from None


async def converse(reactor: Any, script: Script, show: Callable[[bytes], object]) -> int:
    """Connect and follow the script; the exit code, after one line on stderr if it is not 0."""
    try:
        endpoint = endpoint_of(reactor, script.endpoint)
        conversation = Conversation(script, show, reactor)
        await connectProtocol(endpoint, conversation)
        await conversation.over
    except (EndpointInvalid, ConversationBroken, ConnectError, OSError, OverflowError) as problem:
        sys.stderr.write(f"{script.endpoint}: {_one_line(problem)}\n")
        return 1
    return 0


def show_on_stdout(data: bytes) -> None:
    """Write the bytes as they are, at once; waits if whoever reads them is slow."""
    while data:
        data = data[os.write(1, data) :]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the client; exits with 0, with 1 if it went wrong, with 2 if the options are wrong."""
    script = parse(sys.argv[1:] if arguments is None else arguments)

    async def run(reactor: Any) -> None:
        raise SystemExit(await converse(reactor, script, show_on_stdout))

    react(run)


def _one_line(problem: Exception) -> str:
    return " ".join(str(problem).split()) or type(problem).__name__


if __name__ == "__main__":
    main()
