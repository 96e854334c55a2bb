from __future__ import annotations

from proto.echo.daytime import DaytimeDatagrams, DaytimeFactory, daytime
from tests.echo.wire import ask
from tests.support import connect

MOMENT = 383_247_463.25
LINE = b"Mon, 22 Feb 1982 17:37:43 GMT\r\n"


def test_the_line_does_not_depend_on_place_or_language() -> None:
    assert daytime(MOMENT) == LINE


def test_the_time_and_the_connection_is_over() -> None:
    _, wire = connect(DaytimeFactory(lambda: MOMENT))
    assert wire.value() == LINE
    assert wire.disconnecting


def test_a_datagram_is_answered_with_the_whole_line_or_not_at_all() -> None:
    service = DaytimeDatagrams(lambda: MOMENT)
    assert ask(service, b"?" * 30) == []
    assert ask(service, b"?" * 31) == [(LINE, ("192.0.2.1", 4242))]
    assert ask(service, b"?" * 400) == [(LINE, ("192.0.2.1", 4242))]
