from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.cases import BENCHMARKS
from benchmarks.profile.subjects import SUBJECTS, Subject

ALL = [subject for make in SUBJECTS.values() for subject in make()]


NOT_PROFILED = {"lag", "proxy", "wsgi", "api"}
"""A wait, and what is done by several programs or threads."""


def test_every_benchmark_of_one_server_has_a_subject() -> None:
    assert set(SUBJECTS) == set(BENCHMARKS) - NOT_PROFILED


def test_each_has_a_name_of_its_own_that_a_file_can_bear() -> None:
    names = [subject.name for subject in ALL]
    assert len(set(names)) == len(names)
    assert all(name.replace("-", "").isalnum() for name in names)


@pytest.mark.parametrize("subject", ALL, ids=lambda subject: subject.name)
def test_each_is_a_service_of_ours(subject: Subject, tmp_path: Path) -> None:
    words = subject.contestant.command(tmp_path, 1)
    assert subject.name.partition("-")[0] in words
    assert "--reactor=lean" in words
