"""No service at all: the least that Python can do on a socket, to see how fast the load can be.

One thread and epoll.  `echo` sends back, `chat` sends to everybody.  What a peer does not take at
once is thrown away, except by echo, which waits.
"""

from __future__ import annotations

import argparse
import select
import socket
from collections.abc import Callable

Receive = Callable[[socket.socket, bytes], None]


class Sink:
    def __init__(self, service: str, port: int) -> None:
        self.peers: dict[int, socket.socket] = {}
        self.listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.greeting = b"Welcome\r\n" if service == "chat" else b""
        self.receive: Receive = {
            "echo": self.send_back,
            "chat": self.send_to_everybody,
        }[service]

    def run(self) -> None:
        epoll = select.epoll()
        epoll.register(self.listener, select.EPOLLIN)
        while True:
            for number, _ in epoll.poll():
                if number == self.listener.fileno():
                    peer, _ = self.listener.accept()
                    peer.setblocking(False)
                    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.peers[peer.fileno()] = peer
                    epoll.register(peer, select.EPOLLIN)
                    peer.send(self.greeting)
                    continue
                peer = self.peers[number]
                try:
                    data = peer.recv(262_144)
                    if data:
                        self.receive(peer, data)
                        continue
                except ConnectionError:
                    pass
                del self.peers[number]
                peer.close()

    def send_to_everybody(self, peer: socket.socket, data: bytes) -> None:
        for other in self.peers.values():
            try:
                other.send(data)
            except (BlockingIOError, ConnectionError):
                continue

    def send_back(self, peer: socket.socket, data: bytes) -> None:
        try:
            sent = peer.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            peer.setblocking(True)
            peer.sendall(data[sent:])
            peer.setblocking(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("service", choices=["echo", "chat"])
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    Sink(options.service, options.port).run()


if __name__ == "__main__":
    main()
