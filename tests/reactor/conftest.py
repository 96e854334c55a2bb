"""A stage for every test: on the lean reactor, or on both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proto.reactor.loop import LeanReactor
from tests.reactor.stage import BOTH, Stage, staged


@pytest.fixture(params=BOTH, ids=lambda kind: str(kind.__name__))
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """On Twisted's epoll reactor and on ours."""
    with staged(request.param) as made:
        yield made


@pytest.fixture
def lean() -> Iterator[Stage]:
    """On ours alone."""
    with staged(LeanReactor) as made:
        yield made
