"""The frozen list: what a wide group shows is weighed beyond what narrow groups in it show, and no message twice."""

from __future__ import annotations

import numpy as np
import pytest

from spymaster.evidence import reactions
from spymaster.evidence.arrays import SECOND_NS
from spymaster.evidence.attribution import attribute
from spymaster.evidence.frozen import FrozenList, Listed, beyond, narrower
from spymaster.evidence.strata import Stratum
from spymaster.evidence.streams import Streams
from spymaster_tests.evidence.markets import MS, Market

WIDE = Stratum(kind="add", reference="trade_buy", relation="same")
TWO = Stratum(kind="add", reference="trade_buy", relation="same", size="2")
MANY = Stratum(kind="add", reference="trade_buy", relation="same", size="11-50")
BINS = ((20.0 * MS, 21.0 * MS, 0.5),)


def row(stratum: Stratum, effect: float, weight: float = 0.5, low: float = 20.0, high: float = 21.0) -> Listed:
    return Listed("E3", "ms", stratum, "ns", ((low * MS, high * MS, weight),), effect)


def answered(share: float, sizes: tuple[int, ...]) -> tuple[Market, int]:
    """Buyers, a share of whom are answered by a bid of one of some sizes 20.5 ms later, and how many are."""
    market = Market(200, 5).background(orders=150, trades=12)
    trades = market.trade_times(0)
    chosen = trades[market.rng.random(len(trades)) < share]
    for number, size in enumerate(sizes):
        at = chosen[number :: len(sizes)] + 20 * MS + MS // 2
        market.place(at, at + 5 * SECOND_NS, size=size, side=0)
    return market, len(chosen)


@pytest.mark.parametrize("sizes", [(2,), (2, 25), (2, 5, 25)])
def test_the_weights_of_answers_are_as_many_as_there_are(sizes: tuple[int, ...]) -> None:
    market, planted = answered(0.4, sizes)
    day = market.day()
    rows = []
    for stratum in (WIDE, TWO, MANY):
        found = next(one for one in reactions.run(day, stratum, Streams(1, "E3"), 99) if one.sub_id == "ms")
        if found.p <= 0.02:
            rows.append(Listed("E3", "ms", stratum, "ns", tuple(found.weights.bins), found.effect))
    assert {one.stratum for one in rows} >= {WIDE, TWO}
    weights = attribute(day, FrozenList(tuple(rows)))["reaction"]
    assert weights.sum() == pytest.approx(planted, rel=0.2)
    wide = attribute(day, FrozenList((rows[0],)))["reaction"]
    both = np.maximum(wide, attribute(day, FrozenList(tuple(rows[1:])))["reaction"])
    assert both.sum() > 1.1 * weights.sum()  # what the largest of all weights would come to


def test_what_narrow_groups_explain_is_not_weighed_again() -> None:
    assert beyond(row(WIDE, 0.1), [row(TWO, 0.1, 0.8)]).bins[0][2] == 0
    # 10 of 20 are no chance, 6 of 10 of them of two lots: of the other 10 there are 4
    left = beyond(row(WIDE, 0.10), [row(TWO, 0.06, 0.6)])
    assert left.bins[0] == (20.0 * MS, 21.0 * MS, pytest.approx(0.4))
    assert beyond(row(WIDE, 0.1), [row(TWO, 0.12, 0.8)]).bins[0][2] == 0
    assert beyond(row(WIDE, 0.1, 0.0), [row(TWO, 0.05)]).bins[0][2] == 0


def test_a_narrow_group_is_of_the_same_test_with_the_same_peak() -> None:
    wide, two, many = row(WIDE, 0.1), row(TWO, 0.05), row(MANY, 0.05, low=40.0, high=41.0)
    other = Listed("E3", "few_ms", TWO, "ns", BINS, 0.05)
    assert narrower(wide, [wide, two, many, other]) == [two]
    assert narrower(two, [wide, two, many, other]) == []
    near = Stratum(kind="add", reference="trade_buy", relation="same", size="2", distance="1")
    assert narrower(wide, [wide, row(near, 0.01), two]) == [two]  # the widest of those in one another


@pytest.mark.parametrize(
    ("one", "other", "within"),
    [
        (TWO, WIDE, True),
        (WIDE, TWO, False),
        (TWO, TWO, False),
        (TWO, MANY, False),
        (TWO, Stratum(), True),
        (Stratum(kind="add", side="B"), Stratum(kind="add", size="2"), False),
    ],
)
def test_within(one: Stratum, other: Stratum, *, within: bool) -> None:
    assert one.is_within(other) == within
