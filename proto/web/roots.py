"""What somebody else wrote: a root resource (`--class`, `--resource-script`), or `--handlers`.

It is served like our own tree: with the limits, the error pages, the access log and the header
fields of `proto.web.site.ProtoSite`.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from traceback import extract_tb

from twisted.python.components import Componentized
from twisted.python.reflect import namedAny
from twisted.web.resource import IResource

from proto.errors import StartError
from proto.web.handlers import Handlers


def resource_from_class(name: str) -> IResource:
    """Call what `package.module.Class` names, without arguments.

    Raises:
        StartError: there is no such class, or it makes no resource.
    """
    try:
        made = namedAny(name)()
    except Exception as error:
        raise StartError(
            f"--class {name} cannot be used ({_told(error)}): "
            "name a class that is called without arguments, as package.module.Class"
        ) from error
    return _checked(made, f"--class {name}")


def resource_from_script(path: Path) -> IResource:
    """Run an .rpy script once, and take what it assigned to `resource`.

    Twisted runs such a script for every request unless it calls `cache()`; here it may call that,
    and `recache()`, to no effect.

    Raises:
        StartError: it cannot be run, or assigned no resource.
    """
    given = {
        "resource": None,
        "registry": Componentized(),
        "cache": lambda: None,
        "recache": lambda: None,
    }
    try:
        made = runpy.run_path(str(path), init_globals=given)["resource"]
    except Exception as error:
        raise StartError(
            f"--resource-script {path} cannot be run ({_told(error)}): mend the script"
        ) from error
    return _checked(made, f"--resource-script {path}")


def add_handlers(path: Path, handlers: Handlers) -> None:
    """Run a script once, which registers handlers: `handlers.register("/hello", hello)`.

    What lies beside it can be imported.

    Raises:
        StartError: it cannot be run.
    """
    check_script(path)
    sys.path.insert(0, str(path.absolute().parent))
    try:
        runpy.run_path(str(path), init_globals={"handlers": handlers})
    except Exception as error:
        lines = [
            each.lineno for each in extract_tb(error.__traceback__) if each.filename == str(path)
        ]
        where = f", line {lines[-1]}" if lines else ""
        raise StartError(
            f"--handlers {path}{where} cannot be run ({_told(error)}): mend the script"
        ) from error


def check_script(path: Path) -> None:
    """Raises StartError for what is no Python script; it is not run."""
    try:
        compile(path.read_bytes(), str(path), "exec")
    except OSError as error:
        raise StartError(f"--handlers {path}: {error.strerror}; name a Python script") from error
    except (SyntaxError, ValueError) as error:
        raise StartError(
            f"--handlers {path} cannot be run ({_told(error)}): mend the script"
        ) from error


def _checked(made: object, option: str) -> IResource:
    if not IResource.providedBy(made):
        raise StartError(f"{option} gives {made!r}: it must give a twisted.web resource")
    return made


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".replace("\n", " ")
