from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from proto.errors import StartError
from proto.storage.database import inspect, lock, prepare
from tests.system.programs import environment

FIRST = (("CREATE TABLE a (b)",),)
SECOND = (*FIRST, ("CREATE TABLE c (d)", "INSERT INTO c VALUES (1)"))


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def test_a_file_is_made_for_its_owner_alone_and_brought_to_the_newest_schema(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x y?#%.db"
    prepare(path, FIRST)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert version(path) == 1
    prepare(path, SECOND)
    prepare(path, SECOND)
    assert version(path) == 2
    assert os.listdir(tmp_path) == [path.name]


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    prepare(path, FIRST)
    with pytest.raises(StartError, match="no such table"):
        prepare(path, (*FIRST, ("CREATE TABLE c (d)", "INSERT INTO nowhere VALUES (1)")))
    assert version(path) == 1
    prepare(path, SECOND)


@pytest.mark.parametrize("look", [inspect, prepare])
def test_what_is_no_log_of_ours_is_refused_in_one_line_with_a_remedy(
    look: type, tmp_path: Path
) -> None:
    newer, other, text = tmp_path / "newer.db", tmp_path / "other.db", tmp_path / "text.db"
    prepare(newer, SECOND)
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE mine (x)")
    text.write_text("To whom it may concern: " * 100)
    (tmp_path / "folder.db").mkdir()
    told = {
        "newer.db": "a newer proto wrote it (schema 2, this one knows 1); start that one or",
        "other.db": "another program's database; choose another folder",
        "text.db": "file is not a database; move it away or choose another folder",
        "folder.db": "unable to open database file; let ",
        "text.db/x.db": "choose a folder",
    }
    for name, expected in told.items():
        with pytest.raises(StartError) as refused:
            look(tmp_path / name, FIRST)
        assert expected in str(refused.value)
        assert str(refused.value).startswith(str(tmp_path))
        assert "\n" not in str(refused.value)
    assert version(newer) == 2


def test_looking_at_what_is_not_there_makes_nothing(tmp_path: Path) -> None:
    inspect(tmp_path / "a" / "b" / "x.db", FIRST)
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_is_made_and_one_process_at_a_time_has_it(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "x.lock"
    code = (
        "import sys; from pathlib import Path; from proto.storage.database import lock\n"
        "lock(Path(sys.argv[1])); print('mine', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"mine\n"
        with pytest.raises(StartError, match="another process uses it; stop it or choose another"):
            lock(path)
        other.kill()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    os.close(lock(path))
    os.close(lock(path))


def test_a_place_that_cannot_be_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "x", Path("/proc/nothing")):
        with pytest.raises(StartError, match="choose a folder"):
            lock(folder / "x.lock")
