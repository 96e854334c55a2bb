"""What a registry tells of itself: the `system.` methods of XML-RPC, and `rpc.discover`.

They are registered like any other function, for every protocol.
http://xmlrpc-c.sourceforge.net/introspection.html, https://spec.open-rpc.org/
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from proto.web.rpc.faults import INVALID_PARAMS, INVALID_REQUEST, RPCError
from proto.web.rpc.registry import Registry, openrpc, xml_signatures
from proto.web.rpc.xmlrpc import fault_of

Call = Callable[[str, list[Any], dict[str, Any]], Awaitable[Any]]

MOST_CALLS: Final = 100
"""Calls in one system.multicall; they run one after another."""
CAPABILITIES: Final = {
    "xmlrpc": ("http://xmlrpc.com/spec.md", 1),
    "introspect": ("http://xmlrpc-c.sourceforge.net/introspection.html", 1),
    "system.multicall": ("http://mirrors.talideon.com/articles/multicall.html", 1),
    "faults_interop": ("http://xmlrpc-epi.sourceforge.net/specs/rfc.fault_codes.php", 20010516),
    "json-rpc 2.0": ("https://www.jsonrpc.org/specification", 1),
    "nil": ("http://ws.apache.org/xmlrpc/types.html", 1),
}


class Introspection:
    """The methods about methods."""

    def __init__(self, registry: Registry, call: Call) -> None:
        self._registry = registry
        self._call = call

    def register(self) -> None:
        """Let them be called like the others."""
        add = self._registry.add
        add("system.listMethods", self.list_methods)
        add("system.methodHelp", self.method_help)
        add("system.methodSignature", self.method_signature)
        add("system.getCapabilities", self.get_capabilities)
        add("system.multicall", self.multicall)
        add("rpc.discover", self.discover)

    def list_methods(self) -> list[str]:
        """The names of all methods."""
        return sorted(method.name for method in self._registry)

    def method_help(self, name: str) -> str:
        """What a method says of itself."""
        return self._registry.find(name).help

    def method_signature(self, name: str) -> list[list[str]] | str:
        """The types of its result and of its parameters, in each way in which it can be called."""
        return xml_signatures(self._registry.find(name)) or "undef"

    def get_capabilities(self) -> dict[str, Any]:
        """Which specifications are kept here."""
        return {
            name: {"specUrl": url, "specVersion": version}
            for name, (url, version) in CAPABILITIES.items()
        }

    def discover(self) -> dict[str, Any]:
        """All methods as an OpenRPC document."""
        return openrpc(self._registry)

    async def multicall(self, calls: list[Any]) -> list[Any]:
        """Call several methods, each {methodName, params}; gives [result] or a fault for each."""
        if len(calls) > MOST_CALLS:
            raise RPCError(INVALID_PARAMS, "Invalid params", f"{MOST_CALLS} calls at most")
        answers: list[Any] = []
        for call in calls:
            try:
                name, params = _asked(call)
                answers.append([await self._call(name, params, {})])
            except RPCError as error:
                answers.append(fault_of(error))
        return answers


def _asked(call: Any) -> tuple[str, list[Any]]:
    if not isinstance(call, dict):
        raise _wrong("a call is a struct")
    name, params = call.get("methodName"), call.get("params", [])
    if not isinstance(name, str) or not isinstance(params, list):
        raise _wrong("a call has a methodName and params")
    if name == "system.multicall":
        raise _wrong("system.multicall cannot call itself")
    return name, params


def _wrong(why: str) -> RPCError:
    return RPCError(INVALID_REQUEST, "Invalid Request", why)
