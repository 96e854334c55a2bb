"""The chat server of Twisted's tutorial: a LineReceiver, and a loop over the clients."""

from __future__ import annotations

import argparse

from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure


class Chat(LineReceiver):
    def __init__(self, clients: list[Chat], name: str) -> None:
        self.clients = clients
        self.name = name

    def connectionMade(self) -> None:
        self.sendLine(b"Welcome to the party!")
        self.clients.append(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.clients.remove(self)

    def lineReceived(self, line: bytes) -> None:
        message = f"{self.name} says {line.decode()}".encode()
        for client in self.clients:
            client.sendLine(message)


class ChatFactory(Factory[Chat]):
    def __init__(self) -> None:
        self.clients: list[Chat] = []

    def buildProtocol(self, addr: IAddress | None) -> Chat:
        return Chat(self.clients, "127.0.0.1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    endpoint = serverFromString(reactor, f"tcp:{options.port}:interface=127.0.0.1")
    endpoint.listen(ChatFactory())
    reactor.run()


if __name__ == "__main__":
    main()
