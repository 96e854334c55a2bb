"""The lean reactor: Twisted's epoll reactor with fewer layers between a socket and a protocol.

`twistd --reactor=lean`, `twist --reactor=lean` and `trial --reactor=lean` install it.  A protocol
sees the same Twisted as ever; docs/reactor.md tells what is different.
"""

from __future__ import annotations


def install() -> None:
    """Make this the process's reactor.  Raises ReactorAlreadyInstalledError if there is one."""
    from proto.reactor import loop  # here, for it needs Linux, and the interfaces do not

    loop.install()
