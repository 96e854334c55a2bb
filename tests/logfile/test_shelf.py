from __future__ import annotations

import errno
import gzip
import os
import re
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import capturedLogs

from proto.errors import StartError
from proto.logfile.keeping import Rules
from proto.logfile.log import Log
from proto.logfile.shelf import LogPerClient, OneLog, check_place, file_name
from tests.logfile.disk import FakeDisk

NOW = 1_795_282_200.0
CLIENTS = Path("/logs/clients")


def per_client(disk: FakeDisk, at_most: int = 3, rules: Rules = Rules()) -> LogPerClient:  # noqa: B008
    return LogPerClient(CLIENTS, rules, at_most, disk, now=lambda: NOW)


def put(log: Log, records: bytes) -> None:
    log.tend()
    log.write(records)
    log.sync()


def test_one_log_has_any_name(tmp_path: Path) -> None:
    shelf = OneLog(tmp_path / "log.txt", Rules())
    put(shelf.log(""), b"one\n")
    put(shelf.log("other"), b"two\n")
    assert list(shelf.open_logs()) == [shelf.log("")]
    shelf.close()
    assert (tmp_path / "log.txt").read_bytes() == b"one\ntwo\n"
    OneLog(tmp_path / "log.txt", Rules()).close()


def test_each_client_has_a_file_in_a_folder_that_is_made(tmp_path: Path) -> None:
    shelf = LogPerClient(tmp_path / "clients", Rules())
    for name in ("192.0.2.1", "2001:db8::1", "192.0.2.1"):
        put(shelf.log(name), name.encode() + b"\n")
    assert len(list(shelf.open_logs())) == 2
    shelf.close()
    assert stat.S_IMODE((tmp_path / "clients").stat().st_mode) == 0o750
    assert (tmp_path / "clients" / "192.0.2.1.log").read_bytes() == b"192.0.2.1\n" * 2
    assert (tmp_path / "clients" / "2001=3Adb8=3A=3A1.log").read_bytes() == b"2001:db8::1\n"


def test_the_folder_of_clients_is_locked(tmp_path: Path) -> None:
    shelf = LogPerClient(tmp_path, Rules())
    with pytest.raises(StartError, match="another log receiver writes into"):
        LogPerClient(tmp_path, Rules())
    with pytest.raises(StartError, match="another log receiver writes into"):
        OneLog(tmp_path / "log.txt", Rules())
    shelf.close()
    LogPerClient(tmp_path, Rules()).close()


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file", tmp_path / "file" / "below", Path("clients\0")):
        with pytest.raises(StartError, match="choose another"):
            LogPerClient(path, Rules())
    with pytest.raises(StartError, match="mkdir -p"):
        LogPerClient(tmp_path / "a" / "b", Rules())


def test_the_one_that_was_not_used_for_longest_is_synced_and_closed() -> None:
    disk = FakeDisk("/logs")
    shelf = per_client(disk)
    first = shelf.log("a")
    first.write(b"a\n")
    for name in "bcb":
        shelf.log(name).write(name.encode() + b"\n")
    shelf.log("d")
    assert [log.path.name for log in shelf.open_logs()] == ["c.log", "b.log", "d.log"]
    assert len(disk.open_files) == 3
    disk.restart(power=False)
    assert disk.text("/logs/clients/a.log") == b"a\n"


def test_what_is_closed_is_not_synced_into_a_file_that_somebody_removed() -> None:
    disk = FakeDisk("/logs")
    shelf = per_client(disk, at_most=1)
    shelf.log("a").write(b"a\n")
    disk.remove("/logs/clients/a.log")
    shelf.log("b")
    disk.restart(power=False)
    assert disk.text("/logs/clients/a.log") == b"a\n"


def test_one_that_was_closed_is_opened_again_where_it_was() -> None:
    disk = FakeDisk("/logs")
    shelf = per_client(disk, at_most=1)
    for name in "abaab":
        put(shelf.log(name), b"line\n")
    shelf.close()
    assert not disk.open_files
    assert disk.text("/logs/clients/a.log") == b"line\n" * 3
    assert disk.text("/logs/clients/b.log") == b"line\n" * 2


def test_one_whose_lines_wait_for_the_disk_is_not_closed() -> None:
    disk = FakeDisk("/logs")
    shelf = per_client(disk)
    disk.fail(errno.ENOSPC)
    for name in "abc":
        with pytest.raises(OSError):
            shelf.log(name).write(b"line\n")
    with pytest.raises(OSError) as failure:
        shelf.log("d")
    assert failure.value.errno == errno.EMFILE
    assert [log.unwritten for log in shelf.open_logs()] == [b"line\n"] * 3
    disk.heal()
    shelf.log("b").sync()
    disk.fail(errno.ENOSPC)
    shelf.log("d")
    assert [log.path.name for log in shelf.open_logs()] == ["a.log", "c.log", "d.log"]


def test_a_link_that_somebody_put_there_is_refused_and_nobody_else_is(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret\n")
    shelf = LogPerClient(tmp_path / "clients", Rules(rotate_bytes=1))
    put(shelf.log("kind"), b"one\n")
    (tmp_path / "clients" / "evil.log").symlink_to(tmp_path / "secret")
    (tmp_path / "clients" / "odd.log").mkdir()
    os.mkfifo(tmp_path / "clients" / "fifo.log")
    for name, number in (("evil", errno.ELOOP), ("odd", errno.EISDIR), ("fifo", errno.EINVAL)):
        for _ in range(2):
            with pytest.raises(OSError) as failure:
                shelf.log(name)
            assert failure.value.errno == number
    put(shelf.log("kind"), b"two\n")
    (tmp_path / "clients" / "evil.log").unlink()
    put(shelf.log("evil"), b"three\n")
    shelf.close()
    assert (tmp_path / "secret").read_bytes() == b"secret\n"
    assert (tmp_path / "clients" / "evil.log").read_bytes() == b"three\n"


def test_a_link_that_is_put_in_the_place_of_an_open_log_is_not_followed(tmp_path: Path) -> None:
    shelf = LogPerClient(tmp_path / "clients", Rules())
    log = shelf.log("kind")
    put(log, b"one\n")
    path = tmp_path / "clients" / "kind.log"
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "secret")
    with capturedLogs() as logs:
        put(log, b"two\n")
    assert not (tmp_path / "secret").exists()
    assert (tmp_path / "moved").read_bytes() == b"one\ntwo\n"
    assert len(logs) == 1
    shelf.close()


def test_one_that_cannot_be_closed_makes_room_all_the_same() -> None:
    disk = FakeDisk("/logs")
    shelf = per_client(disk, at_most=1)
    put(shelf.log("a"), b"a\n")
    disk.fail_step("close")
    with capturedLogs() as logs:
        put(shelf.log("b"), b"b\n")
    assert len(logs) == 1
    assert disk.text("/logs/clients/b.log") == b"b\n"


def test_the_segments_of_clients_are_compressed_until_all_is_closed(tmp_path: Path) -> None:
    shelf = LogPerClient(tmp_path, Rules(rotate_bytes=1, compress="gzip"))
    for name in "aabb":
        put(shelf.log(name), b"line\n" * 1000)
    shelf.close()
    whole = [path for path in tmp_path.iterdir() if path.suffix != ".gz"]
    packed = [path for path in tmp_path.iterdir() if path.suffix == ".gz"]
    assert len(whole) + len(packed) == 4
    assert all(gzip.decompress(path.read_bytes()) == b"line\n" * 1000 for path in packed)
    assert all(path.read_bytes() == b"line\n" * 1000 for path in whole)


def test_clients_rotate_and_keep_each_by_themselves() -> None:
    disk = FakeDisk("/logs")
    shelf = per_client(disk, rules=Rules(rotate_bytes=1, keep_count=1))
    for name in ("a", "a.log", "a"):
        for number in range(3):
            put(shelf.log(name), b"%d\n" % number)
    assert disk.stored("/logs/clients/a.log") == b"1\n2\n"
    assert disk.stored("/logs/clients/a.log.log") == b"1\n2\n"


def test_all_are_closed_though_one_cannot_be() -> None:
    disk = FakeDisk("/logs")
    shelf = per_client(disk)
    for name in "abc":
        shelf.log(name)
    disk.fail_step("close")
    with pytest.raises(OSError):
        shelf.close()
    assert not disk.open_files
    assert list(shelf.open_logs()) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("host-1_a.Example", "host-1_a.Example"),
        ("", "="),
        (".", "=2E"),
        ("..", "=2E."),
        (".profile", "=2Eprofile"),
        ("../../etc/passwd", "=2E.=2F..=2Fetc=2Fpasswd"),
        ("a=b", "a=3Db"),
        ("a b\n\0", "a=20b=0A=00"),
        ("\u00e9", "=C3=A9"),
        ("\udc80", "=ED=B2=80"),
        ("x" * 100, "x" * 100),
    ],
)
def test_the_file_of_a_client_is_named_in_safe_characters(text: str, name: str) -> None:
    assert file_name(text) == name


@given(st.text(st.characters(), max_size=150))
def test_no_name_leads_anywhere_or_is_too_long(text: str) -> None:
    name = file_name(text)
    assert re.fullmatch(r"[A-Za-z0-9=_-][A-Za-z0-9._=-]*", name)
    assert len(name) <= 125
    if len(name) <= 100:
        escapes = re.sub(r"=([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), name)
        back = escapes.encode("latin-1") if name != "=" else b""
        assert back == text.encode("utf-8", "surrogatepass")


def test_long_names_that_begin_alike_are_told_apart() -> None:
    names = {file_name("x" * 101), file_name("x" * 102), file_name("x" * 100), file_name("x" * 60)}
    assert len(names) == 4
    assert len(file_name("\u00e9" * 5000)) == 125


def test_a_place_is_looked_at_and_left_as_it_is(tmp_path: Path) -> None:
    check_place(tmp_path / "log.txt", folder=False)
    check_place(tmp_path / "clients", folder=True)
    check_place(tmp_path, folder=True)
    (tmp_path / "log.txt").write_bytes(b"torn")
    check_place(tmp_path / "log.txt", folder=False)
    assert os.listdir(tmp_path) == ["log.txt"]
    for path, folder in (
        (tmp_path, False),
        (tmp_path / "log.txt", True),
        (tmp_path / "a" / "b", True),
        (tmp_path / "a" / "b", False),
        (Path("a\0"), False),
    ):
        with pytest.raises(StartError):
            check_place(path, folder=folder)


def test_half_lines_are_counted_also_of_logs_that_are_closed_again() -> None:
    disk = FakeDisk("/logs", str(CLIENTS))
    for name in ("a", "b"):
        disk.put(f"{CLIENTS}/{name}.log", b"whole\ntorn")
    shelf = per_client(disk, at_most=1)
    for name in ("a", "b", "c"):
        put(shelf.log(name), b"x\n")
    assert shelf.torn == (2, 8)
    shelf.close()
    disk.put("/logs/one.log", b"half")
    one = OneLog(Path("/logs/one.log"), Rules(), disk)
    assert one.torn == (1, 4)
    one.close()


def test_a_shelf_knows_which_logs_are_open() -> None:
    disk = FakeDisk("/logs", str(CLIENTS))
    shelf = per_client(disk, at_most=1)
    assert not shelf.has("a")
    put(shelf.log("a"), b"x\n")
    assert shelf.has("a")
    put(shelf.log("b"), b"x\n")
    assert (shelf.has("a"), shelf.has("b")) == (False, True)
    shelf.close()
    one = OneLog(Path("/logs/one.log"), Rules(), disk)
    assert one.has("")
    one.close()
