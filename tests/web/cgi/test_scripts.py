from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from proto.web.cgi.scripts import Script, Scripts
from proto.web.response import HTTPError
from tests.web.cgi.stage import shell, write_script


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "cgi-bin"
    (folder / "deep").mkdir(parents=True)
    shell(folder, "run", "true")
    shell(folder / "deep", "run", "true")
    for name in ("nph-run", "NPH-run", ".hidden"):
        shell(folder, name, "true")
    write_script(folder, "data", "x", 0o644)
    shell(tmp_path, "outside", "true")
    (folder / "away").symlink_to(tmp_path / "outside")
    (folder / "near").symlink_to("run")
    (folder / "up").symlink_to("..")
    (folder / "nowhere").symlink_to("gone")
    os.mkfifo(folder / "fifo")
    return folder


@pytest.mark.parametrize(
    ("names", "script", "rest"),
    [
        ((b"run",), b"run", None),
        ((b"run", b""), b"run", b"/"),
        ((b"run", b"a b", b"", b"\xff"), b"run", b"/a b//\xff"),
        ((b"deep", b"run", b"x"), b"deep/run", b"/x"),
        ((b"near", b"x"), b"near", b"/x"),
    ],
)
def test_the_first_names_are_the_script_and_the_rest_is_told_to_it(
    folder: Path, names: tuple[bytes, ...], script: bytes, rest: bytes | None
) -> None:
    path = os.fsencode(folder) + b"/" + script
    found = Scripts(folder).find(names)
    assert found == Script(path, tuple(script.split(b"/")), rest)
    assert found.folder == os.path.dirname(path)


@pytest.mark.parametrize(
    "names",
    [
        (),
        (b"",),
        (b"none",),
        (b"deep",),
        (b"deep", b""),
        (b"", b"run"),
        (b"nph-run",),
        (b"NPH-run", b"x"),
        (b".hidden",),
        (b"away",),
        (b"up", b"outside"),
        (b"nowhere",),
        (b"fifo",),
        (b"..", b"outside"),
        (b"../outside",),
        (b"deep/run",),
        (b"run", b"a/b"),
        (b"run\0",),
        (b"x" * 300,),
    ],
)
def test_what_is_not_there_for_anybody(folder: Path, names: tuple[bytes, ...]) -> None:
    with pytest.raises(HTTPError) as refused:
        Scripts(folder).find(names)
    assert refused.value.status == 404


def test_a_file_that_is_not_executable_is_refused(folder: Path) -> None:
    with pytest.raises(HTTPError, match="not executable") as refused:
        Scripts(folder).find((b"data",))
    assert refused.value.status == 403


def test_a_folder_that_is_named_later_is_looked_at_then(folder: Path) -> None:
    scripts = Scripts(folder)
    shell(folder, "new", "true")
    assert scripts.find((b"new",)).names == (b"new",)
    (folder / "new").unlink()
    with pytest.raises(HTTPError):
        scripts.find((b"new",))


def test_without_a_descriptor_another_try_may_succeed(folder: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        with pytest.raises(HTTPError) as refused:
            Scripts(folder).find((b"run",))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert (refused.value.status, refused.value.headers) == (503, (("Retry-After", "5"),))
