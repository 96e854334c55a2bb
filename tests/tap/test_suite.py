from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from proto.config import settings_of
from proto.errors import StartError
from proto.tap.chat import ChatSettings
from proto.tap.options import ProcessSettings
from proto.tap.suite import KINDS, Options, Plan, application

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    """The tests run in a folder of their own: a proto.toml there is found without being named."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


def test_without_a_file_everything_runs_with_its_defaults(folder: Path) -> None:
    plan = Plan.read(None)
    assert list(plan.services) == ["chat", "web", "logfile", "echo"]
    assert plan.process == ProcessSettings()
    assert plan.told().endswith("the default configuration: no mistake found")


def test_the_proto_toml_of_the_folder_is_found_without_being_named(folder: Path) -> None:
    (folder / "proto.toml").write_text("[echo]\n")
    plan = Plan.read(None)
    assert (list(plan.services), plan.path) == (["echo"], folder / "proto.toml")


def test_the_example_is_right_and_differs_from_the_defaults_only_where_it_says_so() -> None:
    plan = Plan.read(ROOT / "proto.toml")
    assert list(plan.services) == ["chat", "web", "logfile", "echo"]
    assert plan.services["chat"] == ChatSettings()


def test_every_commented_key_of_the_example_is_one_that_can_be_used(folder: Path) -> None:
    lines = (ROOT / "proto.toml").read_text().splitlines()
    wanted = [line[2:] for line in lines if line.startswith("# ") and " = " in line]
    assert len(wanted) >= 4
    for line in wanted:
        key = line.partition(" = ")[0]
        tables = [name for name, kind in KINDS.items() if key in settings_of(kind.settings)]
        table = tables[0] if tables else "proto"
        rest = "" if tables else "[echo]\n"
        (folder / "x.toml").write_text(f"[{table}]\n{line}\n{rest}")
        Plan.read(folder / "x.toml")


def test_copying_the_chat_needs_a_log_receiver(folder: Path) -> None:
    (folder / "x.toml").write_text("[chat]\ncopy-to-logfile = true\n")
    with pytest.raises(StartError, match=r"\[chat\] copy-to-logfile: no \[logfile\] in the file"):
        Plan.read(folder / "x.toml").check()
    (folder / "x.toml").write_text("[chat]\ncopy-to-logfile = true\n[logfile]\n")
    Plan.read(folder / "x.toml").check()


def test_check_names_the_table_of_what_is_not_there(folder: Path) -> None:
    (folder / "x.toml").write_text('[web]\npath = "nowhere"\n')
    with pytest.raises(SystemExit) as ended:
        Options().parseOptions(["--check", "--config", "x.toml"])
    assert ended.value.code == (
        f"twistd proto: [web] --path nowhere: no such folder; create it: mkdir -p {folder}/nowhere"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[chat]\nport = []\n", "[chat] no port to listen on; give at least one"),
        ('[chat]\ntls = "/nowhere"\n', "[chat] --tls /nowhere: no certificate there"),
        ('[chat]\nport = "tls:1"\n', "[chat] tls:1: no certificate; add --tls DIR or :certs=DIR"),
    ],
)
def test_check_looks_at_doors_and_certificates_too(folder: Path, text: str, told: str) -> None:
    (folder / "x.toml").write_text(text)
    with pytest.raises(SystemExit) as ended:
        Options().parseOptions(["--check", "--config", "x.toml"])
    assert str(ended.value.code).startswith(f"twistd proto: {told}")


def test_a_wrong_key_far_down_and_tables_far_inside_are_told_at_once(folder: Path) -> None:
    (folder / "x.toml").write_text("# comment\n" * 20_000 + "[chat]\nprt = 1\n")
    with pytest.raises(StartError, match=r"line 20002: chat\.prt = 1: no such key"):
        Plan.read(folder / "x.toml")
    (folder / "x.toml").write_text("[chat." + ".".join("a" * 900) + "]\n")
    with pytest.raises(StartError, match=r"chat\.a = .*: no such key"):
        Plan.read(folder / "x.toml")


def test_check_prints_the_plan_and_ends_with_0(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "x.toml").write_text('[echo]\nport = ["7", "unix:x.sock", "tcp6:8"]\n')
    with pytest.raises(SystemExit) as ended:
        Options().parseOptions(["--check", "--config", "x.toml"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.splitlines() == [
        "echo would listen on tcp 0.0.0.0:7, unix x.sock, tcp [::]:8",
        f"{folder}/x.toml: no mistake found",
    ]


def test_a_wrong_file_ends_serve_tac_in_one_line(folder: Path) -> None:
    (folder / "proto.toml").write_text("[chat]\nport = 1.5\n")
    with pytest.raises(SystemExit) as ended:
        application(folder / "proto.toml")
    assert str(ended.value.code).startswith("twistd -y serve.tac: ")
