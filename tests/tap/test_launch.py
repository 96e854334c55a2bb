from __future__ import annotations

from typing import Any

import pytest

from proto.errors import StartError
from proto.tap.launch import launch
from proto.tap.options import ListenSettings, ProcessSettings, SettingsOptions
from proto.tap.process import Process
from proto.tap.service import DoorService


class Options(SettingsOptions):
    """The options of a service that cannot start."""

    command = "nothing"
    groups = (ListenSettings, ProcessSettings)


def test_what_cannot_be_built_ends_in_one_line() -> None:
    def build(settings: Any, process: Process) -> DoorService:
        assert isinstance(settings, ListenSettings)
        assert process.settings.grace == 3.0
        raise StartError("the roof is missing;\nbuild one")

    options = Options()
    options.parseOptions(["--grace", "3"])
    with pytest.raises(SystemExit) as ended:
        launch(options, ListenSettings, build)
    assert ended.value.code == r"twistd nothing: the roof is missing;\nbuild one"
