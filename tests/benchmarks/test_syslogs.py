from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks import syslogs
from tests.system.programs import program


def test_rsyslog_finds_no_fault_with_its_configuration(tmp_path: Path) -> None:
    program("rsyslogd", "rsyslog")
    for module in ("imtcp", "imptcp"):
        for sync in (True, False):
            command = syslogs.rsyslog(module, sync=sync)
            assert not isinstance(command, str)
            words = command(tmp_path, 12345)
            done = subprocess.run(
                [words[0], "-N1", "-f", words[3]], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            assert f'sync="{"on" if sync else "off"}"' in (tmp_path / "rsyslog.conf").read_text()


def test_where_syslog_ng_was_not_unpacked_it_is_said(tmp_path: Path) -> None:
    assert syslogs.syslog_ng(tmp_path) == f"there is no syslog-ng in {tmp_path}"


def test_an_unpacked_syslog_ng_is_started_with_the_libraries_beside_it(tmp_path: Path) -> None:
    files = ("usr/sbin/syslog-ng", "usr/lib/syslog-ng/3/libaffile.so", "lib/x/libpcre.so.3")
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    assert syslogs.unpacked(tmp_path) == [
        "env",
        f"LD_LIBRARY_PATH={tmp_path}/lib/x:{tmp_path}/usr/lib/syslog-ng/3",
        f"{tmp_path}/usr/sbin/syslog-ng",
        f"--module-path={tmp_path}/usr/lib/syslog-ng/3",
    ]
    command = syslogs.syslog_ng(tmp_path, sync=True)
    assert not isinstance(command, str)
    assert command(tmp_path, 12345)[-8:] == [
        word
        for flag, name in (
            ("f", "syslog-ng.conf"),
            ("R", "persist"),
            ("p", "pid"),
            ("c", "control"),
        )
        for word in (f"-{flag}", str(tmp_path / name))
    ]
    assert "fsync(yes)" in (tmp_path / "syslog-ng.conf").read_text()
