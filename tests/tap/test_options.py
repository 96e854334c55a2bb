"""Settings as twistd options: what is read, what help says, and one line for what is wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.python import usage

from proto.config import PATH, flag, setting, settings_of, size
from proto.endpoints import parse
from proto.errors import StartError
from proto.limits import Limits
from proto.tap import chat, echo, logfile, suite, web
from proto.tap.options import (
    ListenSettings,
    ProcessSettings,
    SettingsOptions,
    check_twistd,
    one_line,
)
from tests.system.haproxy import free_port
from tests.system.programs import TWISTD, Program, dial, program, run

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class ShopSettings(ListenSettings):
    """A service of its own."""

    menu: Path = setting(PATH, None, "what there is", also=("card", "m"))
    room_size: int = setting(size(1), "2 KiB", "how much fits in")
    open: bool = flag("whether it is")


class Options(SettingsOptions):
    """The options of a shop."""

    command = "shop"
    groups = (ShopSettings, ProcessSettings)


def read(*arguments: str) -> ShopSettings:
    options = Options()
    options.parseOptions(list(arguments))
    settings = options.read(ShopSettings)
    assert isinstance(settings, ShopSettings)
    return settings


def refusal(*arguments: str) -> str:
    """The one line that ends the process; a text as exit code is exit code 1 and goes to stderr."""
    with pytest.raises(SystemExit) as ended:
        Options().parseOptions(list(arguments))
    assert isinstance(ended.value.code, str)
    assert len(ended.value.code.splitlines()) == 1
    return ended.value.code


# --- reading -------------------------------------------------------------------------------


def test_without_options_everything_has_its_default() -> None:
    assert read() == ShopSettings()
    assert ShopSettings().limits() == Limits()


def test_options_are_read_by_the_kinds_of_their_settings() -> None:
    assert read(
        "--port=tcp6:8080",
        "--interface",
        "127.0.0.1",
        "--max-per-address=5",
        "--idle=1.5",
        "--proxy-protocol=10.0.0.0/8",
        "--menu=menu.txt",
        "--room-size=1 MiB",
        "--open",
    ) == ShopSettings(
        port=(parse("tcp6:8080"),),
        interface="127.0.0.1",
        max_per_address=5,
        idle=1.5,
        proxy_protocol=(ip_network("10.0.0.0/8"),),
        menu=Path("menu.txt"),
        room_size=2**20,
        open=True,
    )


def test_a_setting_has_its_short_and_its_other_names() -> None:
    for arguments in (["-p", "80"], ["-p80"], ["--port", "80"], ["--por=80"]):
        assert read(*arguments).port == (parse("80"),)
    for arguments in (["-m", "x"], ["--card", "x"], ["--menu", "x"]):
        assert read(*arguments).menu == Path("x")


def test_what_may_be_given_more_than_once_is_collected_without_the_default() -> None:
    assert read("--port", "1", "-p", "2", "--port=unix:x").port == (
        parse("1"),
        parse("2"),
        parse("unix:x"),
    )
    assert read("--menu", "a", "--menu", "b").menu == Path("b")


def test_the_settings_of_the_process_are_read_apart() -> None:
    options = Options()
    options.parseOptions(["--grace", "0.5", "--log-format", "json", "--port", "1"])
    assert options.read(ProcessSettings) == ProcessSettings(grace=0.5, log_format="json")
    assert options.read(ShopSettings) == ShopSettings(port=(parse("1"),))


def test_two_runs_of_one_command_do_not_share_what_was_given() -> None:
    read("--port", "1")
    assert read("--port", "2").port == (parse("2"),)


def test_limits_are_the_settings_of_the_same_meaning() -> None:
    settings = ShopSettings(
        max_connections=1, max_per_address=2, max_per_minute=3, accept_rate=4, idle=5.0
    )
    assert settings.limits() == Limits(
        connections=1, per_address=2, per_minute=3, accept_rate=4, idle=5.0
    )


# --- help ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cls",
    [Options, echo.Options, chat.Options, logfile.Options, web.Options, suite.Options],
    ids=lambda cls: str(cls.command),
)
def test_help_tells_every_option_what_it_does_and_its_default(cls: type[SettingsOptions]) -> None:
    told = "".join(str(cls()).split())
    for group in cls.groups:
        for key, (declared, what) in settings_of(group).items():
            takes = "" if what.kind.expected == "true or false" else "="
            assert f"--{key}{takes}" in told
            assert "".join(what.help.split()) in told
            written = declared.metadata["written"]
            if isinstance(written, (int, float, str)) and written is not False and written != "":
                shown = f"{written:g}" if isinstance(written, float) else written
                default = f"[default: {shown}]"
                assert "".join(f"{what.help} {default}".split()) in told


def test_help_shows_a_default_of_zero() -> None:
    told = " ".join(str(Options()).split())
    assert "seconds of silence until a peer is hung up on; 0 is never [default: 0]" in told
    assert "how much fits in [default: 2 KiB]" in told
    assert "-p, --port=" in told
    assert "-m, --menu=" in told
    assert "--card= the same as --menu" in told


# --- what is wrong -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--port", "x"], "--port x: 'x' is neither a port nor an endpoint; expected a port"),
        (["-p", "65536"], "--port 65536: 65536 is no port; expected a port number (0 to 65535)"),
        (["--port", "1", "--port", "y"], "--port y: 'y' is neither a port nor an endpoint; "),
        (["--idle", "-1"], "--idle -1: expected a number of seconds from 0 up"),
        (["--max-connections", "1.5"], "--max-connections 1.5: expected a whole number from 0"),
        (["--interface", "lo"], "--interface lo: 'lo' is no IP address; expected an IP address"),
        (["--proxy-protocol", "10.1.0.0/8"], "--proxy-protocol 10.1.0.0/8: 10.1.0.0/8 has host"),
        (["--log-format", "xml"], "--log-format xml: expected one of text, json"),
        (["--card", ""], "--menu : expected a path"),
        (["--prot", "1"], '--prot: no such option; did you mean "--port"?'),
        (["--room_size", "1"], '--room_size: no such option; did you mean "--room-size"?'),
        (["--qqq"], "--qqq: no such option; see twistd shop --help"),
        (["-x"], "-x: no such option; see twistd shop --help"),
        (["-\n"], "-\\n: no such option; see twistd shop --help"),
        (["--open=1"], "option --open must not have an argument"),
        (["-p"], "option -p requires argument"),
        (["menu"], "'menu' is no option; options begin with --, see twistd shop --help"),
        (["--idle", "1\n2"], "--idle 1\\n2: expected a number of seconds from 0 up"),
        (["--menu", "\x1b[2J\0"], "--menu \\x1b[2J\\x00: expected a path"),
    ],
)
def test_a_wrong_option_is_one_line_with_the_remedy(arguments: list[str], told: str) -> None:
    assert refusal(*arguments).startswith(f"twistd shop: {told}")


@given(st.lists(st.sampled_from(["--port", "-p", "--idle", "--menu", "--open", "--"]) | st.text()))
def test_any_command_line_is_read_or_ends_in_one_line(arguments: list[str]) -> None:
    if {"--help", "--version"} & {argument.partition("=")[0] for argument in arguments}:
        return  # these answer and end, with exit code 0
    try:
        Options().parseOptions(arguments)
    except SystemExit as ended:
        told = str(ended.code)
    else:
        return
    assert told.startswith("twistd shop: ")
    assert told.isprintable()


def test_only_what_a_start_may_fail_with_becomes_one_line() -> None:
    for error in (StartError("no\nport"), usage.UsageError("no\nport")):
        with pytest.raises(SystemExit) as ended, one_line("shop"):
            raise error
        assert ended.value.code == "twistd shop: no\\nport"
        assert ended.value.__suppress_context__
    with pytest.raises(ZeroDivisionError), one_line("shop"):
        raise ZeroDivisionError
    with one_line("shop"):
        pass


def test_the_line_goes_to_stderr_and_the_exit_code_is_1() -> None:
    code = "from proto.tap.echo import Options; Options().parseOptions(['--port', 'x'])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False, text=True
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("twistd echo: --port x: ")
    assert done.stderr.count("\n") == 1


def test_settings_say_what_can_change_while_running() -> None:
    def reloading(cls: Any) -> set[str]:
        return {key for key, (_, what) in settings_of(cls).items() if what.reloads}

    assert reloading(ListenSettings) == {
        "max-connections",
        "max-per-address",
        "max-per-minute",
        "accept-rate",
        "idle",
    }
    assert reloading(ProcessSettings) == {"grace"}


# --- the files that twistd itself writes -----------------------------------------------------


def below(**twistd: object) -> Options:
    """The options of a shop below those of twistd."""
    options = Options()
    cast(Any, options).parent = twistd
    return options


@pytest.mark.parametrize("daemon", [True, False])
def test_a_log_file_that_cannot_be_written_is_refused(tmp_path: Path, daemon: bool) -> None:
    path = tmp_path / "none" / "x.log"
    with pytest.raises(StartError, match=f"^--logfile {path}: no such folder; create it: "):
        check_twistd(below(logfile=str(path), nodaemon=int(not daemon), syslog=0))
    with pytest.raises(StartError, match=f"^--logfile {tmp_path}: cannot be written; "):
        check_twistd(below(logfile=str(tmp_path), nodaemon=int(not daemon), logger=None))


@pytest.mark.parametrize("other", [{"syslog": 1}, {"logger": print}], ids=["syslog", "logger"])
def test_a_log_file_that_twistd_does_not_open_is_not_looked_at(
    tmp_path: Path, other: dict[str, object]
) -> None:
    check_twistd(below(logfile=str(tmp_path / "none" / "x.log"), **other))
    check_twistd(below(logfile=str(tmp_path), nodaemon=0, **other))
    with pytest.raises(StartError, match=r"^--pidfile .*: no such folder; create it: "):
        check_twistd(below(pidfile=str(tmp_path / "none" / "x.pid"), **other))


def unprivileged() -> tuple[str, ...]:
    """What makes root heed the modes of folders as everybody does."""
    if os.geteuid() != 0:
        return ()
    return (program("setpriv", "util-linux"), "--bounding-set=-all", "--inh-caps=-all")


def test_a_daemon_in_a_folder_that_may_not_be_written_is_told_to_name_a_log_file(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "sealed"
    folder.mkdir(mode=0o555)
    done = run(*unprivileged(), TWISTD, "--pidfile=", "echo", "--port", "0", cwd=folder)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == (
        b"twistd echo: --logfile twistd.log: cannot be written; name another file\n"
    )


@pytest.mark.parametrize("other", ["--syslog", "--logger=twisted.logger.STDLibLogObserver"])
def test_a_daemon_that_logs_elsewhere_starts_in_a_folder_that_may_not_be_written(
    tmp_path: Path, other: str
) -> None:
    folder = tmp_path / "sealed"
    folder.mkdir(mode=0o555)
    pidfile = tmp_path / "x.pid"
    with free_port() as port:
        place = f"tcp:{port}:interface=127.0.0.1"
        done = run(
            *(*unprivileged(), TWISTD, f"--pidfile={pidfile}", other),
            *("echo", "--port", place, "--grace", "0"),
            cwd=folder,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        daemon = int(pidfile.read_text())
        with Program("tail", f"--pid={daemon}", "-f", "/dev/null", cwd=tmp_path) as waiting:
            try:
                with dial(port) as peer:
                    peer.sendall(b"hello")
                    assert peer.recv(5) == b"hello"
            finally:
                os.kill(daemon, signal.SIGTERM)
            assert waiting.end() == 0
    assert list(folder.iterdir()) == []
