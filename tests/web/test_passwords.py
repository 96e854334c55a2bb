from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import argon2
import pytest
from argon2.exceptions import VerifyMismatchError
from argon2.low_level import Type

from proto.errors import StartError
from proto.web.passwords import MAX_FILE, Passwords, read_passwords

CHEAP: Final = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HASH: Final = CHEAP.hash("open sesame", salt=b"sixteen bytes of")


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "users"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_only_a_users_own_password_fits() -> None:
    passwords = Passwords({"ann": CHEAP.hash("a"), "bob": CHEAP.hash("b")})
    assert passwords.fits("ann", "a")
    assert passwords.fits("bob", "b")
    for user, password in (
        ("ann", "b"),
        ("bob", "a"),
        ("ann", ""),
        ("eve", "a"),
        ("", ""),
        ("A", "a"),
    ):
        assert not passwords.fits(user, password)


def test_an_unknown_name_costs_what_a_wrong_password_costs() -> None:
    verified: list[bytes] = []

    def verify(encoded: bytes, secret: bytes, kind: Type) -> bool:
        verified.append(encoded)
        raise VerifyMismatchError

    hashes = {"ann": CHEAP.hash("a"), "bob": CHEAP.hash("b")}
    passwords = Passwords(hashes, verify)
    for user in ("ann", "bob", "eve", "eve", "", "\udcff", "x" * 1000):
        assert not passwords.fits(user, "wrong")
    assert len(verified) == 7
    assert set(verified) <= {value.encode() for value in hashes.values()}
    assert verified[2] == verified[3]


def test_the_decoys_own_password_lets_nobody_in() -> None:
    assert not Passwords({"ann": CHEAP.hash("a")}).fits("eve", "a")


def test_letters_that_keyboards_write_in_two_ways_are_one() -> None:
    passwords = Passwords({"Jose\u0301": CHEAP.hash("caf\u00e9")})
    assert passwords.fits("Jos\u00e9", "cafe\u0301")


def test_a_file_has_comments_empty_lines_and_either_line_end(tmp_path: Path) -> None:
    text = f"# who may come\r\n\r\nann:{HASH}\r\n\nbob:{CHEAP.hash('b:c')}"
    passwords = read_passwords(written(tmp_path, text))
    assert passwords.fits("ann", "open sesame")
    assert passwords.fits("bob", "b:c")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "nobody in it"),
        ("# only this\n", "nobody in it"),
        ("ann", "line 1: not NAME:HASH"),
        (f":{HASH}", "line 1: not NAME:HASH"),
        (b"\xff:x", "line 1: not UTF-8"),
        (f"ann:{HASH}\nann:{HASH}", "line 2: 'ann' is there already"),
        ("ann:$apr1$x$y", "the hash of 'ann' is not argon2id"),
        ("ann:plain", "the hash of 'ann' is not argon2id"),
        (f"ann:{HASH[:-1]}", "is damaged"),
        (f"ann:{HASH}AA", "is damaged"),
        (f"ann:{HASH} ", "is damaged"),
        (f"ann:{HASH[:-25]}", "is damaged"),
        (f"ann:{HASH.replace('t=1', 't=0')}", "is damaged"),
        (f"ann:{HASH.replace('m=8', 'm=7')}", "is damaged"),
        (f"ann:{HASH.replace('v=19', 'v=16')}", "is damaged"),
        (f"ann:{HASH.replace('m=8', 'm=99999999')}", "too much memory"),
        (f"ann:{HASH.replace('t=1', 't=65')}", "too much memory or time"),
        (b"#" * (MAX_FILE + 1), "more than 1048576 bytes"),
    ],
)
def test_a_file_that_makes_no_sense_is_told_in_one_line(
    tmp_path: Path, text: str | bytes, why: str
) -> None:
    with pytest.raises(StartError, match=why) as caught:
        read_passwords(written(tmp_path, text))
    told = str(caught.value)
    assert "\n" not in told
    assert HASH[30:] not in told


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="cannot be read"):
        read_passwords(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    for other in (tmp_path / "pipe", tmp_path):
        with pytest.raises(StartError, match=r"is no file|cannot be read \(Is a directory\)"):
            read_passwords(other)


def make(*arguments: str, password: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "proto.web.passwords", *arguments],
        input=password,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_makes_a_line_that_lets_them_in(tmp_path: Path) -> None:
    done = make("ann", password="p\u00e4ss:word\n")
    assert (done.returncode, done.stderr) == (0, "")
    passwords = read_passwords(written(tmp_path, done.stdout))
    assert passwords.fits("ann", "p\u00e4ss:word")
    assert not passwords.fits("ann", "p\u00e4ss")


@pytest.mark.parametrize("arguments", [[], ["a", "b"], [""], ["a:b"], ["#a"], ["a\nb"]])
def test_the_command_refuses_what_is_no_name(arguments: list[str]) -> None:
    done = make(*arguments, password="x\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr


def test_the_command_refuses_an_empty_password() -> None:
    assert make("ann", password="\n").returncode == 1
