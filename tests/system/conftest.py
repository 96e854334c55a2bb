"""What the tests of the chat's page share: two browsers, and a server of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.browser import Browser, Pair, chromium, suite
from tests.system.programs import Twistd


@pytest.fixture(scope="module")
def browsers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two browsers for a whole module: each test has a port of its own, and so a fresh origin."""
    folder = tmp_path_factory.mktemp("browsers")
    with chromium(folder / "one") as one, chromium(folder / "other") as other:
        yield one, other


@pytest.fixture
def ann(browsers: Pair) -> Iterator[Browser]:
    """The first browser; whatever a test does there, its policy refuses nothing."""
    browsers[0].resizes(1280, 800)
    yield browsers[0]
    assert browsers[0].leaves() == []


@pytest.fixture
def bob(browsers: Pair) -> Iterator[Browser]:
    """The second browser, see `ann`."""
    yield browsers[1]
    assert browsers[1].leaves() == []


@pytest.fixture
def chat_site(tmp_path: Path) -> Iterator[Twistd]:
    """The chat with its page, and nothing in people's way."""
    with suite(tmp_path) as server:
        yield server
