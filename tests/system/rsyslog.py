"""A real rsyslogd, with a configuration and folders of its own, as a sender in tests.

It never reads the machine's configuration, takes no socket of the machine, and is ended by its pid.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.system.programs import Program, program

BARE: Final = 'template(name="bare" type="string" string="%msg%")'
"""What rsyslog sends of each line: the line."""
PREAMBLE: Final = """
global(workDirectory="{folder}" maxMessageSize="200k" parser.dropTrailingLFOnReception="off")
main_queue(queue.type="LinkedList" queue.timeoutEnqueue="60000" queue.timeoutShutdown="10000")
"""


def omrelp(port: int, *, more: str = "") -> str:
    """The action that sends to a RELP server on this machine until it is taken; needs `BARE`."""
    return (
        f'action(type="omrelp" target="127.0.0.1" port="{port}" template="bare" '
        f'action.resumeRetryCount="-1" action.resumeInterval="1" {more})'
    )


def omfwd(port: int, *, protocol: str = "tcp", more: str = "") -> str:
    """The action that sends to a plain port on this machine until it is taken; needs `BARE`."""
    return (
        f'action(type="omfwd" target="127.0.0.1" port="{port}" protocol="{protocol}" '
        f'template="bare" action.resumeRetryCount="-1" action.resumeInterval="1" {more})'
    )


class Rsyslog(Program):
    """An rsyslogd that follows `folder`/in.log and does `action` with each line.

    It remembers how far it is in `folder`, so that a second one goes on where the first one was.
    """

    def __init__(
        self, folder: Path, action: str, *, modules: Iterable[str] = (), remember: bool = True
    ) -> None:
        """Without `remember` it begins at the first line again, whatever was sent before."""
        folder.mkdir(exist_ok=True)
        self.source = source_of(folder)
        self.source.touch()
        if not remember:
            for state in folder.glob("imfile-state:*"):
                state.unlink()
        config = folder / "rsyslog.conf"
        loads = "\n".join(f'module(load="{name}")' for name in modules)
        config.write_text(f"""{PREAMBLE.format(folder=folder)}
module(load="imfile")
{loads}
{BARE}
input(type="imfile" file="{self.source}" tag="test" ruleset="out" freshStartTail="off")
ruleset(name="out") {{
    {action}
}}
ruleset(name="own") {{ action(type="omfile" file="{folder}/own.log") }}
$DefaultRuleset own
""")
        super().__init__(
            program("rsyslogd", "rsyslog rsyslog-relp"),
            "-n",
            "-f",
            str(config),
            "-i",
            str(folder / "pid"),
            cwd=folder,
        )


def source_of(folder: Path) -> Path:
    """The file that an `Rsyslog` in this folder follows."""
    return folder / "in.log"


def append(source: Path, lines: Iterable[str]) -> None:
    """Write lines for it to find."""
    with source.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)
