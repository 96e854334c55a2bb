"""The chat server of Twisted's tutorial: a LineReceiver, and a loop over the clients.

With `--nodelay` the kernel sends at once: the tutorial leaves Nagle's algorithm on.
"""

from __future__ import annotations

import argparse
from typing import cast

from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IAddress, ITCPTransport
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure


class Chat(LineReceiver):
    def __init__(self, clients: list[Chat], name: str, *, nodelay: bool) -> None:
        self.clients = clients
        self.name = name
        self.nodelay = nodelay

    def connectionMade(self) -> None:
        if self.nodelay:
            cast(ITCPTransport, self.transport).setTcpNoDelay(True)
        self.sendLine(b"Welcome to the party!")
        self.clients.append(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.clients.remove(self)

    def lineReceived(self, line: bytes) -> None:
        message = f"{self.name} says {line.decode()}".encode()
        for client in self.clients:
            client.sendLine(message)


class ChatFactory(Factory[Chat]):
    def __init__(self, *, nodelay: bool) -> None:
        self.clients: list[Chat] = []
        self.nodelay = nodelay

    def buildProtocol(self, addr: IAddress | None) -> Chat:
        return Chat(self.clients, "127.0.0.1", nodelay=self.nodelay)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--nodelay", action="store_true")
    options = parser.parse_args()
    endpoint = serverFromString(reactor, f"tcp:{options.port}:interface=127.0.0.1")
    endpoint.listen(ChatFactory(nodelay=options.nodelay))
    reactor.run()


if __name__ == "__main__":
    main()
