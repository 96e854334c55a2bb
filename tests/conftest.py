"""What holds for every test."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

# A machine that is busy with something else makes no test fail.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


SLOW = ("/system/", "/benchmarks/", "/storage/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that wait for real programs come first, so that none of them is left for the end."""
    items.sort(key=lambda item: not any(each in str(item.path) for each in SLOW))
