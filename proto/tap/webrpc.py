"""`--rpc`: functions of the user's that programs call, by JSON-RPC and by XML-RPC."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Final

from proto.config import parsed, setting, whole
from proto.errors import StartError
from proto.tap.process import Process
from proto.tap.service import Part
from proto.tap.webecho import origin_of, place
from proto.web.handlers import Handlers
from proto.web.mounts import Mounts
from proto.web.rpc.calling import Caller
from proto.web.rpc.door import AT_ONCE, JsonRpc, Room, XmlRpc
from proto.web.rpc.introspection import Introspection
from proto.web.rpc.registry import Registry

JSON_PATH: Final = "/rpc"
XML_PATH: Final = "/RPC2"


@dataclass(frozen=True, slots=True)
class Source:
    """A registry or a function in somebody's module."""

    module: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Source:
        """`package.module:name`.  Raises ValueError."""
        module, colon, name = text.partition(":")
        parts = [*module.split("."), *name.split(".")]
        if not colon or not all(part.isidentifier() for part in parts):
            raise ValueError(f"{text!r} is no module with a name")
        return cls(module, name)

    def add_to(self, registry: Registry) -> None:
        """Import it, and register what is there.  Raises StartError."""
        told = f"--rpc {self.module}:{self.name}"
        folder = str(Path.cwd())
        if folder not in sys.path:  # twistd leaves it out
            sys.path.insert(0, folder)
        try:
            found = reduce(getattr, self.name.split("."), importlib.import_module(self.module))
        except Exception as error:  # whatever a module raises when it is imported
            why = f"{type(error).__name__}: {error}".replace("\n", " ")
            raise StartError(f"{told} cannot be used ({why}): name it as module:name") from error
        try:
            self._register(found, registry)
        except ValueError as error:
            raise StartError(f"{told}: {error}") from error

    def _register(self, found: Any, registry: Registry) -> None:
        if isinstance(found, Registry):
            for method in found:
                registry.register(method.name, method.function)
        else:
            registry.register(self.name, found)


@dataclass(frozen=True, kw_only=True)
class RpcSettings:
    """Which functions can be called, and where."""

    rpc: tuple[Source, ...] = setting(
        parsed('a module and a name such as "calc:registry" or "calc:add"', Source.parse),
        [],
        "as calc:add: a function, or a proto.web.rpc.registry.Registry of some, that programs may "
        "call; may be given more than once",
        many=True,
    )
    rpc_path: str = setting(
        parsed('a path such as "/rpc"', place), JSON_PATH, "where JSON-RPC is spoken with --rpc"
    )
    rpc_xml_path: str = setting(
        parsed('a path such as "/RPC2"', place), XML_PATH, "where XML-RPC is spoken with --rpc"
    )
    rpc_origin: tuple[str, ...] = setting(
        parsed('an origin such as "https://example.org"', origin_of),
        [],
        "an origin whose pages may call --rpc besides our own; may be given more than once",
        many=True,
    )
    rpc_at_once: int = setting(
        whole(1, 10_000), AT_ONCE, "requests that --rpc answers at the same time; more get 503"
    )


def check(settings: RpcSettings) -> None:
    """Import what is to be called.  Raises StartError."""
    _registry(settings)
    if settings.rpc_origin and not settings.rpc:
        raise StartError("--rpc-origin is for --rpc; give that too, or leave it out")


def mount(
    settings: RpcSettings, process: Process, mounts: Mounts, handlers: Handlers
) -> Sequence[Part]:
    """Put both doors into the tree, if there is something to call."""
    if settings.rpc:
        registry = _registry(settings)
        caller = Caller(registry, process.reactor, process.metrics)
        Introspection(registry, caller.call).register()
        room = Room(settings.rpc_at_once).count(process.metrics)
        mounts.add(settings.rpc_path, JsonRpc(caller, room, settings.rpc_origin))
        mounts.add(settings.rpc_xml_path, XmlRpc(caller, room, settings.rpc_origin))
    return ()


def _registry(settings: RpcSettings) -> Registry:
    registry = Registry()
    for source in settings.rpc:
        source.add_to(registry)
    return registry
