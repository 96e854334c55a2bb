"""The log daemons that Debian has: rsyslog and syslog-ng, set up to write lines as they come.

Both run in the foreground, on one port, with a configuration of their own in the server's folder,
which holds all that they write.  Debian's defaults hold for what is not said here: both parse and
queue as they are made to, and neither loses a line.

Debian does not let both be installed, but the second one need only be unpacked:

    apt-get download syslog-ng-core libivykis0 libnet1 libpcre3
    for package in *.deb; do dpkg -x "$package" FOLDER; done
    python -m benchmarks --syslog-ng FOLDER logfile
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.load.logfile import FILE
from benchmarks.servers import Command

RSYSLOG: Final = """\
global(workDirectory="{folder}" maxMessageSize="64k" net.enableDNS="off")
module(load="{module}")
template(name="raw" type="string" string="%rawmsg%\\n")
ruleset(name="lines") {{
    action(type="omfile" file="{folder}/{file}" template="{template}"
        asyncWriting="off" sync="{sync}")
}}
input(type="{module}" address="127.0.0.1" port="{port}" ruleset="lines")
"""
SYSLOG_NG: Final = """\
@version: 3.38
options {{ use-dns(no); keep-hostname(yes); log-msg-size(65536); stats-freq(0);
    log-fifo-size(200000); }};
source lines {{ network(ip(127.0.0.1) port({port}) transport(tcp) flags(no-parse)
    max-connections(100) log-iw-size(100000)); }};
destination file {{ file("{folder}/{file}" template("${{MSG}}\\n") fsync({sync})); }};
log {{ source(lines); destination(file); flags(flow-control); }};
"""
"""flow-control, and a queue that has room for the whole window: nothing is dropped."""


def rsyslog(module: str, *, sync: bool = False, template: str = "raw") -> Command | str:
    """Its command line with the module imtcp or imptcp; or why there is none.

    The template `raw` is the line as it came; RSYSLOG_FileFormat is what rsyslog writes unless it
    is told otherwise: time, host, tag and message.
    """
    program = _found("rsyslogd")
    if program is None:
        return "rsyslog is not installed"

    def command(folder: Path, port: int) -> Sequence[str]:
        settings = folder / "rsyslog.conf"
        settings.write_text(
            RSYSLOG.format(
                folder=folder,
                file=FILE,
                module=module,
                port=port,
                template=template,
                sync="on" if sync else "off",
            )
        )
        return [program, "-n", "-f", str(settings), "-i", str(folder / "rsyslog.pid")]

    return command


def syslog_ng(root: Path | None, *, sync: bool = False) -> Command | str:
    """Its command line, of the packages that are unpacked in `root` if that is given; or why there
    is none."""
    start = ([path] if (path := _found("syslog-ng")) else []) if root is None else unpacked(root)
    if not start:
        return f"there is no syslog-ng in {root}" if root else "syslog-ng is not installed"

    def command(folder: Path, port: int) -> Sequence[str]:
        settings = folder / "syslog-ng.conf"
        settings.write_text(
            SYSLOG_NG.format(folder=folder, file=FILE, port=port, sync="yes" if sync else "no")
        )
        files = {"-f": "syslog-ng.conf", "-R": "persist", "-p": "pid", "-c": "control"}
        words = [word for flag, name in files.items() for word in (flag, str(folder / name))]
        return [*start, "-F", "--no-caps", *words]

    return command


def unpacked(root: Path) -> list[str]:
    """How the syslog-ng of that folder starts; nothing if there is none."""
    root = root.resolve()
    program = root / "usr" / "sbin" / "syslog-ng"
    if not program.exists():
        return []
    folders = {path.parent for path in root.rglob("*.so*")}
    libraries = ":".join(sorted(map(str, folders)))
    modules = next((str(path.parent) for path in root.rglob("libaffile.so")), "")
    # `env` becomes the program and keeps its pid.
    return ["env", f"LD_LIBRARY_PATH={libraries}", str(program), f"--module-path={modules}"]


def _found(name: str) -> str | None:
    """A daemon's program; /usr/sbin is not on everybody's PATH."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
