from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

from benchmarks import ircd
from benchmarks.load.chat import FanOut
from benchmarks.load.dialect import IRC
from benchmarks.servers import Command, Server
from tests.system.programs import program


def ngircd() -> Command:
    program("ngircd", "ngircd")
    command = ircd.ngircd()
    assert not isinstance(command, str)
    return command


def test_ngircd_knows_every_setting(tmp_path: Path) -> None:
    words = [*ngircd()(tmp_path, 12345), "--configtest"]
    # It waits for a key before it prints what it has read, if it is asked at a terminal.
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    told = {" ".join(line.split()) for line in done.stdout.splitlines()}
    wanted = {each for each in ircd.SETTINGS.format(port=12345).splitlines() if "=" in each}
    assert wanted - told <= {"Ident = no"}, done.stdout  # which it takes, and does not print
    assert "nknown" not in done.stdout + done.stderr


def test_its_brakes_are_off_and_every_line_is_counted_once(tmp_path: Path) -> None:
    lines = 2000  # more than it lets anybody say in a second when they are on
    with Server(ngircd(), tmp_path) as server:
        server.wait_until_it_listens()
        crowd = FanOut(readers=3, senders=2, lines=lines, dialect=IRC)
        for seconds in (1.0, 0.5):
            # The crowd of the second round bears the names of the first.
            sample = replace(crowd, lines=round(lines / seconds))(server, seconds)
            assert sample.amount >= lines * 4
            assert sample.p99 is not None
