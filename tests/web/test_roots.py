from __future__ import annotations

import sys
from pathlib import Path

import pytest

from proto.errors import StartError
from proto.web.handlers import Handlers
from proto.web.roots import add_handlers, resource_from_class, resource_from_script
from tests.web.wire import ask, site_for, site_of

SCRIPT = """
from twisted.web.resource import Resource
cache()
recache()
RUNS = globals().get("RUNS", 0) + 1
class Page(Resource):
    isLeaf = True
    def render_GET(self, request):
        return b"run %d, registry %d" % (RUNS, registry is not None)
resource = Page()
"""


def test_a_script_is_run_once_and_its_resource_served(tmp_path: Path) -> None:
    path = tmp_path / "root.rpy"
    path.write_text(SCRIPT)
    site = site_for(resource_from_script(path), add_headers=[("X-Extra", "1")])
    path.unlink()
    answer = ask(site, "/any/path")
    assert (answer.status, answer.body) == (200, b"run 1, registry 1")
    assert answer.headers["X-Extra"] == "1"
    assert answer.headers["Content-Type"] == "text/html"
    refused = ask(site, "/", "DELETE")
    assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("x = 1", "gives None: it must give a twisted.web resource"),
        ("resource = 'page'", "gives 'page'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def", "SyntaxError"),
    ],
)
def test_a_script_that_gives_no_resource_is_told_in_one_line(
    tmp_path: Path, script: str, why: str
) -> None:
    path = tmp_path / "root.rpy"
    path.write_text(script)
    with pytest.raises(StartError) as caught:
        resource_from_script(path)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_script_is_told(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"cannot be run .*No such file"):
        resource_from_script(tmp_path / "x.rpy")


def test_a_class_is_called_without_arguments() -> None:
    site = site_for(resource_from_class("twisted.web.resource.Resource"))
    assert ask(site, "/").status == 404


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no.such.module", "cannot be used"),
        ("twisted.web.server.Site", "cannot be used"),
        ("builtins.dict", "must give a twisted.web resource"),
    ],
)
def test_a_class_that_makes_no_resource_is_told(name: str, why: str) -> None:
    with pytest.raises(StartError, match=why):
        resource_from_class(name)


def test_a_script_registers_its_handlers(tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text(
        "async def double(request, number): return {'twice': 2 * number}\n"
        "handlers.register('/double/<int:number>', double)\n"
    )
    handlers = Handlers()
    add_handlers(path, handlers)
    assert ask(site_of(handlers=handlers), "/double/21").body == b'{"twice":42}'


@pytest.mark.parametrize(
    "script",
    ["\n1 / 0", "\nhandlers.register('x', print)", "\nhandlers.register('/x', 1)", "\ndef", "\n\0"],
)
def test_a_script_of_handlers_that_fails_is_told_in_one_line(tmp_path: Path, script: str) -> None:
    path = tmp_path / "app.py"
    path.write_text(script)
    with pytest.raises(StartError, match=r"--handlers .*app\.py.* cannot be run \(") as caught:
        add_handlers(path, Handlers())
    assert "\n" not in str(caught.value)
    assert "line 2" in str(caught.value) or "\0" in script


def test_a_script_of_handlers_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"x\.py: No such file .*; name a Python script"):
        add_handlers(tmp_path / "x.py", Handlers())


def test_a_script_of_handlers_imports_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "lies_beside_it.py").write_text("def hello(request): return 'from beside'\n")
    path = tmp_path / "app.py"
    path.write_text("import lies_beside_it\nhandlers.register('/', lies_beside_it.hello)\n")
    handlers = Handlers()
    try:
        add_handlers(path, handlers)
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("lies_beside_it", None)
    assert ask(site_of(handlers=handlers), "/").body == b"from beside"
