"""A reverse proxy as twisted.web has it: ReverseProxyResource, which connects for each request."""

from __future__ import annotations

import argparse

from twisted.internet import reactor
from twisted.web.proxy import ReverseProxyResource
from twisted.web.server import Site


def main() -> None:
    """Pass everything on to the upstream until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", type=int, required=True, help="its port on 127.0.0.1")
    options = parser.parse_args()
    site = Site(ReverseProxyResource("127.0.0.1", options.upstream, b""))
    reactor.listenTCP(options.port, site, interface="127.0.0.1")  # type: ignore[arg-type]
    print("ready", flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
