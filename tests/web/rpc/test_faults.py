from __future__ import annotations

import pytest

from proto.errors import PeerError
from proto.web.rpc.faults import NOTHING, RPCError, internal_error


def test_a_fault_is_a_refusal_that_may_be_shown() -> None:
    error = RPCError(7, "no such ship", {"ship": "Nina"})
    assert isinstance(error, PeerError)
    assert (str(error), error.code, error.data) == ("no such ship", 7, {"ship": "Nina"})
    assert RPCError(7, "x").data is NOTHING


@pytest.mark.parametrize("code", [1 << 31, -(1 << 31)])
def test_a_number_has_32_bits(code: int) -> None:
    with pytest.raises(ValueError, match="32 bits"):
        RPCError(code, "x")


def test_of_a_mistake_only_its_place_in_the_log_is_told() -> None:
    error = internal_error("abc")
    assert (error.code, error.message) == (-32603, "Internal error")
    assert error.data == {"incident": "abc"}
    assert internal_error().data is NOTHING
