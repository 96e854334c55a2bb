from __future__ import annotations

from typing import cast

from twisted.internet.task import Clock

from proto.logfile.doors import OpenLog, SenderFactory
from proto.metrics import Metrics


class Log:
    """What a door tells the log."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def join(self) -> None:
        self.told.append("join")

    def ending(self) -> None:
        self.told.append("ending")

    def leave(self) -> None:
        self.told.append("leave")


class Peer:
    """A connection that remembers what it was told."""

    def __init__(self, factory: SenderFactory) -> None:
        self.told: list[str] = []
        self._factory = factory
        factory.joined(self)

    def finish(self) -> None:
        self.told.append("finish")

    def cut_off(self, why: str) -> None:
        self.told.append(why)
        self._factory.left(self)


def test_who_is_connected_is_told_of_the_end_and_the_log_is_left_last() -> None:
    log = Log()
    factory = SenderFactory(cast(OpenLog, log), Clock(), Metrics(), 10)
    factory.doStart()
    gone, *others = (Peer(factory) for _ in range(3))
    factory.left(gone)
    factory.farewell()
    assert log.told == ["join", "ending"]
    factory.doStop()
    assert log.told == ["join", "ending", "leave"]
    assert gone.told == []
    assert [peer.told for peer in others] == [["finish", "the log is closed"]] * 2
