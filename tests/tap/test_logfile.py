from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proto.errors import StartError
from proto.logfile.keeping import Rules
from proto.logfile.origin import Origin
from proto.logfile.shelf import OneLog
from proto.tap.logfile import CLIENTS, OTHERS, LogfileSettings, Names, Options, check, doors
from proto.tap.service import planned
from tests.certificate import write_pair


def test_the_file_and_the_longest_line_can_be_given() -> None:
    options = Options()
    options.parseOptions(["-f", "x.log", "--max-line", "1 KiB", "-p", "0"])
    given = options.read(LogfileSettings)
    assert (given.file, given.max_line) == (Path("x.log"), 1024)


def test_a_file_that_cannot_be_opened_is_told_before_anything_starts(tmp_path: Path) -> None:
    check(LogfileSettings(file=tmp_path / "x.log"))
    with pytest.raises(StartError, match=r"no/x\.log: no such folder; create it: mkdir -p"):
        check(LogfileSettings(file=tmp_path / "no" / "x.log"))
    with pytest.raises(StartError, match="folder"):
        check(LogfileSettings(file=tmp_path))


def test_looking_makes_nothing_and_locks_nothing(tmp_path: Path) -> None:
    settings = LogfileSettings(file=tmp_path / "x.log")
    check(settings)
    assert not (tmp_path / "x.log").exists()
    running = OneLog(tmp_path / "x.log", settings.rules())
    check(settings)
    running.close()
    check(LogfileSettings(file=tmp_path / "clients", split_by="peer"))
    assert not (tmp_path / "clients").exists()


def test_a_file_for_each_client_is_in_a_folder_of_its_own_by_default() -> None:
    assert LogfileSettings().place() == Path("log.txt").absolute()
    assert LogfileSettings(split_by="peer").place() == Path("logs").absolute()
    assert LogfileSettings(split_by="peer", file=Path("x")).place() == Path("x").absolute()


@pytest.mark.parametrize(
    ("text", "sync", "retains"),
    [("always", 0.0, True), ("never", None, False), ("0.5", 0.5, True), ("60", 60.0, True)],
)
def test_how_it_syncs_can_be_said(text: str, sync: float | None, retains: bool) -> None:
    options = Options()
    options.parseOptions(["--sync", text])
    settings = options.read(LogfileSettings)
    assert settings.sync == sync
    assert settings.rules().retains is retains


def test_rules_of_nothing_are_no_rules() -> None:
    assert LogfileSettings().rules() == Rules()
    rules = LogfileSettings(
        rotate_size=1, rotate_age=2.0, keep=3, keep_age=4.0, keep_size=5, compress="gzip"
    ).rules()
    assert rules == Rules(1, 2.0, 3, 4.0, 5, "gzip")


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"split_by": "cn"}, "--split-by cn: .*; add --client-ca FILE"),
        ({"client_ca": Path("ca.pem")}, r"--client-ca ca\.pem: only TLS has it; add --tls DIR"),
        ({"port": ()}, "no port"),
        ({"max_line": 2**30}, "--max-line 1073741824: more than 8388608 is not held; lower it"),
    ],
)
def test_settings_that_do_not_fit_together_are_told(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(StartError, match=why):
        check(LogfileSettings(**settings))


@pytest.mark.parametrize(
    ("ports", "speak"),
    [
        ({"port": "1", "relp": "2", "http": "3"}, {"logfile", "relp", "http"}),
        ({"port": "1", "relp": "tls:2", "http": "3"}, {"relp"}),
        ({"port": "tls:1", "relp": "2"}, {"logfile"}),
    ],
)
def test_where_one_port_is_written_tls_the_others_are_not(
    ports: dict[str, str], speak: set[str], tmp_path: Path
) -> None:
    write_pair(tmp_path)
    options = Options()
    given = [word for name, port in ports.items() for word in (f"--{name}", port)]
    options.parseOptions([*given, "--tls", str(tmp_path)])
    found = doors(options.read(LogfileSettings))
    assert len(found) == len(ports)
    assert {name for name, door in found.items() if planned(door)[0].tls} == speak


def test_clients_have_a_file_each_and_above_so_many_one_together() -> None:
    one, by_peer, by_cn = (Names(by) for by in ("none", "peer", "cn"))
    pump = Origin("[2001:db8::1]:4711", "pump 7")
    assert (one(pump), by_peer(pump), by_cn(pump)) == ("", "2001:db8::1", "pump 7")
    assert (by_peer(Origin("proto")), by_cn(Origin("proto"))) == ("proto", "proto")
    for number in range(CLIENTS):
        by_peer(Origin(f"192.0.{number}:1"))
    assert by_peer(Origin("203.0.113.1:1")) == OTHERS
    assert by_peer(pump) == "2001:db8::1"
