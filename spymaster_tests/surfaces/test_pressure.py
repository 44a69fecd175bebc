"""Pressure: components, what they are divided by, and that nothing of the future or of block edges shows in them."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spymaster.settings import PressureSettings
from spymaster.surfaces.errors import CalibrationError, SurfaceInputError
from spymaster.surfaces.option_flow import OptionFlow
from spymaster.surfaces.pressure import Buckets, PressurePass, Usual
from spymaster.tables.pressure_surface_1s import COMPONENTS, SCORES
from spymaster.tables.types import DISTANCE_BAND_EDGES
from spymaster_tests.surfaces.frames import TICK, in_blocks, make_session, mirrored, start_of
from spymaster_tests.surfaces.options import CALL, definitions_of, quotes_from, quotes_of
from spymaster_tests.surfaces.pressing import (
    DEFINITIONS,
    EARLIER,
    ES,
    INVALID,
    POINT,
    as_stored,
    by_hand,
    calibrated,
    flow_of,
    options_of,
    pressed,
    sparse,
)


@pytest.fixture(scope="module")
def calibration() -> pl.DataFrame:
    """Usual values of another random session, options included."""
    wall, snapshot = make_session(200, seed=11, dt=EARLIER)
    return calibrated(wall, options_of(snapshot, 5))


@pytest.fixture(scope="module")
def session() -> tuple[pl.DataFrame, pl.DataFrame, OptionFlow]:
    """150 seconds of a random book and its options: no spot in the first two, some seconds not valid."""
    wall, snapshot = make_session(150, seed=7, no_spot_before=2, invalid=INVALID)
    return wall, snapshot, options_of(snapshot, 9)


def test_components_and_pressures_equal_a_plain_recomputation(calibration: pl.DataFrame):
    wall, snapshot = make_session(150, seed=7, no_spot_before=2, invalid=INVALID)
    quotes = quotes_of(DEFINITIONS, snapshot, seed=9)
    frame = pressed(wall, snapshot, calibration, flow_of(quotes))
    expected = by_hand(wall, snapshot, quotes)
    divisors = {
        (metric, band): max(q50 if metric.startswith("rest") else mean, 1.0)
        for metric, band, q50, mean in calibration.select("metric_name", "band", "q50", "mean").iter_rows()
    }
    bands = {rel: band for band, (low, high) in DISTANCE_BAND_EDGES.items() for rel in range(low, high + 1)}
    start = start_of(date(2024, 1, 3))
    assert frame.height == len(expected) == 148 * 81
    first_quote = quotes["window_end"][0]
    nets: dict[tuple[int, int], float | None] = {}
    for row in frame.with_columns(ns=pl.col("window_end").to_physical()).iter_rows(named=True):
        second, bucket, rel = (row["ns"] - start) // 10**9 - 1, row["bucket_price_int"] // POINT, row["rel_buckets"]
        parts = expected[second, bucket]
        assert row["has_options"] == (row["window_end"] >= first_quote)
        assert [row[name] for name in COMPONENTS] == [
            pytest.approx(parts[name], rel=1e-6, abs=1e-6) for name in COMPONENTS
        ]
        nets[second, bucket] = None
        if second in INVALID:
            assert all(row[name] is None for name in SCORES)
            continue
        ratio = {name: parts[name] / divisors[name, bands[abs(rel)]] for name in COMPONENTS}
        assert row["rest_ratio_ask"] == pytest.approx(ratio["rest_short"], rel=1e-6)
        assert row["rest_ratio_bid"] == pytest.approx(ratio["rest_long"], rel=1e-6)
        long, short = (
            (sum(ratio[f"{kind}_{way}"] for kind in ("book", "trade", "option", "rest")) + other_side) / 4
            for way, other_side in (("long", rel > 0), ("short", rel < 0))
        )
        assert row["long_pressure"] == pytest.approx(long, rel=1e-5)
        assert row["short_pressure"] == pytest.approx(short, rel=1e-5)
        net = nets[second, bucket] = (long - short) / (long + short)
        assert row["net_pressure"] == pytest.approx(net, abs=1e-6)
        one, two = nets.get((second - 1, bucket)), nets.get((second - 2, bucket))
        d1 = None if one is None else net - one
        d2 = None if one is None or two is None else net - 2 * one + two
        assert row["d1_net_pressure"] == (None if d1 is None else pytest.approx(d1, abs=1e-6))
        assert row["d2_net_pressure"] == (None if d2 is None else pytest.approx(d2, abs=1e-6))


def test_flow_of_a_window_that_is_not_valid_is_no_flow_and_what_was_known_fades(calibration: pl.DataFrame):
    """A snapshot replays the book as adds: two windows that replace everything must leave no pressure behind."""
    wall, snapshot = make_session(6, seed=3)
    flows = ("add_qty", "pull_qty_total", "fill_qty")
    bad = pl.col("window_end").is_in(snapshot["window_end"][3:5].implode())
    replaced = wall.with_columns(pl.when(bad).then(50_000).otherwise(name).cast(pl.Int32).alias(name) for name in flows)
    marked = [frame.with_columns(window_valid=~bad) for frame in (replaced, snapshot)]
    frame = pressed(marked[0], marked[1], calibration)
    ends = snapshot["window_end"]

    def flow(second: int) -> pl.DataFrame:
        return frame.filter(pl.col("window_end") == ends[second]).select("bucket_price_int", *COMPONENTS[:4])

    both = flow(2).join(flow(4), on="bucket_price_int", suffix="_later")
    for name in COMPONENTS[:4]:
        faded = both[name].to_numpy() * math.exp(-2 / 15)
        assert both[f"{name}_later"].to_numpy() == pytest.approx(faded, rel=1e-6)
    assert frame.filter(pl.col("window_end") == ends[4])["rest_long"].sum() > 0


@pytest.mark.parametrize("rows", [1, 83, 700])
def test_block_boundaries_do_not_show(calibration: pl.DataFrame, session, rows: int):
    wall, snapshot, options = session
    if rows == 1:
        snapshot = snapshot[:12]
        wall = wall.filter(pl.col("window_end") <= snapshot["window_end"][-1])
    whole = pressed(wall, snapshot, calibration, options)
    assert pressed(in_blocks(wall, rows), snapshot, calibration, options).equals(whole)


def test_the_sparse_wall_gives_the_same_surface_and_the_same_usual_values(calibration: pl.DataFrame):
    wall, snapshot = make_session(190, seed=5, busy=0.05)
    thin = sparse(wall)
    assert thin.height < 0.7 * wall.height
    assert pressed(thin, snapshot, calibration).equals(pressed(wall, snapshot, calibration))
    assert calibrated(thin).equals(calibrated(wall))


@pytest.mark.parametrize("cut", [1, 60, 149])
def test_nothing_after_a_second_changes_what_is_said_up_to_it(calibration: pl.DataFrame, session, cut: int):
    wall, snapshot, _ = session
    quotes = quotes_of(DEFINITIONS, snapshot, seed=9)
    end = snapshot["window_end"][cut]
    other_wall, other_snapshot = make_session(150, seed=99, spot_price_int=4900 * POINT)
    other_quotes = quotes_of(definitions_of([4_900.0, 4_905.0]), other_snapshot, seed=1)
    # received as the second ends: the options become others, one is withdrawn
    late = definitions_of(4_900 + 5 * np.arange(-4, 5), known_at_ns=int(snapshot["window_end"].to_physical()[cut]))
    late = late.with_columns(is_deleted=pl.col("instrument_id") == CALL)
    other_definitions = pl.concat([DEFINITIONS, late]).sort("instrument_id", "ts_recv")

    def joined(now: pl.DataFrame, then: pl.DataFrame) -> pl.DataFrame:
        return pl.concat([now.filter(pl.col("window_end") <= end), then.filter(pl.col("window_end") > end)])

    changed = [joined(*pair) for pair in ((wall, other_wall), (snapshot, other_snapshot), (quotes, other_quotes))]
    before = pressed(wall, snapshot, calibration, flow_of(quotes)).filter(pl.col("window_end") <= end)
    other = pressed(changed[0], changed[1], calibration, flow_of(changed[2], other_definitions))
    after = other.filter(pl.col("window_end") <= end)
    assert as_stored(before) == as_stored(after)
    # the definitions do matter where they are known
    undefined = pressed(changed[0], changed[1], calibration, flow_of(changed[2])).filter(pl.col("window_end") > end)
    assert cut == 149 or not undefined.equals(other.filter(pl.col("window_end") > end))


def test_no_window_has_options_before_the_first_quote(calibration: pl.DataFrame, session):
    wall, snapshot, _ = session
    late = snapshot.filter(pl.col("window_end") > snapshot["window_end"][100])
    frame = pressed(wall, snapshot, calibration, options_of(late, 9))
    seen = (
        frame.group_by("window_end").agg(pl.col("has_options").any(), pl.col("option_long").count()).sort("window_end")
    )
    assert seen["has_options"].to_list() == [second > 100 for second in range(2, 150)]
    assert seen["option_long"].to_list() == [81 * (second > 100) for second in range(2, 150)]


def test_options_weigh_nothing_where_no_session_of_the_pool_had_any(session):
    wall, snapshot, options = session
    without = calibrated(make_session(200, seed=11, dt=EARLIER)[0])
    run = PressurePass([wall], snapshot, without, buckets=ES, options=options)
    frame = pl.concat(run)
    assert run.counters["options_without_usual"] == 1
    assert not frame["has_options"].any()
    assert frame["option_long"].null_count() == frame.height
    assert frame.equals(pressed(wall, snapshot, without))


def test_a_mirrored_market_swaps_long_and_short(session):
    """Both sessions reflected about spot: bids for asks, calls for puts, and usual values likewise."""
    wall, _ = make_session(100, seed=13)
    # spot in a fixed place of its bucket, half a bucket from both edges, so that a mirror image of a bucket is one
    buckets = Buckets(TICK, 5)
    spot = (4800 * POINT // (5 * TICK)) * 5 * TICK + 2 * TICK
    fixed = wall.with_columns(
        spot_ref_price_int=pl.lit(spot), price_int=spot + pl.col("rel_ticks").cast(pl.Int64) * TICK
    )
    shots = fixed.select("window_end", "contract", "spot_ref_price_int", "window_valid").unique(
        "window_end", keep="first", maintain_order=True
    )
    calibration = calibrated(fixed, buckets=buckets)
    reflected = mirrored(fixed)
    swap = {"long": "short", "short": "long"}
    names = {f"{kind}_{way}": f"{kind}_{swap[way]}" for kind in ("book", "trade", "option", "rest") for way in swap}
    swapped = calibration.with_columns(pl.col("metric_name").replace(names)).sort("metric_name", "band")
    assert (
        calibrated(reflected, buckets=buckets)
        .filter(kind="ratio")
        .select("mean", "q50", "scale")
        .equals(swapped.filter(kind="ratio").select("mean", "q50", "scale"))
    )
    frame = pressed(fixed, shots, calibration, buckets=buckets)
    mirror = pressed(reflected, shots, swapped, buckets=buckets).sort("window_end", pl.col("rel_buckets") * -1)
    names |= {"long_pressure": "short_pressure", "short_pressure": "long_pressure"}
    names |= {"rest_ratio_ask": "rest_ratio_bid", "rest_ratio_bid": "rest_ratio_ask"}
    for name, other in names.items():
        assert mirror[other].equals(frame[name].rename(other)), name
    for name in ("net_pressure", "d1_net_pressure", "d2_net_pressure"):
        assert (-mirror[name]).equals(frame[name])


@st.composite
def markets(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "seconds": draw(st.integers(4, 25)),
        "seed": draw(st.integers(0, 10_000)),
        "busy": draw(st.sampled_from([0.01, 0.3, 1.0])),
        "no_spot_before": draw(st.integers(0, 3)),
        "invalid": tuple(draw(st.lists(st.integers(0, 24), max_size=5))),
    }


@settings(max_examples=20, deadline=None)
@given(market=markets(), weights=st.tuples(*[st.floats(0.01, 5)] * 4))
def test_pressures_keep_their_bounds_whatever_happens(calibration: pl.DataFrame, market, weights):
    wall, snapshot = make_session(**market)
    names = ("weight_book", "weight_trade", "weight_option", "weight_rest")
    frame = pressed(wall, snapshot, calibration, weights=PressureSettings(**dict(zip(names, weights, strict=True))))
    assert frame.height == 81 * snapshot["spot_ref_price_int"].count()
    scored = frame.filter("window_valid")
    assert scored.select(SCORES[:5]).null_count().sum_horizontal().sum() == 0
    assert scored["net_pressure"].is_between(-1, 1).all()
    assert scored.select(pl.min_horizontal("long_pressure", "short_pressure").min()).item() in (
        None,
        pytest.approx(0, abs=1e9),
    )
    assert frame.filter(~pl.col("window_valid")).select(SCORES).count().sum_horizontal().sum() == 0


def test_in_a_session_like_the_pool_a_component_is_once_the_usual_and_nobody_outpaces(calibration: pl.DataFrame):
    wall, snapshot = make_session(900, seed=21, dt=EARLIER)
    usual = calibrated(wall)
    frame = pressed(wall, snapshot, usual)
    divisors = Usual(usual, ES).divisors
    for k, name in enumerate(COMPONENTS[:4]):
        # trades far from spot are so rare that their mean is below E
        near = frame.filter(pl.col("rel_buckets").abs() <= (3 if name.startswith("book") else 1))
        band = near["rel_buckets"].abs().to_numpy()
        assert np.mean(near[name].to_numpy() / divisors[k, band]) == pytest.approx(1.0, abs=0.02)
    above = frame.filter(pl.col("rel_buckets").is_between(2, 3))["net_pressure"]
    below = frame.filter(pl.col("rel_buckets").is_between(-3, -2))["net_pressure"]
    assert abs(np.mean(above.to_numpy())) < 0.1
    assert abs(np.mean(below.to_numpy())) < 0.1


def test_weights_are_configuration_and_a_component_of_weight_0_does_not_count(calibration: pl.DataFrame, session):
    wall, snapshot, options = session
    rest_only = PressureSettings(weight_book=0, weight_trade=0, weight_option=0, weight_rest=2)
    frame = pressed(wall, snapshot, calibration, options, weights=rest_only).filter("window_valid")
    long = frame["rest_ratio_bid"].cast(pl.Float64) + (frame["rel_buckets"] > 0)
    assert frame["long_pressure"].to_numpy() == pytest.approx(long.to_numpy(), rel=1e-6)


def test_buckets_beyond_the_grid_have_no_rows():
    assert Buckets(TICK, 4).reach == 40
    assert Buckets(TICK, 20).reach == 29
    assert Buckets(TICK, 4, grid_ticks=20).reach == 4
    assert Buckets(TICK, 1, grid_ticks=20).reach == 20
    with pytest.raises(SurfaceInputError, match="does not fit"):
        Buckets(TICK, 30, grid_ticks=20)
    wall, snapshot = make_session(20, seed=1)
    wide = Buckets(TICK, 20)
    frame = pressed(wall, snapshot, calibrated(wall, buckets=wide), buckets=wide)
    assert frame["rel_buckets"].unique().to_list() == list(range(-29, 30))
    assert (frame["bucket_price_int"] % (20 * TICK) == 0).all()


def test_buckets_lie_on_absolute_prices_also_below_zero():
    wall, snapshot = make_session(5, seed=1, spot_price_int=-37 * POINT - TICK)
    frame = pressed(wall, snapshot, calibrated(wall))
    own = frame.filter(pl.col("rel_buckets") == 0)
    assert (own["bucket_price_int"] <= own["spot_ref_price_int"]).all()
    assert (own["spot_ref_price_int"] < own["bucket_price_int"] + POINT).all()
    assert (frame["bucket_price_int"] % POINT == 0).all()
    assert frame["rest_long"].sum() > 0


def test_differences_follow_the_price_and_not_the_distance(calibration: pl.DataFrame, session):
    wall, snapshot, _ = session
    frame = pressed(wall, snapshot, calibration)
    moved = frame.with_columns(before=pl.col("rel_buckets").shift(1).over("bucket_price_int")).filter(
        (pl.col("before") != pl.col("rel_buckets")) & pl.col("d1_net_pressure").is_not_null()
    )
    assert moved.height > 0
    again = frame.with_columns(
        expected=pl.col("net_pressure").cast(pl.Float64).diff().over("bucket_price_int"),
        step=pl.col("window_end").diff().over("bucket_price_int").dt.total_seconds(),
    ).filter(pl.col("step") == 1, "window_valid")
    off = (again["d1_net_pressure"] - again["expected"]).abs().max()
    assert isinstance(off, float)
    assert off < 1e-6


@pytest.mark.parametrize(("strike", "seen"), [(4849.0, True), (4951.0, False)])
def test_option_flow_is_seen_as_far_from_spot_as_the_wall_reaches(calibration: pl.DataFrame, strike: float, seen: bool):
    """A trade 49 points from spot shows once spot has come near; one 151 points away, beyond 600 ticks, never does."""
    wall, snapshot = make_session(3, seed=1)
    ends = snapshot["window_end"]
    first = start_of(date(2024, 1, 3)) // 10**9 + 1
    options = flow_of(quotes_from((first, CALL, 100, 0, 0.5)), definitions_of([strike]))
    assert pressed(wall, snapshot, calibration, options)["option_long"].sum() == 0
    later = pl.col("window_end") > ends[0]
    moved = snapshot.with_columns(
        spot_ref_price_int=pl.when(later).then(round(strike - 20) * POINT).otherwise("spot_ref_price_int")
    )
    frame = pressed(wall.filter(~later), moved, calibration, options)
    shown = frame.filter(pl.col("option_long") > 0).select("window_end", "bucket_price_int", "option_long").rows()
    faded = [(ends[k], round(strike) * POINT, pytest.approx(50 * math.exp(-k / 15), rel=1e-6)) for k in (1, 2)]
    assert shown == (faded if seen else [])


def test_a_calibration_without_the_components_is_refused(session):
    wall, snapshot, _ = session
    whole = calibrated(wall)
    for broken in (whole.filter(pl.col("kind") != "ratio"), whole.with_columns(scale=pl.lit(0.0))):
        with pytest.raises(CalibrationError, match="book_long"):
            PressurePass([wall], snapshot, broken, buckets=ES)


def test_a_wall_row_without_its_snapshot_row_is_an_error(calibration: pl.DataFrame, session):
    wall, snapshot, _ = session
    with pytest.raises(SurfaceInputError, match="does not have"):
        pressed(wall, snapshot.filter(pl.col("window_end") != snapshot["window_end"][70]), calibration)


def test_prices_too_far_apart_are_refused_with_the_window(calibration: pl.DataFrame):
    wall, snapshot = make_session(3, seed=1)
    wild = snapshot.with_columns(spot_ref_price_int=pl.Series([4800 * POINT, 4800 * POINT, 10**18]))
    with pytest.raises(SurfaceInputError, match="2024-01-03T15:00:03"):
        pressed(wall.filter(pl.col("window_end") <= snapshot["window_end"][1]), wild, calibration)


def test_a_session_without_wall_rows_has_no_pressure(calibration: pl.DataFrame):
    _, snapshot = make_session(6)
    nothing = snapshot.with_columns(spot_ref_price_int=pl.lit(None, dtype=pl.Int64))
    assert pressed([], nothing, calibration).height == 0
    frame = pressed([], snapshot, calibration)
    assert frame.height == 6 * 81
    assert frame["rest_long"].sum() == 0
