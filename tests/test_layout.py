"""The house as docs/architecture.md and setup.cfg promise it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
MODULES: Final = sorted(
    path.relative_to(ROOT / "proto")
    for path in (ROOT / "proto").rglob("*.py")
    if path.name != "__init__.py"
)
LONGEST: Final = 400


def test_the_test_tree_is_the_source_tree() -> None:
    missing = [
        str(module)
        for module in MODULES
        if not (ROOT / "tests" / module.parent / f"test_{module.stem.strip('_')}.py").exists()
    ]
    assert missing == []


def test_no_module_has_two_subjects() -> None:
    long = {
        str(module): length
        for module in MODULES
        if (length := (ROOT / "proto" / module).read_text().count("\n")) > LONGEST
    }
    assert long == {}


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_no_module_imports_a_reactor(module: Path) -> None:
    """Only what a function imports when it is called may be one."""
    text = (ROOT / "proto" / module).read_text()
    assert not re.search(r"^(from|import) twisted\.internet\.reactor", text, re.M)
    assert not re.search(r"^from twisted\.internet import .*\breactor\b", text, re.M)


def test_importing_everything_imports_no_reactor() -> None:
    names = [".".join(("proto", *module.with_suffix("").parts)) for module in MODULES]
    code = (
        f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\n"
        "assert 'twisted.internet.reactor' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_plugin_folder_is_a_symlink_and_no_package() -> None:
    link = ROOT / "twisted" / "plugins"
    assert link.is_symlink()
    assert link.readlink() == Path("../twisted_plugins")
    assert not (ROOT / "twisted" / "__init__.py").exists()
    assert not (ROOT / "twisted_plugins" / "__init__.py").exists()
