from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from proto.limits import Admissions, Limits, TooMany
from proto.web.admission import admit
from proto.web.request import WebRequest
from proto.web.response import HTTPError


def asked_by(host: str) -> WebRequest:
    """A request of which only the client counts."""
    return cast(WebRequest, SimpleNamespace(client=IPv4Address("TCP", host, 4711)))


def test_who_stays_is_counted_until_it_is_gone() -> None:
    admissions = Admissions(Limits(connections=1), Clock().seconds)
    release = admit(admissions, asked_by("192.0.2.1"))
    assert admissions.open == 1
    release()
    admit(admissions, asked_by("192.0.2.2"))


@pytest.mark.parametrize(
    ("limits", "status"), [(Limits(connections=1), 503), (Limits(per_address=1), 429)]
)
def test_one_too_many_is_told_when_to_come_again(limits: Limits, status: int) -> None:
    admissions = Admissions(limits, Clock().seconds)
    told: list[TooMany] = []
    admit(admissions, asked_by("192.0.2.1"), told.append)
    with pytest.raises(HTTPError) as refused:
        admit(admissions, asked_by("192.0.2.1"), told.append)
    assert refused.value.status == status
    assert "Retry-After" in dict(refused.value.headers)
    assert len(told) == 1
    assert admissions.open == 1
