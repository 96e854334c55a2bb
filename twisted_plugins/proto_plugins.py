"""What twistd can run: `twistd -n echo`, `chat`, `logfile`, `web` and `proto`.

Only names stand here, so that listing them is quick; nothing here imports a reactor.
"""

from twisted.application.reactors import Reactor
from twisted.application.service import ServiceMaker

from twisted.plugins import twisted_web as builtin

# Twisted has a `web` of its own, and of two plugins with one name the first found would win.
builtin.TwistedWeb.tapname = "twisted-web"

echo = ServiceMaker(
    "proto echo", "proto.tap.echo", "Echo, quote, greeting, reverse and the RFC services.", "echo"
)
chat = ServiceMaker("proto chat", "proto.tap.chat", "A line chat for telnet and netcat.", "chat")
logfile = ServiceMaker(
    "proto logfile", "proto.tap.logfile", "A log receiver: lines in, one file out.", "logfile"
)
web = ServiceMaker(
    "proto web", "proto.tap.web", "A web server for files and Python handlers.", "web"
)
suite = ServiceMaker(
    "proto suite", "proto.tap.suite", "All of these on one reactor, from proto.toml.", "proto"
)
lean = Reactor("lean", "proto.reactor", "The epoll reactor with fewer layers; see docs/reactor.md.")
