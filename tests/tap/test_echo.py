from __future__ import annotations

import pytest

from proto.echo.services import SERVICES, SmallServiceOptions
from proto.errors import StartError
from proto.tap.echo import EchoSettings, Options, check


def settings(*arguments: str) -> EchoSettings:
    options = Options()
    options.parseOptions(list(arguments))
    result = options.read(EchoSettings)
    assert isinstance(result, EchoSettings)
    return result


def test_without_options_it_is_echo_on_its_old_port() -> None:
    given = settings()
    assert (given.service, [str(port) for port in given.port]) == ("echo", ["tcp 0.0.0.0:8007"])
    assert given.options == SmallServiceOptions()


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("!", b"!"),
        (r"\n", b"\n"),
        (r"\r\n", b"\r\n"),
        (r"\x00", b"\0"),
        ("\u20ac", b"\xe2\x82\xac"),
    ],
)
def test_a_delimiter_is_text_with_escapes(text: str, delimiter: bytes) -> None:
    assert settings("--delimiter", text).options.delimiter == delimiter


def test_every_option_of_the_services_can_be_given() -> None:
    given = settings(
        *["--service", "reverse", "--quote", "q", "--message", "m", "--delimiter", ";"],
        *["--delay", "1.5", "--text", "--max-request", "1 KiB"],
    )
    assert given.options == SmallServiceOptions(
        quote="q", message="m", delimiter=b";", delay=1.5, text=True, max_request=1024
    )


@pytest.mark.parametrize("name", SERVICES)
def test_udp_is_refused_for_services_that_have_none(name: str) -> None:
    given = settings("--service", name, "--udp")
    if SERVICES[name].udp is None:
        with pytest.raises(StartError, match=f"--udp: {name} has no UDP form"):
            check(given)
    else:
        check(given)
