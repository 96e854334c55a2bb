"""The XML of XML-RPC as a small tree, read with bounds: no document type, so no entities.

Knows nothing of what the elements mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from proto.web.rpc.faults import INVALID_REQUEST, PARSE_ERROR, RPCError

DEEPEST: Final = 256
"""Elements within one another: each list or struct in another takes three of them."""
MOST_ELEMENTS: Final = 20_000
"""A number in a list takes two.  The tree is made in one turn of the reactor."""
UNKNOWN_ENCODING: Final = -32701
ENCODINGS: Final = frozenset({"utf-8", "utf-16", "iso-8859-1", "us-ascii"})
"""Those of the parser; of any other it would ask Python, which remembers every name for ever."""


@dataclass(slots=True)
class Element:
    """An element, what is in it, and the text between."""

    tag: str
    children: list[Element] = field(default_factory=list)
    text: str = ""


class _Builder:
    """What the parser calls."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._text: list[list[str]] = []
        self._count = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MOST_ELEMENTS:
            raise _refused(f"more than {MOST_ELEMENTS} elements")
        if len(self._open) >= DEEPEST:
            raise _refused(f"elements nest deeper than {DEEPEST}")
        element = Element(tag)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._text.append([])

    def end(self, tag: str) -> None:
        self._open.pop().text = "".join(self._text.pop())

    def data(self, text: str) -> None:
        self._text[-1].append(text)


def read_tree(body: bytes) -> Element:
    """The root of a document.

    Raises:
        RPCError: -32700 for what is not well formed, -32701 for an encoding that is not known,
            -32600 for a document type or what is beyond a bound.
    """
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.XmlDeclHandler = _check_encoding
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise RPCError(PARSE_ERROR, "Parse error", str(error)) from None
    assert builder.root is not None  # or it would not be well formed
    return builder.root


def _check_encoding(version: str, encoding: str | None, standalone: int) -> None:
    if encoding is not None and encoding.lower() not in ENCODINGS:
        raise RPCError(UNKNOWN_ENCODING, "Unsupported encoding", ", ".join(sorted(ENCODINGS)))


def _refuse_doctype(*_: object) -> None:
    raise _refused("a document type is not taken")


def _refused(why: str) -> RPCError:
    return RPCError(INVALID_REQUEST, "Invalid Request", why)
