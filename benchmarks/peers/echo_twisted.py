"""The echo server of Twisted's tutorial."""

from __future__ import annotations

import argparse

from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol


class Echo(Protocol):
    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    endpoint = serverFromString(reactor, f"tcp:{options.port}:interface=127.0.0.1")
    endpoint.listen(Factory.forProtocol(Echo))
    reactor.run()


if __name__ == "__main__":
    main()
