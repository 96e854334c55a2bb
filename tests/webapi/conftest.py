"""The API over a store in SQLite and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.conftest import server, where
from tests.webapi.sites import ApiSite

__all__ = ["server", "where"]


@pytest.fixture
def api(where: str) -> Iterator[ApiSite]:
    """The API with nothing in it: the test is run with both."""
    with ApiSite(where) as site:
        yield site


@pytest.fixture
def small(tmp_path: Path) -> Iterator[ApiSite]:
    """The same over SQLite alone, for what the store has no part in."""
    with ApiSite(str(tmp_path / "state")) as site:
        yield site
