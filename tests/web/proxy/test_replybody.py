from __future__ import annotations

import asyncio

import pytest

from proto.web.proxy.messages import ReplyLost
from proto.web.proxy.replybody import ReplyBody


class Told:
    """What a body says to its connection."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def hold(self) -> None:
        self.words.append("hold")

    def go_on(self) -> None:
        self.words.append("go on")

    def give_up(self) -> None:
        self.words.append("give up")


async def rest(body: ReplyBody) -> bytes:
    return b"".join([chunk async for chunk in body])


def test_a_body_that_is_here_is_taken_at_once() -> None:
    body = ReplyBody(Told())
    body.put(b"a")
    before = body.is_whole
    body.put_last(b"b")
    assert (before, body.is_whole) == (False, True)
    assert body.take() == b"ab"
    assert asyncio.run(rest(body)) == b""


def test_taking_what_is_here_lets_more_come() -> None:
    told = Told()
    body = ReplyBody(told)
    body.put(b"x" * 70_000)
    assert told.words == ["hold"]
    assert len(body.take()) == 70_000
    assert told.words == ["hold", "go on"]


def test_the_last_piece_holds_nobody() -> None:
    told = Told()
    body = ReplyBody(told)
    body.put_last(b"x" * 70_000)
    assert len(asyncio.run(rest(body))) == 70_000
    assert told.words == []


def test_closing_gives_up_what_has_not_come_and_nothing_else() -> None:
    told = Told()
    body = ReplyBody(told)
    body.close()
    body.close()
    assert told.words == ["give up"]
    whole = ReplyBody(told)
    whole.put_last(b"")
    whole.close()
    assert told.words == ["give up"]


def test_one_that_is_lost_is_not_whole() -> None:
    body = ReplyBody(Told())
    body.put(b"a")
    body.fail(ReplyLost("gone"))
    assert not body.is_whole
    with pytest.raises(ReplyLost):
        asyncio.run(rest(body))
