"""What the sender is told to do: its command line, turned into plain values.  Knows no sockets."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

EPILOG: Final = """
The exit code is 0 only when the server has acknowledged every line; 1 comes with one line that
says why not; 130 follows Ctrl-C, which tells how many lines are acknowledged.

Delivery is at least once: what was not acknowledged when a connection broke is sent again, and a
line whose acknowledgement was lost is then stored twice.

examples:
  python -m proto.logfile.send access.log --to localhost:2514 --relp
  journalctl -f | python -m proto.logfile.send - --to logs.example:8080 --http --give-up 60
  python -m proto.logfile.send app.log --to '[::1]:6514' --relp --ca ca.pem --cert both.pem
"""

_PLACE: Final = re.compile(r"(?:\[([0-9a-fA-F:.]+(?:%\w+)?)\]|([^:\[\]/]+)):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Errand:
    """All that was asked for."""

    source: str
    """A file, or `-` for standard input."""
    to: Place
    way: str
    """`relp` or `http`."""
    tls: bool = False
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    give_up: float = 0.0
    """Seconds without an acknowledgement; 0 for never."""


def parse(arguments: Sequence[str]) -> Errand:
    """The errand those arguments ask for; a wrong one exits with code 2, as argparse does."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.key and not given.cert:
        parser.error("--key needs --cert: the certificate it belongs to")
    tls = bool(given.tls or given.ca or given.cert)
    return Errand(
        given.source, given.to, given.way, tls, given.ca, given.cert, given.key, given.give_up
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m proto.logfile.send",
        description="Send the lines of a file or of standard input to a log receiver, and end when "
        "all of them are on its disk.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("source", metavar="FILE", help="the file to send; - for standard input")
    parser.add_argument(
        "--to", type=_place, required=True, metavar="HOST:PORT", help="where the server listens"
    )
    ways = parser.add_mutually_exclusive_group(required=True)
    for way, told in (("relp", "by RELP, as rsyslog does"), ("http", "by POST /log")):
        ways.add_argument(f"--{way}", dest="way", action="store_const", const=way, help=told)
    parser.add_argument("--tls", action="store_true", help="encrypt, and check who the server is")
    parser.add_argument("--ca", metavar="FILE", help="trust these authorities only (PEM); TLS")
    parser.add_argument("--cert", metavar="FILE", help="our own certificate (PEM); TLS")
    parser.add_argument("--key", metavar="FILE", help="its key, unless it is in the same file")
    parser.add_argument(
        "--give-up",
        type=_seconds,
        default=0.0,
        metavar="SECONDS",
        help="end when nothing was acknowledged for so long (default 0: try for ever)",
    )
    return parser


def _place(text: str) -> Place:
    found = _PLACE.fullmatch(text)
    if found is None or not 0 < int(found[3]) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, such as localhost:2514")
    return Place(found[1] or found[2], int(found[3]))


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds
