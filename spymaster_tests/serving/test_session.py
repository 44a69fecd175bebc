"""What a session's windows hold, against the lake's own rows."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from spymaster.lake import Lake
from spymaster.lake.dense import dense
from spymaster.serving.batches import columns_of
from spymaster.serving.catalog import Catalog
from spymaster.serving.errors import BadRequestError, BrokenSessionError, UnknownSurfaceError
from spymaster.serving.lod import NO_TICK
from spymaster.serving.opening import trading_start
from spymaster.serving.session import CHUNK_S, Session
from spymaster.serving.store import SessionStore
from spymaster.serving.surfaces import BY_NAME, SNAPSHOT, SURFACES
from spymaster.serving.wall import WallArrays, fill_wall
from spymaster_tests.checks.sessions import SYMBOL, spoil
from spymaster_tests.serving.conftest import settings_for
from spymaster_tests.serving.lakes import DT, KEY, TICK

WALL = "silver.wall_surface_1s"


def columns(market: Session, surface: str, first: int, stop: int) -> dict[str, np.ndarray]:
    windows = list(market.iter_batches(first, stop, [surface], batch=stop - first))
    parts = [columns_of(BY_NAME[surface], window.batches[surface]) for window in windows]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def test_the_session_is_longer_than_a_chunk(market: Session) -> None:
    assert CHUNK_S < market.seconds < 2 * CHUNK_S


def test_every_second_comes_once_and_in_order(market: Session) -> None:
    around = list(market.iter_batches(CHUNK_S - 5, CHUNK_S + 5, ["snap"]))
    assert [window.sec for window in around] == list(range(CHUNK_S - 5, CHUNK_S + 5))
    for window in around:
        assert window.batches["snap"].column("sec").to_pylist() == [window.sec]
        assert window.ts_ns == market.timeline.t0_ns + (window.sec + 1) * 10**9


def test_batches_end_at_the_seam_of_chunks(market: Session) -> None:
    windows = list(market.iter_batches(CHUNK_S - 5, CHUNK_S + 5, ["snap"], batch=300))
    assert [(window.sec, window.count) for window in windows] == [(CHUNK_S - 5, 5), (CHUNK_S, 5)]


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)
def test_bundles_hold_the_same_as_single_windows(market: Session, surface) -> None:
    first = CHUNK_S - 3
    single = [w.batches[surface.name] for w in market.iter_batches(first, first + 6, [surface.name])]
    bundled = [w.batches[surface.name] for w in market.iter_batches(first, first + 6, [surface.name], batch=4)]
    rows = [row for batch in bundled for row in (batch.slice(n, 1) for n in range(batch.num_rows))]
    assert [row.serialize() for row in rows] == [row.serialize() for row in single]
    assert all(batch.schema == surface.schema(market.geometry) for batch in single)


def test_the_snapshot_is_told_exactly(market: Session, served: Lake) -> None:
    stored = served.partition(SNAPSHOT, SYMBOL, DT).read()
    snap = columns(market, "snap", 0, market.seconds)
    assert len(snap["spot_tick"]) == stored.height
    for name, source in (("spot_tick", "spot_ref_price_int"), ("bid_tick", "best_bid_price_int"),
                         ("high_tick", "trade_high_price_int")):  # fmt: skip
        expected = (stored[source] // TICK).fill_null(NO_TICK).to_list()
        assert snap[name].tolist() == expected
    assert snap["bid_qty"].tolist() == stored["best_bid_qty"].fill_null(-1).to_list()
    assert snap["buy_vol"].tolist() == stored["buy_volume"].to_list()
    assert ((snap["state"] == 3) == stored["book_valid"].to_numpy()).all()
    assert ((snap["flags"] & 4 > 0) == stored["crossed"].to_numpy()).all()


@pytest.mark.parametrize("span", [(150, 330), (CHUNK_S - 40, CHUNK_S + 40)], ids=["before the open", "over a seam"])
def test_the_ladder_is_the_dense_wall(market: Session, served: Lake, span: tuple[int, int]) -> None:
    first, stop = span
    begin, end = (market.timeline.end_ns(sec) for sec in (first, stop - 1))
    rows = dense(served.partition(WALL, SYMBOL, DT), begin, end)
    ladder = columns(market, "ladder", first, stop)
    snap = columns(market, "snap", first, stop)
    half = market.geometry.ladder_ticks
    near = rows.filter(pl.col("rel_ticks").abs() <= half).with_columns(
        sec=(pl.col("window_end").to_physical() - market.timeline.t0_ns) // 10**9 - 1 - first
    )
    for side, name in (("B", "bid"), ("A", "ask")):
        expected = np.zeros_like(ladder[name])
        one = near.filter(pl.col("side") == side)
        expected[one["sec"].to_numpy(), one["rel_ticks"].to_numpy() + half] = one["depth_qty_end"].to_numpy()
        known = ladder[name] >= 0
        assert known.all(axis=1).sum() > 0.9 * (stop - first)
        assert (ladder[name][known] == expected[known]).all()
    for name, source in (("add", "add_qty"), ("pull", "pull_qty_total"), ("fill", "fill_qty")):
        assert ladder[name].clip(0).sum() == near[source].sum()
    assert (snap["spot_tick"] != NO_TICK).all()


@pytest.mark.parametrize("span", [(0, 330), (CHUNK_S - 80, CHUNK_S + 80)], ids=["before the open", "over a seam"])
def test_the_whole_wall_is_the_codes_of_its_dense_form(market: Session, served: Lake, span: tuple[int, int]) -> None:
    first, stop = span
    rows = dense(served.partition(WALL, SYMBOL, DT), *(market.timeline.end_ns(sec) for sec in (first, stop - 1)))
    half = market.geometry.half_ticks
    rows = rows.filter(pl.col("rel_ticks").abs() <= half).with_columns(
        sec=(pl.col("window_end").to_physical() - market.timeline.t0_ns) // 10**9 - 1 - first
    )
    cell = rows["sec"].to_numpy(), rows["rel_ticks"].to_numpy() + half
    ask = (rows["side"] == "A").to_numpy()
    shape = (stop - first, 2 * half + 1)

    def placed(column: str, chosen) -> np.ndarray:
        values = np.zeros(shape, np.int32)
        np.add.at(values, (cell[0][chosen], cell[1][chosen]), rows[column].to_numpy()[chosen])
        return values

    snap = columns(market, "snap", first, stop)
    known = np.repeat(((snap["state"] == 3) & (snap["flags"] & 128 == 0))[:, None], shape[1], axis=1)
    assert known[:, 0].sum() > 0
    known[cell] = True
    both = np.ones(len(ask), np.bool_)
    exact = [
        placed("depth_qty_end", ~ask),
        placed("depth_qty_end", ask),
        placed("depth_qty_rest", ~ask),
        placed("depth_qty_rest", ask),
        *(placed(name, both) for name in ("add_qty", "pull_qty_total", "fill_qty")),
    ]
    codes, _ = fill_wall(WallArrays(*(np.where(known, one, -1).astype(np.int32) for one in exact)), market.transfers)
    drawn = columns(market, "wall", first, stop)
    for name, expected in codes.items():
        np.testing.assert_array_equal(drawn[name], expected)


def test_wall_codes_decode_to_the_ladder(market: Session) -> None:
    wall, ladder = columns(market, "wall", 500, 560), columns(market, "ladder", 500, 560)
    half, near = market.geometry.half_ticks, market.geometry.ladder_ticks
    codes = wall["depth"][:, half - near : half + near + 1]
    depth = market.transfers.depth.decode(codes)
    asks, bids = ladder["ask"], ladder["bid"]
    expected = np.where(asks >= bids, asks, -bids)
    assert ((codes == 0) == (asks < 0)).all()
    assert ((codes == 128) == (expected == 0)).all()
    assert (np.sign(depth) == np.sign(expected)).all()
    share = wall["rest_share"][:, half - near : half + near + 1]
    assert ((share == 0) == (expected <= 0) & (expected >= 0) | (asks < 0)).all()


def test_missing_cells_are_told_from_empty_ones(market: Session) -> None:
    wall, snap = columns(market, "wall", 0, 400), columns(market, "snap", 0, 400)
    invalid = snap["state"] != 3
    assert (wall["depth"][~invalid & (snap["flags"] & 128 == 0)] != 0).all()
    vacuum = columns(market, "vacuum", 300, 400)["score"]
    assert (vacuum == 0).any()
    assert (vacuum != 0).any()


def test_a_bucket_is_drawn_at_each_of_its_ticks(market: Session, served: Lake) -> None:
    sec = 700
    net = columns(market, "pressure", sec, sec + 1)["net"][0]
    spot = int(columns(market, "snap", sec, sec + 1)["spot_tick"][0])
    rows = served.partition("silver.pressure_surface_1s", SYMBOL, DT).read()
    rows = rows.filter(pl.col("window_end").to_physical() == market.timeline.end_ns(sec))
    half = market.geometry.half_ticks
    drawn = {
        half + low // TICK + step - spot: value
        for low, value in rows.select("bucket_price_int", "net_pressure").iter_rows()
        for step in range(4)
    }
    assert np.flatnonzero(net).tolist() == sorted(drawn)
    decoded = market.transfers.of("signed_unit").decode(net)
    assert max(abs(decoded[at] - value) for at, value in drawn.items()) <= 0.5 / 127 + 1e-6


def test_strikes_that_were_not_priced_are_missing(market: Session) -> None:
    gex = columns(market, "gex", 700, 701)
    assert (np.diff(gex["strike_tick"][0]) == 20).all()
    assert np.isnan(gex["net"][0]).tolist() == [True, *[False] * 23, True]
    assert np.isnan(gex["flow"]).all()


def test_bands_and_radar_are_those_of_the_tables(market: Session, served: Lake) -> None:
    for surface, name, column in (("bands", "silver.physics_bands_1s", "cells"),
                                  ("radar", "silver.radar_vacuum_1s", "features")):  # fmt: skip
        members = BY_NAME[surface].column(column).members
        stored = served.partition(name, SYMBOL, DT).read(list(members)).slice(900, 50).to_numpy()
        drawn = columns(market, surface, 900, 950)[column]
        np.testing.assert_array_equal(drawn, stored.astype(np.float32))


def test_a_surface_without_a_table_is_missing_and_says_so(own_lake: Lake) -> None:
    own_lake.partition("silver.move_conditions_1s", SYMBOL, DT).path.unlink()
    market = SessionStore(Catalog(own_lake), settings_for(own_lake)).session(KEY)
    assert market.statuses["moves"].status == "unavailable"
    moves = columns(market, "moves", 10, 12)
    assert np.isnan(moves["z"]).all()
    assert (moves["valid"] == 0).all()


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (5, 4), (0, 10**6)])
def test_ranges_outside_the_timeline_are_refused(market: Session, start: int, stop: int) -> None:
    with pytest.raises(BadRequestError):
        next(market.iter_batches(start, stop))


def test_unknown_surfaces_are_refused(market: Session) -> None:
    with pytest.raises(UnknownSurfaceError):
        next(market.iter_batches(0, 1, ["walls"]))


def test_a_price_off_the_tick_breaks_its_surface_only(own_lake: Lake) -> None:
    spoil(own_lake, "silver.pressure_surface_1s", lambda f: f.with_columns(pl.col("bucket_price_int") + 1))
    session = opened(own_lake)
    (window,) = session.iter_batches(700, 701)
    assert not columns_of(BY_NAME["pressure"], window.batches["pressure"])["net"].any()
    assert columns_of(BY_NAME["wall"], window.batches["wall"])["depth"].any()
    reasons = session.source.broken(session)  # type: ignore[attr-defined]
    assert "off the tick of 250000000" in reasons["pressure"]


def test_a_spot_off_the_tick_breaks_the_session(own_lake: Lake) -> None:
    spoil(own_lake, SNAPSHOT, lambda f: f.with_columns(pl.col("spot_ref_price_int") + 1))
    with pytest.raises(BrokenSessionError, match="off the tick"):
        opened(own_lake)


def test_rows_outside_the_timeline_are_counted_and_not_drawn(own_lake: Lake) -> None:
    def later(frame: pl.DataFrame) -> pl.DataFrame:
        def moved(rows: pl.DataFrame, ns: int) -> pl.DataFrame:
            at = (pl.col("window_end").to_physical() + ns).cast(frame.schema["window_end"])
            return rows.with_columns(window_end=at)

        half = moved(frame.head(11), 500_000_000)
        return pl.concat([frame.head(11), half, frame.slice(11), moved(frame.tail(11), 5 * 3600 * 10**9)])

    spoil(own_lake, "silver.pressure_surface_1s", later)
    session = opened(own_lake)
    list(session.iter_batches(0, session.seconds, ["pressure"], batch=CHUNK_S))
    assert session.source.orphans(session)["pressure"] == 22  # type: ignore[attr-defined]


def test_calibration_that_knows_the_session_is_refused(own_lake: Lake) -> None:
    spoil(own_lake, "gold.physics_norm_calibration", lambda f: f.with_columns(asof_dt=pl.lit(DT)))
    calibration = opened(own_lake).calibration
    assert (calibration.status, calibration.basis) == ("defaults", None)
    assert "refused" in (calibration.reason or "")


def test_calibration_of_the_same_session_raises_its_badge(own_lake: Lake) -> None:
    change = {"asof_dt": pl.lit(DT), "basis": pl.lit("same_session", dtype=pl.Enum(["prior_sessions", "same_session"]))}
    spoil(own_lake, "gold.physics_norm_calibration", lambda f: f.with_columns(**change))
    assert opened(own_lake).calibration.status == "same_session"


def opened(lake: Lake) -> Session:
    from spymaster.serving.catalog import Catalog

    return SessionStore(Catalog(lake), settings_for(lake)).session(KEY)


def test_trading_begins_where_spot_moves_for_good() -> None:
    def start(minutes: list[tuple[int, int] | None]) -> int:
        """Each minute has two seconds: its lowest and its highest spot, or none."""
        secs = np.array([60 * at + s for at in range(len(minutes)) for s in (0, 30)])
        return trading_start(secs, pl.Series([spot for one in minutes for spot in one or (None, None)], dtype=pl.Int64))

    jumps = [(5, 5), (5, 9), (9, 9), None]
    moves = [(9, 10), (8, 9), (7, 9)]
    assert start([*jumps, *moves]) == 240
    assert start([*jumps, moves[0], None, *moves[1:]]) == 0, "two in a row, and one before them"
    assert start([*jumps, moves[0], None, *moves]) == 360
    assert start(jumps) == 0
    assert start([None]) == 0


def test_a_session_without_regular_hours_is_opened_where_it_trades(own_lake: Lake, market: Session) -> None:
    before_open = market.timeline.end_ns(170)
    spoil(own_lake, SNAPSHOT, lambda rows: rows.filter(pl.col("window_end").to_physical() <= before_open))
    session = SessionStore(Catalog(own_lake), settings_for(own_lake)).session(KEY)
    assert (market.rth, market.opening_sec) == ((180, market.seconds), 180 + 14 * 60 - 1)
    assert session.rth is None
    assert session.opening_sec == session.seconds - 1, "as far as it goes"
