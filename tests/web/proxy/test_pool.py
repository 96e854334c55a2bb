from __future__ import annotations

from typing import Any, cast

import pytest

from proto.web.proxy.connection import Connection
from proto.web.proxy.pool import Pool


class Kept:
    """What a pool sees of a connection."""

    def __init__(self, server: str = "a") -> None:
        self.server = server
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


def kept(server: str = "a") -> Any:
    return cast(Connection, Kept(server))


def test_the_one_that_was_used_last_is_used_next() -> None:
    pool = Pool()
    first, second, other = kept(), kept(), kept("b")
    assert all(map(pool.keep, (first, second, other)))
    assert (len(pool), pool.idle("a"), pool.idle("none")) == (3, 2, 0)
    assert pool.take("a") is second
    assert pool.take("a") is first
    assert pool.take("a") is None
    assert pool.take("b") is other


@pytest.mark.parametrize("most", [0, 2])
def test_no_more_are_kept_for_a_server_than_there_may_be(most: int) -> None:
    pool = Pool(most)
    assert [pool.keep(kept()) for _ in range(most + 1)] == [True] * most + [False]
    assert pool.keep(kept("b")) is bool(most)


def test_one_that_has_ended_is_forgotten() -> None:
    pool = Pool()
    first, second = kept(), kept()
    pool.keep(first)
    pool.keep(second)
    pool.forget(second)
    pool.forget(second)
    pool.forget(kept("none"))
    assert pool.take("a") is first


def test_when_it_closes_nobody_waits_and_nobody_is_kept_until_it_opens() -> None:
    pool = Pool()
    first = kept()
    pool.keep(first)
    pool.close()
    assert first.is_closed
    assert not pool.keep(kept())
    pool.open()
    assert pool.keep(kept())
