"""A root resource that somebody else wrote: `--class` and `--resource-script`.

What they render is served like our own tree: with the limits, the error pages, the access log and
the header fields of `proto.web.site.ProtoSite`.
"""

from __future__ import annotations

import runpy
from pathlib import Path

from twisted.python.components import Componentized
from twisted.python.reflect import namedAny
from twisted.web.resource import IResource

from proto.errors import StartError


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


def _checked(made: object, option: str) -> IResource:
    if not IResource.providedBy(made):
        raise StartError(f"{option} gives {made!r}: it must give a twisted.web resource")
    return made


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".replace("\n", " ")
