"""What README.md and docs/ show is what happens: their `console` blocks are run as they stand.

A line `$ twistd -n ...` starts a server that lives to the end of its block; the other commands run
one after another, and what they print must be what stands below them (`...` is anything).
Only the ports differ: the real ones may be in use.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from _pytest.mark.structures import ParameterSet

from tests.system.programs import ROOT, Program, environment, free_port, program, run

DOCUMENTS: Final = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PORTS: Final = {
    "chat": "12345",
    "web": "8080",
    "logfile": "1514",
    "echo": "8007",
    "RELP": "2514",
    "HTTP of the log": "8514",
}


@dataclass
class Step:
    """A command and what the document says it prints."""

    command: str
    printed: list[str] = field(default_factory=list)

    @property
    def service(self) -> str | None:
        """The service that this command starts, if it starts one to stay."""
        found = re.match(r"twistd -n (chat|web|logfile|echo|proto) ?", self.command)
        return found[1] if found and "--check" not in self.command else None


def blocks() -> list[ParameterSet]:
    """Every console block of every document, with its place as the name of the test."""
    found = []
    for document in DOCUMENTS:
        text = document.read_text()
        for match in re.finditer(r"^```console\n(.*?)^```", text, re.M | re.S):
            line = text.count("\n", 0, match.start()) + 1
            name = f"{document.relative_to(ROOT)}:{line}"
            found.append(pytest.param(match[1], id=name))
    return found


def steps(block: str) -> list[Step]:
    """The commands of a block; a line that ends in a backslash goes on."""
    result: list[Step] = []
    for line in block.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            result.append(Step(line[2:]))
        else:
            result[-1].printed.append(line)
    return result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as a newcomer has it, with the files that the examples name."""
    for name in ("proto.toml", "serve.tac"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "static", tmp_path / "static")
    return tmp_path


@pytest.mark.parametrize("block", blocks())
def test_a_console_block_does_what_it_shows(block: str, folder: Path) -> None:
    for name, package in (("nc", "netcat-openbsd"), ("curl", "curl"), ("openssl", "openssl")):
        program(name, package)
    moved = {port: str(free_port()) for port in PORTS.values()}
    env = environment(PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    with ExitStack() as servers:
        for step in steps(block):
            service = step.service
            command = step.command
            own_port = service == "proto" or (service is not None and PORTS[service] in command)
            if "--check" not in command:
                for old, new in moved.items():
                    command = re.sub(rf"\b{old}\b", new, command)
            if service is None:
                done = run("bash", "-c", command, cwd=folder, env=env)
                printed = (done.stdout + done.stderr).decode().splitlines()
                assert matches(step.printed, printed), f"{step.command} printed {printed}"
                continue
            if not own_port:
                command += f" --port {moved[PORTS[service]]}"
            command = command.replace("twistd -n", "exec twistd --pidfile= -n")
            server = servers.enter_context(Program("bash", "-c", command, cwd=folder, env=env))
            server.wait_for("ready: ")


def matches(shown: list[str], printed: list[str]) -> bool:
    """Whether the printed lines are those that the document shows."""
    pattern = "\n".join(re.escape(line).replace(r"\.\.\.", ".*") for line in shown)
    return re.fullmatch(pattern, "\n".join(printed), re.S) is not None


def test_every_link_to_a_file_of_ours_leads_somewhere() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
