from __future__ import annotations

from proto.logfile.send.wire import Hopeless, LineRefused, Trouble


def test_trouble_says_when_to_come_again_and_what_is_hopeless_does_not() -> None:
    trouble = Trouble("503 Busy", after=2.0)
    assert (str(trouble), trouble.after, trouble.refused) == ("503 Busy", 2.0, False)
    assert Trouble("500", refused=True).refused
    assert issubclass(LineRefused, Hopeless)
    assert not issubclass(Hopeless, Trouble)
