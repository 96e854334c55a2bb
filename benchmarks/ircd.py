"""ngIRCd, the IRC server that Debian has, with one channel and without its brakes.

In the foreground, on one port, with a configuration of its own in the server's folder.  What slows
down people who talk fast (penalties) is off, as is every look-up of those who come; Debian's
defaults hold for what is not said here (ngircd.conf(5)).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.servers import Command

SETTINGS: Final = """\
[Global]
Name = bench.invalid
Info = benchmark
AdminEMail = nobody@bench.invalid
MotdPhrase = hello
Listen = 127.0.0.1
Ports = {port}
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxPenaltyTime = 0
PingTimeout = 1000000
[Options]
DNS = no
Ident = no
PAM = no
[Channel]
Name = &chat
"""
LONGEST: Final = 512
"""Bytes of a line of IRC, its end and the name of the speaker included (RFC 2812, 2.3)."""


def ngircd() -> Command | str:
    """Its command line, or why there is none."""
    program = shutil.which("ngircd") or shutil.which("ngircd", path="/usr/sbin:/sbin")
    if program is None:
        return "ngircd is not installed"

    def command(folder: Path, port: int) -> Sequence[str]:
        settings = folder / "ngircd.conf"
        settings.write_text(SETTINGS.format(port=port))
        return [program, "--nodaemon", "--config", str(settings)]

    return command
