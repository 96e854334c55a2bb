"""What is told to a program whose call failed: a number, a sentence, and perhaps more.

The numbers are those of JSON-RPC 2.0 (section 5.1), which took them from the customary faults of
XML-RPC (http://xmlrpc-epi.sourceforge.net/specs/rfc.fault_codes.php).
"""

from __future__ import annotations

from typing import Any, Final

from proto.errors import PeerError

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
UNKNOWN_METHOD: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
REFUSED: Final = -32000
"""For a PeerError that has no number of its own."""
_LARGEST: Final = 2**31 - 1  # of the numbers that XML-RPC can say


class _Nothing:
    """There is no more to say; None would be something."""


NOTHING: Final = _Nothing()


class RPCError(PeerError):
    """A refusal that the caller is told; a registered function may raise it.

    `data` is more about it, whatever can be JSON; XML-RPC leaves it out.
    """

    def __init__(self, code: int, message: str, data: Any = NOTHING) -> None:
        if not -_LARGEST <= code <= _LARGEST:
            raise ValueError(f"{code} is not a number of 32 bits")
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


def internal_error(incident: str = "") -> RPCError:
    """What is told of a mistake of ours: nothing but where it is in the log."""
    return RPCError(
        INTERNAL_ERROR, "Internal error", {"incident": incident} if incident else NOTHING
    )
