from __future__ import annotations

import pytest
from twisted.python.usage import UsageError

from proto.errors import StartError
from proto.tap.web import Options, WebSettings, check


def settings(*arguments: str) -> WebSettings:
    options = Options()
    options.parseOptions(list(arguments))
    result = options.read(WebSettings)
    assert isinstance(result, WebSettings)
    return result


def test_the_echo_is_off_unless_a_path_is_given() -> None:
    assert settings().ws_echo is None
    given = settings("--ws-echo", "/ws/echo", "--ws-echo-origin", "https://Example.org")
    assert (given.ws_echo, given.ws_echo_origin) == ("/ws/echo", ("https://Example.org",))
    check(given)


@pytest.mark.parametrize("path", ["echo", "/", "", "/a?b", "/../x", "/%zz"])
def test_what_is_no_path_is_told(path: str) -> None:
    with pytest.raises((SystemExit, UsageError)) as caught:
        settings("--ws-echo", path)
    assert 'expected a path such as "/ws/echo"' in str(caught.value)


def test_what_is_no_origin_is_told() -> None:
    with pytest.raises((SystemExit, UsageError), match="no origin"):
        settings("--ws-echo", "/e", "--ws-echo-origin", "example.org")


def test_an_origin_without_the_echo_makes_no_sense() -> None:
    with pytest.raises(StartError, match="--ws-echo-origin is for --ws-echo"):
        check(settings("--ws-echo-origin", "https://example.org"))
