"""greeting: one line, and the connection is over ("Thank you for connecting")."""

from __future__ import annotations

from typing import Final

from proto.echo.service import Peer, ServiceFactory
from proto.metrics import Metrics

DEFAULT_MESSAGE: Final = "Connection made ..."


class Greeting(Peer):
    """Says its line and hangs up."""

    factory: GreetingFactory

    def connectionMade(self) -> None:
        self.send(self.factory.line)
        self.hang_up()


class GreetingFactory(ServiceFactory):
    """The greeting service; the message is sent with CRLF."""

    service = "greeting"
    protocol = Greeting

    def __init__(self, message: str = DEFAULT_MESSAGE, metrics: Metrics | None = None) -> None:
        super().__init__(metrics)
        self.line = f"{message}\r\n".encode()
