"""What a newcomer does: `make run` in a fresh clone, and a wheel in an environment of their own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.system.programs import ROOT, Program, Twistd, run
from tests.system.test_command_lines import fetch, say_hello, use_all_four, write_config

PATIENCE: Final = 600.0
"""Seconds for pip to fetch and install what is needed."""
COMMANDS: Final = ["chat", "echo", "logfile", "proto", "twisted-web", "web"]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout as `git clone` gives it, with what is not committed yet."""
    folder = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():
            shutil.copy2(ROOT / name, target, follow_symlinks=False)
    return folder


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, clone: Path) -> Path:
    """The bin folder of a clean environment with the wheel that was built from the clone."""
    folder = tmp_path_factory.mktemp("own")
    source = folder / "source"
    shutil.copytree(clone, source, symlinks=True)
    execute(sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(source))
    execute(sys.executable, "-m", "venv", str(folder / "venv"))
    wheel = next(folder.glob("proto-*.whl"))
    execute(str(folder / "venv" / "bin" / "pip"), "install", "--quiet", str(wheel))
    return folder / "venv" / "bin"


def execute(*command: str) -> None:
    """Run an installer to its end."""
    done = subprocess.run(
        command, capture_output=True, timeout=PATIENCE, check=False, env=without_paths()
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


def without_paths() -> dict[str, str]:
    """Our environment as a newcomer has it: no checkout on the path, no virtual environment."""
    mine = ("PYTHONPATH", "VIRTUAL_ENV", "COVERAGE_PROCESS_START", "MAKEFLAGS", "MAKELEVEL")
    return {name: value for name, value in os.environ.items() if name not in mine}


def listed(twistd: Path, cwd: Path, env: dict[str, str]) -> list[tuple[str, str]]:
    """Our commands and how twistd describes them."""
    done = run(str(twistd), "--help", cwd=cwd, env=env)
    found = re.findall(r"^    ([a-z-]+) +(\S.*)$", done.stdout.decode(), re.M)
    return [(name, told) for name, told in found if name in COMMANDS]


def ours_is_the_web(twistd: Path, cwd: Path, env: dict[str, str]) -> None:
    """There is one `web`, which is ours, and everything else is there too."""
    commands = dict(listed(twistd, cwd, env))
    assert sorted(commands) == COMMANDS
    assert commands["web"] == "A web server for files and Python handlers."
    assert len(listed(twistd, cwd, env)) == len(COMMANDS)


def test_the_wheel_in_a_clean_environment_serves_chat_and_web(own: Path, tmp_path: Path) -> None:
    env = without_paths()
    ours_is_the_web(own / "twistd", tmp_path, env)
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "index.html").write_text("the page")
    twistd = str(own / "twistd")
    with Twistd("chat", "--port", "0", cwd=tmp_path, twistd=twistd, env=env) as server:
        assert "bob says hello\r\n" in say_hello(server.port("chat"), "bob")
        assert server.end(signal.SIGTERM) == 0
    command = ("web", "--path", "static", "--port", "0")
    with Twistd(*command, cwd=tmp_path, twistd=twistd, env=env) as server:
        assert "the page" in fetch(server.port("web"), "/")
        assert server.end(signal.SIGTERM) == 0


def test_a_checkout_on_pythonpath_is_enough_where_the_dependencies_are(
    own: Path, clone: Path, tmp_path: Path
) -> None:
    execute(str(own / "pip"), "uninstall", "--quiet", "--yes", "proto")
    env = {**without_paths(), "PYTHONPATH": "."}
    ours_is_the_web(own / "twistd", clone, env)
    assert dict(listed(own / "twistd", tmp_path, env)).keys() == {"web"}, "without it, stock's only"
    done = run(str(own / "python"), "-m", "proto.client", "--help", cwd=clone, env=env)
    assert done.returncode == 0


def test_make_run_in_a_fresh_clone_serves_all_four(clone: Path, tmp_path: Path) -> None:
    write_config(tmp_path)
    shutil.copytree(clone / "static", tmp_path / "static")
    config = tmp_path / "proto.toml"
    text = config.read_text().replace('"static"', f'"{tmp_path}/static"')
    config.write_text(text.replace('"log.txt"', f'"{tmp_path}/log.txt"'))
    (tmp_path / "static" / "index.html").write_text("the page")
    command = ("make", "run", f"CONFIG={config}", f"PYTHON={sys.executable}")
    with Program(*command, cwd=clone, env=without_paths(), deadline=PATIENCE) as made:
        made.wait_for(r"echo listens on tcp \S*:(\d+)$")
        use_all_four(made)
        twistd = clone / ".venv" / "bin" / "twistd"
        ours_is_the_web(twistd, tmp_path, without_paths())
        pid = int((clone / "twistd.pid").read_text()) if (clone / "twistd.pid").exists() else None
        assert pid is None, "make run leaves no twistd.pid behind"
        os.killpg(made.process.pid, signal.SIGINT)
        made.end()
        assert "received SIGINT, stopping" in made.output
        assert "Traceback" not in made.output
    assert (tmp_path / "log.txt").read_bytes() == b"a line\n"
