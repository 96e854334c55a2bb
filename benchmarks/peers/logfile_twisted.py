"""The log receiver of Twisted's tutorial: the factory owns the file, every line is one write.

The writes go to a buffered file: the last lines are on disk when the server stops, not before.
"""

from __future__ import annotations

import argparse
from typing import BinaryIO

from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver


class Logfile(LineReceiver):
    delimiter = b"\n"  # what log senders end a line with
    factory: LogfileFactory

    def lineReceived(self, line: bytes) -> None:
        self.factory.file.write(line + b"\n")


class LogfileFactory(Factory[Logfile]):
    protocol = Logfile
    file: BinaryIO

    def __init__(self, path: str) -> None:
        self.path = path

    def startFactory(self) -> None:
        self.file = open(self.path, "ab")  # noqa: SIM115  # open until stopFactory

    def stopFactory(self) -> None:
        self.file.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--file", required=True)
    options = parser.parse_args()
    endpoint = serverFromString(reactor, f"tcp:{options.port}:interface=127.0.0.1")
    endpoint.listen(LogfileFactory(options.file))
    reactor.run()


if __name__ == "__main__":
    main()
