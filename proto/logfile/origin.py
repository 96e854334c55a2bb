"""Who sent a line, as it is written beside it.  Plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """One sender, named in characters that are safe in a file and on a terminal."""

    peer: str
    """`192.0.2.1:4711`, or what else a transport calls its other end."""
    subject: str = ""
    """The common name of the TLS client certificate, if there was one."""
