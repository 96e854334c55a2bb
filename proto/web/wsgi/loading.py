"""Where an application is: `module:app`, or `module.app` as Twisted's own web takes it.

No twisted; what is imported runs, and whatever it raises is told in one line.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any


class CannotLoad(Exception):
    """There is no such object; the message says why, in one line."""


@dataclass(frozen=True, slots=True)
class Name:
    """A module and what is in it: `text` is how it was given."""

    text: str
    module: str
    attributes: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Name:
        """`package.module:name`, `module:object.name` or `module.name`.  Raises ValueError."""
        module, colon, names = text.partition(":")
        if not colon:
            module, _, names = text.rpartition(".")
        attributes = tuple(names.split("."))
        if not all(part.isidentifier() for part in (*module.split("."), *attributes)):
            raise ValueError(f"{text!r} names nothing in a module")
        return cls(text, module, attributes)

    def load(self) -> Callable[..., Any]:
        """Import the module, and take out of it what can be called.

        Raises:
            CannotLoad: it cannot be imported, is not there, or cannot be called.
        """
        try:
            found = reduce(getattr, self.attributes, import_module(self.module))
        # A module may call sys.exit when it is imported.
        except (Exception, SystemExit) as error:
            raise CannotLoad(told(error)) from error
        if not callable(found):
            raise CannotLoad(f"it is {type(found).__name__}, which cannot be called")
        return found


def told(error: BaseException) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def look_in(folders: Sequence[Path]) -> None:
    """Let modules be found in these folders first; `twistd` does not look in the current one."""
    for folder in reversed(folders):
        place = str(folder.absolute())
        if place not in sys.path:
            sys.path.insert(0, place)


def wrapped(application: Callable[..., Any], around: Sequence[Name]) -> Callable[..., Any]:
    """The application inside what these make of it, the first one outermost.

    Raises:
        CannotLoad: one cannot be loaded, fails, or makes nothing that can be called.
    """
    for name in reversed(around):
        made: Any
        try:
            made = name.load()(application)
        except CannotLoad as error:
            raise CannotLoad(f"{name.text}: {error}") from error
        except (Exception, SystemExit) as error:
            raise CannotLoad(f"{name.text}: {told(error)}") from error
        if not callable(made):
            raise CannotLoad(f"{name.text}: it made {type(made).__name__}, which cannot be called")
        application = made
    return application
