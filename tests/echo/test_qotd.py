from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proto.echo.qotd import QotdDatagrams, QotdFactory, of_the_day
from tests.echo.wire import ask
from tests.support import connect


def test_the_quote_and_the_connection_is_over() -> None:
    _, wire = connect(QotdFactory("Know thyself"))
    assert wire.value() == b"Know thyself\r\n"
    assert wire.disconnecting


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=700))
def test_a_quote_is_less_than_512_bytes_of_whole_characters(quote: str) -> None:
    line = of_the_day(quote)
    assert len(line) < 512
    assert quote.startswith(line.decode().removesuffix("\r\n"))
    assert line.endswith(b"\r\n")
    assert len(line) >= min(511, len(quote.encode()) + 2) - 3


def test_a_datagram_is_answered_with_as_much_as_it_is_long() -> None:
    service = QotdDatagrams("Know thyself")
    assert ask(service, b"12345") == [(b"Know ", ("192.0.2.1", 4242))]
    assert ask(service, b"?" * 80) == [(b"Know thyself\r\n", ("192.0.2.1", 4242))]
