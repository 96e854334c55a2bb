from __future__ import annotations

from proto.web.shares import Shares


def test_all_together_hold_no_more_than_there_is() -> None:
    shares = Shares(4)
    for group in ("a", "a", "b", "b"):
        assert shares.fits(group)
        shares.take(group)
    assert shares.all == 4
    assert not shares.fits("c")
    shares.give("a")
    assert shares.fits("c")


def test_one_address_holds_half_at_most() -> None:
    shares = Shares(5)
    shares.take("a")
    shares.take("a")
    assert not shares.fits("a")
    assert shares.fits("b")
    shares.give("a")
    assert shares.fits("a")


def test_where_there_is_one_somebody_has_it() -> None:
    assert Shares(1).fits("a")
    assert not Shares(0).fits("a")
