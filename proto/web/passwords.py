"""A file of names and password hashes.  No twisted, no request.

    # one a line, as htpasswd has them, hashed with argon2id
    alice:$argon2id$v=19$m=65536,t=3,p=4$...

`python -m proto.web.passwords alice` asks for a password and prints such a line.
"""

from __future__ import annotations

import base64
import getpass
import hmac
import os
import re
import secrets
import stat
import sys
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import argon2
from argon2.exceptions import VerifyMismatchError
from argon2.low_level import Type, verify_secret

from proto.errors import StartError

MAX_FILE: Final = 1024 * 1024
MAX_MEMORY_KIB: Final = 1024 * 1024
MAX_PASSES: Final = 64
MAX_LANES: Final = 16
MIN_SALT: Final = 8
MIN_DIGEST: Final = 16
"""Bytes; argon2 itself takes no salt below 8 (RFC 9106, 3.1)."""
MAKE: Final = "python -m proto.web.passwords"

_HASH: Final = re.compile(
    r"\$argon2id\$v=19\$m=([0-9]{1,9}),t=([0-9]{1,9}),p=([0-9]{1,9})"
    r"\$([A-Za-z0-9+/]{1,128})\$([A-Za-z0-9+/]{1,256})"
)

Verify = Callable[[bytes, bytes, Type], bool]


class Passwords:
    """Who may come in, and by which password."""

    def __init__(self, hashes: Mapping[str, str], verify: Verify = verify_secret) -> None:
        """`hashes`, which are encoded argon2id hashes, are not empty.

        `verify(hash, password, kind)` raises argon2's VerifyMismatchError, after the same time
        wherever the difference is.
        """
        self._hashes = {normal(user): value.encode("ascii") for user, value in hashes.items()}
        self._decoys = tuple(self._hashes.values())
        self._secret = secrets.token_bytes(32)
        self._verify = verify

    def fits(self, user: str, password: str) -> bool:
        """Whether this is the user's password; blocks for tens of milliseconds.

        Somebody who is not in the file costs what one who is costs, and always the same one: how
        long an answer takes does not tell which names there are.
        """
        user = normal(user)
        known = self._hashes.get(user)
        name = user.encode("utf-8", "surrogateescape")
        number = int.from_bytes(hmac.digest(self._secret, name, "sha256"), "big")
        decoy = self._decoys[number % len(self._decoys)]
        secret = normal(password).encode("utf-8", "surrogateescape")
        try:
            self._verify(decoy if known is None else known, secret, Type.ID)
        except VerifyMismatchError:
            return False
        return known is not None


def normal(text: str) -> str:
    """One form for what keyboards write in two (RFC 8265: NFC)."""
    return unicodedata.normalize("NFC", text)


def read_passwords(path: Path) -> Passwords:
    """The file as it is now.  Raises StartError in one line with the remedy."""
    try:
        # A pipe without a writer would never be open.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise StartError(f"{path} is no file: name one with lines from {MAKE} NAME")
            raw = file.read(MAX_FILE + 1)
    except OSError as error:
        raise StartError(
            f"{path} cannot be read ({error.strerror}): name a file with lines such as "
            f"those of {MAKE} NAME"
        ) from error
    if len(raw) > MAX_FILE:
        raise StartError(f"{path} has more than {MAX_FILE} bytes: name a file of passwords")
    hashes: dict[str, str] = {}
    for number, line in enumerate(raw.split(b"\n"), 1):
        line = line.removesuffix(b"\r")
        if not line or line.startswith(b"#"):
            continue
        try:
            user, encoded = _entry(line)
            if user in hashes:
                raise ValueError(f"{user!r} is there already")
        except ValueError as error:
            raise StartError(
                f"{path}, line {number}: {error}: make the line anew with {MAKE} NAME"
            ) from error
        hashes[user] = encoded
    if not hashes:
        raise StartError(f"{path} has nobody in it: add a line from {MAKE} NAME")
    return Passwords(hashes)


def _entry(line: bytes) -> tuple[str, str]:
    """Raises ValueError with the reason, which tells nothing of the hash."""
    try:
        user, colon, encoded = line.decode("utf-8").partition(":")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    if not user or not colon:
        raise ValueError("not NAME:HASH")
    if not encoded.startswith("$argon2id$"):
        raise ValueError(f"the hash of {user!r} is not argon2id")
    match = _HASH.fullmatch(encoded)
    if match is None:
        raise ValueError(f"the hash of {user!r} is damaged")
    memory, passes, lanes = map(int, match.groups()[:3])
    salt, digest = map(_length, match.groups()[3:])
    if not passes or not lanes or memory < 8 * lanes or salt < MIN_SALT or digest < MIN_DIGEST:
        raise ValueError(f"the hash of {user!r} is damaged")
    if memory > MAX_MEMORY_KIB or passes > MAX_PASSES or lanes > MAX_LANES:
        raise ValueError(f"the hash of {user!r} asks for too much memory or time")
    return normal(user), encoded


def _length(unpadded: str) -> int:
    """Bytes in base64 without padding; 0 if it is none, or has bits left over."""
    try:
        found = base64.b64decode(unpadded + "=" * (-len(unpadded) % 4), validate=True)
    except ValueError:
        return 0
    return len(found) if base64.b64encode(found).rstrip(b"=") == unpadded.encode() else 0


def main(arguments: list[str]) -> None:
    """Ask for a password and print the line of a file; from a pipe, the password is one line."""
    if len(arguments) != 1 or not arguments[0] or not arguments[0].isprintable():
        raise SystemExit(f"usage: {MAKE} NAME")
    user = arguments[0]
    if ":" in user or user.startswith("#"):
        raise SystemExit(f"{user!r} cannot be a name: it has a colon, or begins with #")
    if sys.stdin.isatty():
        password = getpass.getpass(f"Password of {user}: ")
        if getpass.getpass("The same again: ") != password:
            raise SystemExit("these are not the same")
    else:
        password = sys.stdin.readline().removesuffix("\n")
    if not password:
        raise SystemExit("a password has at least one character")
    print(f"{normal(user)}:{argon2.PasswordHasher().hash(normal(password))}")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
