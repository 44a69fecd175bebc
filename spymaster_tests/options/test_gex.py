"""Gamma exposure by strike: exact on a known surface, complete in every second, null where nothing is known."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from spymaster.options.gex import GexInputError
from spymaster.settings import OptionSettings
from spymaster_tests.options.definitions import CLOSE, MIDNIGHT, definition, pairs
from spymaster_tests.options.exposures import (
    GAMMA_TOLERANCE,
    LEVELS,
    SECOND,
    START,
    Session,
    all_interest,
    compare,
    ns_of,
    two_expiries,
    walk,
)

RATIOS = ("gex_imbalance_ratio", "gex_share", "iv", "moneyness")
CHANGES = tuple(f"d{order}_{name}" for order in (1, 2, 3) for name in ("gex_abs", "gex", "gex_imbalance_ratio"))


@pytest.fixture(scope="module")
def known() -> Session:
    """Two expiries, 81 strikes, 200 seconds, open interest known from the first second on."""
    rows = two_expiries()
    return Session(rows, walk(200, step=3.0), all_interest(rows))


@pytest.fixture(scope="module")
def surface(known: Session) -> pl.DataFrame:
    return known.run()[0]


def test_every_value_of_the_grid_is_that_of_the_known_surface(known: Session, surface: pl.DataFrame) -> None:
    assert compare(known, surface, LEVELS, GAMMA_TOLERANCE) == len(LEVELS) * 200 * 25
    # moneyness passes through 0 at the forward
    assert compare(known, surface, RATIOS, GAMMA_TOLERANCE, 1e-5) == len(RATIOS) * 200 * 25


def test_differences_are_those_of_the_strike_even_where_the_grid_moves(known: Session, surface: pl.DataFrame) -> None:
    middles = surface.group_by("window_end").agg(pl.col("strike_price_int").median())["strike_price_int"].n_unique()
    assert middles > 3, "the grid has to move for this test to say anything"
    scale = surface["gex_abs"].max()
    assert isinstance(scale, float)
    money = tuple(name for name in CHANGES if not name.endswith("ratio"))
    compared = compare(known, surface, money, 1e-3, 2e-5 * scale)
    assert compared == 2 * 25 * (199 + 198 + 197), "null only where one of their seconds is before the first"
    ratios = tuple(name for name in CHANGES if name.endswith("ratio"))
    assert compare(known, surface, ratios, 1e-3, 1e-4) == 25 * (199 + 198 + 197)


def test_differences_are_exactly_those_of_the_stored_values(surface: pl.DataFrame) -> None:
    """Against the table itself, where a strike is in the grid of four seconds on end."""
    for name, size in (("gex", 1e-6), ("gex_abs", 1e-6), ("gex_imbalance_ratio", 1e-6)):
        first, second, third = (pl.col(f"d{order}_{name}") for order in (1, 2, 3))
        value = pl.col(name).cast(pl.Float64)
        frame = surface.sort("strike_price_int", "window_end").with_columns(
            [value.shift(lag).over("strike_price_int").alias(f"v{lag}") for lag in (1, 2, 3)]
            + [(pl.col("window_end") - pl.col("window_end").shift(3).over("strike_price_int")).alias("span")]
        )
        frame = frame.filter(pl.col("span") == timedelta(seconds=3))
        v1, v2, v3 = pl.col("v1"), pl.col("v2"), pl.col("v3")
        off = frame.select(
            one=(first - (value - v1)).abs().max(),
            two=(second - (value - 2 * v1 + v2)).abs().max(),
            three=(third - (value - 3 * v1 + 3 * v2 - v3)).abs().max(),
            scale=value.abs().max(),
        ).row(0)
        assert frame.height > 3_000
        assert max(off[:3]) <= size * max(off[3], 1.0)


def test_every_second_with_a_spot_has_the_whole_grid_and_spots_are_the_snapshots(known: Session) -> None:
    spots: list[float | None] = [None, None, *walk(70)]
    session = Session(two_expiries(), spots, all_interest(known.rows))
    frame, levels = session.run()
    counts = frame.group_by("window_end", maintain_order=True).len()
    assert counts["len"].to_list() == [25] * 70
    assert counts["window_end"].to_physical().to_list() == session.ns[2:]
    joined = frame.join(session.snapshot, on="window_end", suffix="_of_snapshot")
    assert joined["spot_ref_price_int"].equals(joined["spot_ref_price_int_of_snapshot"], check_names=False)
    assert (frame["rel_ticks"].cast(pl.Int64) * 250_000_000 + frame["spot_ref_price_int"]).equals(
        frame["strike_price_int"], check_names=False
    )
    assert levels.height == 1


def test_nothing_priced_is_a_grid_of_nulls(known: Session) -> None:
    rows = two_expiries()
    session = Session(rows, walk(20), all_interest(rows))
    session.quotes = session.quotes.with_columns(
        pl.lit(None, pl.Float32).alias(name) for name in ("iv", "delta", "gamma")
    )
    frame, _ = session.run()
    assert frame.height == 500
    for name in ("gex_call", "gex_put", "gex", "gex_abs", "gex_share", "flow_gex", "iv", "gamma_call", *CHANGES):
        assert frame[name].null_count() == 500
    assert frame["oi_call"].null_count() == 0


def test_open_interest_that_is_unknown_is_null_and_not_zero(known: Session) -> None:
    rows = two_expiries()
    only = [(1, row["instrument_id"], 0) for row in rows if row["right"] == "P"]
    session = Session(rows, walk(8), [*only, (5, rows[0]["instrument_id"], 70)])
    frame, _ = session.run()
    assert frame["gex_call"].null_count() == frame.height
    assert frame["oi_call"].null_count() == frame.height
    assert frame["gex_put"].to_list() == [0.0] * frame.height
    assert frame["gex"].to_list() == frame["gex_abs"].to_list() == [0.0] * frame.height
    assert frame["gex_imbalance_ratio"].null_count() == frame.height, "0 over 0"
    # from the fifth second on a strike outside of the grid has all there is
    assert frame["gex_share"].to_list() == [None] * 100 + [0.0] * 100
    assert compare(session, frame, (*LEVELS, *RATIOS), GAMMA_TOLERANCE, 1e-5)


def test_open_interest_counts_from_the_second_in_which_it_is_received(known: Session) -> None:
    rows = two_expiries()
    known_interest = all_interest(rows)
    withdrawn = [(9, number, -1) for _, number, _ in known_interest]
    later = [(15, number, count + 1) for _, number, count in known_interest]
    session = Session(rows, walk(20), [*[(4, *one[1:]) for one in known_interest], *withdrawn, *later])
    frame, _ = session.run()
    nulls = frame.group_by("window_end", maintain_order=True).agg(pl.col("gex").null_count())["gex"].to_list()
    assert nulls == [25] * 3 + [0] * 5 + [25] * 6 + [0] * 6
    assert compare(session, frame, (*LEVELS, *CHANGES[:3]), 1e-3, 1e-5 * 1e9)


@pytest.mark.parametrize("right", ["C", "P"])
def test_a_session_of_one_right_only(right: str) -> None:
    rows = [row for row in two_expiries() if row["right"] == right]
    session = Session(rows, walk(30), all_interest(rows))
    frame, levels = session.run()
    assert compare(session, frame, (*LEVELS, *RATIOS), GAMMA_TOLERANCE, 1e-5)
    side, other = ("call", "put") if right == "C" else ("put", "call")
    assert frame[f"gex_{side}"].null_count() == 0
    assert frame[f"gex_{other}"].null_count() == frame[f"gamma_{other}"].null_count() == frame.height
    assert set(frame["gex_imbalance_ratio"].drop_nulls().to_list()) == {1.0 if right == "C" else -1.0}
    assert levels.height == 0


def test_a_chain_with_fewer_strikes_than_the_grid_is_continued_with_nulls() -> None:
    rows = pairs([6_790, 6_795, 6_800, 6_810])
    session = Session(rows, walk(10, step=0.25), all_interest(rows))
    frame, _ = session.run()
    one = frame.head(25)
    assert one["strike_points"].to_list() == [6_740.0 + 5 * i for i in range(25)]
    assert one.filter(pl.col("gex").is_not_null())["strike_points"].to_list() == [6_790, 6_795, 6_800, 6_810]
    assert one.filter(pl.col("oi_call").is_not_null()).height == 4
    assert one["gex_share"].sum() == pytest.approx(1, rel=1e-6)


def test_shares_are_of_all_strikes_not_of_the_grid(surface: pl.DataFrame) -> None:
    shares = surface.group_by("window_end").agg(pl.col("gex_share").cast(pl.Float64).sum())["gex_share"]
    assert shares.is_between(0.3, 0.95).all()


def test_size_of_the_grid_is_a_setting(known: Session) -> None:
    rows = two_expiries()
    session = Session(rows, walk(4), all_interest(rows), settings=OptionSettings(grid_strikes=3))
    frame, _ = session.run()
    assert frame.height == 4 * 7


def test_rates_discount_gamma(known: Session) -> None:
    rows = two_expiries()
    plain, rated = (
        Session(rows, walk(4), all_interest(rows), settings=OptionSettings(rate=rate)).run()[0] for rate in (0.0, 0.05)
    )
    years = (ns_of(CLOSE) - START - SECOND) / SECOND / (365 * 86_400)
    ratio = (rated["gamma_call"] / plain["gamma_call"]).head(25).to_numpy()
    np.testing.assert_allclose(ratio, math.exp(-0.05 * years), rtol=1e-6)


def test_a_missing_second_breaks_the_differences() -> None:
    rows = two_expiries()
    session = Session(rows, walk(12), all_interest(rows))
    session.snapshot = session.snapshot.filter(pl.int_range(pl.len()) != 5)
    frame, _ = session.run()
    first = frame.group_by("window_end", maintain_order=True).agg(pl.col("d1_gex").null_count())["d1_gex"].to_list()
    assert first == [25, 0, 0, 0, 0, 25, 0, 0, 0, 0, 0]
    # what was traded in the missing second is not lost
    whole = Session(rows, walk(12), all_interest(rows)).run()[0]
    assert frame.tail(25)["flow_gex"].equals(whole.tail(25)["flow_gex"])


def test_rows_do_not_depend_on_batches_and_blocks(known: Session, surface: pl.DataFrame) -> None:
    other, levels = known.run(batch=50_000, block_seconds=900)
    assert other.equals(surface)
    assert known.run(batch=61, block_seconds=7)[1].equals(levels)


def test_what_comes_later_changes_nothing_before() -> None:
    rows = two_expiries()
    later = definition(30_000, ts_recv=MIDNIGHT + timedelta(hours=15, seconds=150), strike_price_int=6_803 * 10**9)
    session = Session([*rows, later], walk(200), [*all_interest(rows), *all_interest(rows, 160, 6)])
    session.quotes = session.quotes.filter(pl.col("instrument_id") != 30_000)
    whole = session.run()
    cut = session.ns[129]
    rng = np.random.default_rng(1)
    after = pl.col("window_end").to_physical() > cut

    def scrambled(frame: pl.DataFrame, *names: str) -> pl.DataFrame:
        changes = []
        for name in names:
            values = frame[name].to_numpy().copy()
            changes.append(pl.when(after).then(pl.Series(rng.permutation(values))).otherwise(name).alias(name))
        return frame.with_columns(changes)

    session.quotes = scrambled(session.quotes, "iv", "delta", "gamma", "buy_volume", "sell_volume", "ask_price_int")
    session.quotes = session.quotes.filter(~after | (pl.int_range(pl.len()) % 3 == 0))
    session.forwards = scrambled(session.forwards, "forward", "years")
    session.snapshot = scrambled(session.snapshot, "spot_ref_price_int")
    session.interest = [*all_interest(rows), *all_interest(rows, 150, 99)]
    session.rows = [
        *rows,
        later | {"strike_price_int": 6_801 * 10**9, "ts_recv": later["ts_recv"] - timedelta(seconds=9)},
        # of an expiration before all that are known, received as the last second ends
        definition(31_000, ts_recv=MIDNIGHT + timedelta(hours=15, seconds=130), expiration=CLOSE - timedelta(hours=2)),
    ]
    other = session.run()
    for one, two in zip(whole, other, strict=True):
        before = [frame.filter(~after) for frame in (one, two)]
        assert before[0].height > 0
        assert before[0].equals(before[1])
        assert not one.equals(two)


def test_quotes_out_of_order_are_refused() -> None:
    session = Session(two_expiries(), walk(5))
    session.quotes = session.quotes.reverse()
    with pytest.raises(GexInputError, match="out of order"):
        session.run()
    session = Session(two_expiries(), walk(5))
    session.snapshot = session.snapshot.reverse()
    with pytest.raises(GexInputError, match="book_snapshot_1s"):
        session.run()
