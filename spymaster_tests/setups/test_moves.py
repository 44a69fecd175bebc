"""Measures and conditions of a move: against other code, mirrored, in parts, and blind to the future."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from spymaster.market.instruments import instrument
from spymaster.settings import SetupSettings
from spymaster.setups import kernels
from spymaster.setups.condition_scale import columns, empty_pool, scale_of
from spymaster.setups.condition_values import tod_bucket
from spymaster.setups.conditions import move_conditions
from spymaster.setups.errors import SetupInputError
from spymaster.setups.measures import measure_frames
from spymaster.tables import ContractError
from spymaster.tables.move_condition_scale import MoveConditionScale
from spymaster.tables.move_conditions_1s import SLOPED, MoveConditions1s
from spymaster.tables.move_measure_1s import HORIZONS, MoveMeasure1s
from spymaster.tables.types import NEAR_SPOT_TICKS, TIMESTAMP
from spymaster_tests.setups.markets import SPOT, ns, stored
from spymaster_tests.surfaces.frames import SIDE, TICK, in_blocks, make_session, outside_rth

ES = instrument("ES")
DT = date(2024, 1, 3)
SETTINGS = SetupSettings(scale_min_sessions_demo=1)


def session(seconds: int = 200, *, seed: int = 1, invalid: tuple[int, ...] = ()) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A wall and the snapshot columns that measures read."""
    wall, shots = make_session(seconds, seed=seed, dt=DT, invalid=invalid)
    rng = np.random.default_rng(seed)
    resting = wall.filter(pl.col("depth_qty_end") > 0)
    best = [
        resting.filter(pl.col("side") == code)
        .group_by("window_end")
        .agg(getattr(pl.col("price_int"), extreme)().alias(name), pl.col("depth_qty_end").first().alias(qty))
        for code, extreme, name, qty in (
            ("B", "max", "best_bid_price_int", "best_bid_qty"),
            ("A", "min", "best_ask_price_int", "best_ask_qty"),
        )
    ]
    snapshot = shots
    for side in best:
        snapshot = snapshot.join(side, on="window_end", how="left")
    n = snapshot.height
    snapshot = snapshot.sort("window_end").with_columns(
        **{
            name: pl.Series(rng.integers(0, 20, n), dtype=pl.Int64)
            for name in ("buy_volume", "sell_volume", "none_volume")
        },
        message_count=pl.Series(rng.integers(0, 90, n), dtype=pl.Int32),
        crossed=pl.lit(False),
        phase=pl.lit("continuous"),
    )
    return wall, snapshot


def unchecked(wall: pl.DataFrame, snapshot: pl.DataFrame, rows: int = 700) -> pl.DataFrame:
    return pl.concat(measure_frames(in_blocks(wall, rows), snapshot, instrument=ES, tick_size_int=TICK))


def measures(wall: pl.DataFrame, snapshot: pl.DataFrame, rows: int = 700) -> pl.DataFrame:
    return MoveMeasure1s.validate(unchecked(wall, snapshot, rows))


def oracle(wall: pl.DataFrame, snapshot: pl.DataFrame, second: int, w: int, side: str) -> dict[str, Any]:
    """One second, one look-back, one side, by the words of the definition."""
    ends = snapshot["window_end"].to_list()
    spot = snapshot["spot_ref_price_int"][second]
    code, sign = ("A", 1) if side == "ask" else ("B", -1)
    prices = [spot + sign * k * TICK for k in range(NEAR_SPOT_TICKS + 1)]
    rows = wall.filter(
        (pl.col("side") == code) & pl.col("price_int").is_in(prices) & (pl.col("window_end") <= ends[second])
    )
    inside = rows.filter(pl.col("window_end") > ends[second - w])
    q0, q1 = {}, {}
    for price in prices:
        of = rows.filter(pl.col("price_int") == price)
        now = inside.filter(pl.col("price_int") == price)
        q1[price] = of["depth_qty_end"][-1] if of.height else 0
        q0[price] = now["depth_qty_start"][0] if now.height else q1[price]
    result: dict[str, Any] = {
        "q0": sum(q0.values()),
        "q1": sum(q1.values()),
        "add": inside["add_qty"].sum(),
        "pull": inside["pull_qty_total"].sum(),
        "fill": inside["fill_qty"].sum(),
        "away": inside["reprice_away_qty"].sum(),
        "toward": inside["reprice_toward_qty"].sum(),
    }
    for name, q in (("c0", q0), ("c1", q1)):
        total = sum(q.values())
        result[name] = sum(v * abs(p - spot) / TICK for p, v in q.items()) / total if total else None
    best = snapshot[f"best_{side}_price_int"]
    result["b"] = (abs(best[second] - spot) - abs(best[second - w] - spot)) / TICK / w
    return result


@pytest.fixture(scope="module")
def day() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    wall, snapshot = session(240)
    return wall, snapshot, measures(wall, snapshot)


class TestMeasures:
    def test_they_equal_the_words_of_their_definition(self, day):
        wall, snapshot, frame = day
        valid = np.flatnonzero(frame["valid"].to_numpy())
        assert len(valid) > 200
        for second in valid[:: len(valid) // 12].tolist():
            for w in HORIZONS:
                for side in ("ask", "bid"):
                    expected = oracle(wall, snapshot, second, w, side)
                    got = {name: frame[f"{name}_{side}_w{w}"][second] for name in expected}
                    assert got == pytest.approx(expected), (second, w, side)

    def test_nothing_enters_the_zone_because_spot_moves(self, day):
        """Between depths and flows of one zone nothing is left over, in spite of every move of spot."""
        frame = day[2].filter("valid")
        assert frame["spot_ref_price_int"].diff().ne_missing(0).sum() > 50
        for w in HORIZONS:
            for side in ("ask", "bid"):
                q0, q1, add, pull, fill = (frame[f"{name}_{side}_w{w}"] for name in ("q0", "q1", "add", "pull", "fill"))
                assert (q1 - q0 - add + pull + fill).unique().to_list() == [0]
                assert (q1 != q0).any()

    def test_they_do_not_depend_on_batches(self, day):
        wall, snapshot, frame = day
        for rows in (1, 97, 100_000):
            if rows > 1:
                assert stored(measures(wall, snapshot, rows)) == stored(frame)
        few, shots = wall.filter(pl.col("window_end") <= snapshot["window_end"][30]), snapshot.head(31)
        assert stored(measures(few, shots, 1)) == stored(frame.head(31))

    def test_rows_left_out_outside_regular_hours_change_nothing(self, day):
        wall, snapshot, frame = day
        sparse = outside_rth(wall)
        assert sparse.height < wall.height
        assert stored(measures(sparse, snapshot)) == stored(frame)

    def test_a_mirrored_market_has_mirrored_measures(self, day):
        wall, snapshot, frame = day
        other = pl.when(pl.col("side") == "A").then(pl.lit("B", dtype=SIDE)).otherwise(pl.lit("A", dtype=SIDE))
        turned = wall.with_columns(
            price_int=2 * SPOT - pl.col("price_int"),
            spot_ref_price_int=2 * SPOT - pl.col("spot_ref_price_int"),
            rel_ticks=-pl.col("rel_ticks"),
            side=other,
        ).sort("window_end", "price_int", pl.col("side").to_physical())
        shots = snapshot.with_columns(
            spot_ref_price_int=2 * SPOT - pl.col("spot_ref_price_int"),
            best_bid_price_int=2 * SPOT - pl.col("best_ask_price_int"),
            best_ask_price_int=2 * SPOT - pl.col("best_bid_price_int"),
            best_bid_qty="best_ask_qty",
            best_ask_qty="best_bid_qty",
        )
        mirror = measures(turned, shots)
        for name in frame.columns:
            twin = name.replace("_ask_", "_x_").replace("_bid_", "_ask_").replace("_x_", "_bid_")
            one, two = frame[name], mirror[twin]
            if name.startswith("ofi_") or name == "queue_imb":
                two = -two
            if name in ("contract", "session_date", "window_end", "valid"):
                assert one.equals(two)
                continue
            if name in ("spot_ref_price_int", "mid2_int"):
                two = (2 if name[0] == "s" else 4) * SPOT - two
            assert one.is_null().equals(two.is_null()), name
            assert one.drop_nulls().to_list() == pytest.approx(two.drop_nulls().to_list(), rel=1e-12), name

    def test_a_bad_second_spoils_the_fifteen_after_it(self):
        wall, snapshot = session(60, invalid=(30,))
        snapshot = snapshot.with_columns(crossed=pl.int_range(pl.len()) == 50)
        valid = np.flatnonzero(measures(wall, snapshot)["valid"].to_numpy())
        assert valid.tolist() == [*range(15, 30), *range(46, 50)]

    def test_a_missing_second_is_not_looked_over(self):
        wall, snapshot = session(60)
        gone = snapshot["window_end"][20]
        frame = measures(wall.filter(pl.col("window_end") != gone), snapshot.filter(pl.col("window_end") != gone))
        assert np.flatnonzero(frame["valid"].to_numpy()).tolist() == [*range(15, 20), *range(35, 59)]

    def test_imbalance_by_hand(self):
        """The bid moves up a tick onto 7, then loses 3 of them; the ask stays at 5 and then moves down onto 2."""
        state = kernels.new_state()
        second = np.arange(3, dtype=np.int64) + 100
        rows = [(0, 10, 0, 4), (0, 12, 1, 5), (1, 11, 0, 7), (2, 11, 0, 4), (2, 11, 0, 4), (2, 12, 1, 5)]
        tick, side, end = (np.array([row[k] for row in rows], dtype=np.int64) for k in (1, 2, 3))
        first_row = np.array([0, 2, 3, 6], dtype=np.int64)
        best = np.array([[10, 12], [11, 12], [11, 12]], dtype=np.int64)
        sums, ofi = np.empty((3, 2, 3, 9), np.int64), np.empty((3, 10), np.int64)
        values = np.zeros((6, len(rows)), np.int64)
        kernels.measure(second, first_row, tick, side, values, end, np.full(3, 11), best, *state, sums, ofi)
        assert ofi[1, :2].tolist() == [7, 4]  # best: a better price; second: the old best, where nothing was
        assert ofi[2, :2].tolist() == [-3, 0]

    @pytest.mark.parametrize("seed", range(3))
    def test_a_second_knows_nothing_of_later_ones(self, day, seed: int):
        wall, snapshot, frame = day
        other_wall, other = session(240, seed=seed + 20)
        k = int(np.random.default_rng(seed).integers(40, 230))
        cut = snapshot["window_end"][k]
        late = pl.col("window_end") > cut
        walls = pl.concat([wall.filter(~late), other_wall.filter(late)])
        mixed = unchecked(walls, pl.concat([snapshot.filter(~late), other.filter(late)]))
        with pytest.raises(ContractError, match="continuity"):  # another market's rows do not go on from this one's
            MoveMeasure1s.validate(mixed)
        assert stored(mixed.head(k + 1)) == stored(frame.head(k + 1))
        assert not mixed.equals(frame)


def pool_of(frame: pl.DataFrame, horizon: int, days: int = 1) -> pl.DataFrame:
    rows = frame.select(columns(horizon)).filter("valid")
    dated = [rows.with_columns(dt=pl.lit(date(2024, 1, 2 + k))) for k in range(days)]
    return pl.concat([empty_pool(horizon), *dated])


def scale(frame: pl.DataFrame, days: int = 1) -> pl.DataFrame:
    parts = [scale_of(pool_of(frame, horizon, days), horizon) for horizon in HORIZONS]
    return MoveConditionScale.validate(pl.concat(parts).sort(MoveConditionScale.key))


class TestScale:
    def test_medians_and_deviations_are_those_of_the_pool(self, day):
        frame = day[2]
        valid = frame.filter("valid")
        rows = scale(frame).filter((pl.col("horizon_s") == 5) & (pl.col("n_rows") > 0))
        assert rows["tod_bucket"].unique().to_list() == [20]  # 15:00 UTC is 10:00 New York
        by_name = {row["measure"]: row for row in rows.iter_rows(named=True)}
        adds = np.concatenate([valid["add_ask_w5"].to_numpy(), valid["add_bid_w5"].to_numpy()])
        assert by_name["add"]["median"] == np.median(adds)
        e = max(0.01 * np.median(adds), 0.5)
        n = np.log((valid["pull_bid_w5"].to_numpy() + e) / (valid["add_bid_w5"].to_numpy() + e))
        assert by_name["n_bid"]["median"] == pytest.approx(np.median(n))
        assert by_name["n_bid"]["mad"] == pytest.approx(np.median(np.abs(n - np.median(n))))
        r = (valid["c1_ask_w5"] - valid["c0_ask_w5"]).drop_nulls().to_numpy() / 5
        assert by_name["r_ask"]["median"] == pytest.approx(np.median(r))

    def test_half_hours_change_with_new_york_not_with_utc(self):
        def open_of(dt: date) -> int:
            return ns("09:30", dt) + 1_000_000_000

        frame = pl.DataFrame(
            {"window_end": pl.Series([open_of(date(2024, 3, 8)), open_of(date(2024, 3, 11))]).cast(TIMESTAMP)}
        )
        assert frame.select(tod_bucket()).to_series().to_list() == [19, 19]

    def test_an_empty_pool_gives_rows_without_values(self):
        rows = scale(MoveMeasure1s.empty())
        assert rows.height == 48 * (3 * 7 + 2)
        assert rows["median"].null_count() == rows.height

    def test_a_session_that_is_not_earlier_is_refused(self, tmp_path):
        from spymaster.lake.partition import Partition
        from spymaster.settings import Settings
        from spymaster.setups.condition_scale import select_sessions, session_scale

        today = Partition.at(tmp_path, "silver.move_measure_1s", "ES", DT)
        with pytest.raises(SetupInputError, match=r"not earlier: silver\.move_measure_1s ES 2024-01-03"):
            session_scale([today], [], DT, eps_qty=1.0)
        with pytest.raises(SetupInputError, match="not earlier"):
            select_sessions([today], DT, Settings())


@pytest.fixture(scope="module")
def conditions(day) -> pl.DataFrame:
    return made(day[2], scale(measures(*session(240, seed=9))))


def made(frame: pl.DataFrame, scales: pl.DataFrame, profile: str = "demo") -> pl.DataFrame:
    return MoveConditions1s.validate(move_conditions(frame, scales, eps_qty=1.0, settings=SETTINGS, profile=profile))


class TestConditions:
    def test_z_soft_and_and_drive_by_plain_arithmetic(self, day, conditions):
        scales = {
            (name, w): (median, mad)
            for name, w, median, mad in scale(measures(*session(240, seed=9)))
            .filter(pl.col("tod_bucket") == 20)
            .select("measure", "horizon_s", "median", "mad")
            .iter_rows()
        }
        checked = 0
        for row, out in zip(day[2].iter_rows(named=True), conditions.iter_rows(named=True), strict=True):
            for w in HORIZONS:
                if out[f"soft_and_w{w}"] is None:
                    continue
                e = max(0.01 * scales["add", w][0], 0.5)
                z = {}
                for side in ("ask", "bid"):
                    values = {
                        f"r_{side}": (row[f"c1_{side}_w{w}"] - row[f"c0_{side}_w{w}"]) / w,
                        f"n_{side}": math.log((row[f"pull_{side}_w{w}"] + e) / (row[f"add_{side}_w{w}"] + e)),
                        f"f_{side}": math.log(1 + row[f"fill_{side}_w{w}"] / (row[f"q0_{side}_w{w}"] + e)),
                    }
                    for name, value in values.items():
                        median, mad = scales[name, w]
                        assert out[f"{name}_w{w}"] == pytest.approx(value, rel=1e-5, abs=1e-6)
                        z[name] = min(max((value - median) / (1.4826 * mad), -8), 8) if mad >= 1e-9 else None
                        assert out[f"z_{name}_w{w}"] == pytest.approx(z[name], rel=1e-4, abs=1e-5)
                four = [z["r_ask"], z["n_ask"], z["r_bid"], z["n_bid"]]
                soft = -math.log(sum(math.exp(-3 * one) for one in four) / 4) / 3
                assert out[f"soft_and_w{w}"] == pytest.approx(soft, rel=1e-4, abs=1e-4)
                assert min(four) <= soft + 1e-9 <= max(four) + 1e-6
                assert out[f"vacuum_w{w}"] == pytest.approx(sum(four), rel=1e-4, abs=1e-4)
                assert out[f"drive_dn_w{w}"] == pytest.approx(sum(four[2:]) - sum(four[:2]), rel=1e-4, abs=1e-4)
                digits = "".join("1" if one >= 0.5 else "0" for one in four)
                assert out[f"state_dn_w{w}"] == int(digits, 2)
                assert out[f"state_up_w{w}"] == int(digits[2:] + digits[:2], 2)
                words = {"1111": "both_vacuum", "1100": "ask_vacuum", "0011": "bid_vacuum", "0000": "build"}
                assert out[f"state_name_w{w}"] == words.get(digits, "mixed")
                below = {"1111": "reject", "1100": "break"}.get(digits, "chop")
                above = {"1111": "reject", "0011": "break"}.get(digits, "chop")
                assert (out[f"thesis_from_below_w{w}"], out[f"thesis_from_above_w{w}"]) == (below, above)
                checked += 1
        assert checked > 500

    def test_every_simple_state_occurs(self, conditions):
        assert conditions["state_name_w1"].drop_nulls().n_unique() >= 4

    def test_without_a_scale_there_is_no_z_and_no_state(self, day):
        frame = made(day[2], scale(measures(*session(240, seed=9))), profile="standard")
        assert frame["z_r_ask_w5"].null_count() == frame["state_dn_w5"].null_count() == frame.height
        assert frame["r_ask_w5"].null_count() < frame.height
        assert frame["scale_provisional"].all()

    def test_a_measure_that_never_varies_has_no_z(self, day):
        flat = scale(measures(*session(240, seed=9))).with_columns(
            mad=pl.when((pl.col("measure") == "n_ask") & pl.col("mad").is_not_null()).then(0.0).otherwise("mad")
        )
        frame = made(day[2], flat)
        assert frame["z_n_ask_w5"].null_count() == frame["soft_and_w5"].null_count() == frame.height
        assert frame["z_n_bid_w5"].null_count() < frame.height

    def test_a_provisional_scale_says_so(self, day):
        other = measures(*session(240, seed=9))
        assert made(day[2], scale(other, days=3))["scale_provisional"].all()
        assert not made(day[2], scale(other, days=20))["scale_provisional"].any()

    def test_derivatives_smooth_the_change_and_start_anew_after_a_gap(self):
        x = np.array([1.0, 2.0, 4.0, np.nan, 5.0, 6.0, 9.0])
        follows = np.array([False, True, True, True, True, True, True])
        alpha = np.array([0.5, 0.25, 0.1])
        out = np.empty((7, 3))
        kernels.smoothed_slopes(follows, x, alpha, out)
        assert out[:, 0].tolist() == pytest.approx([np.nan, 1, 1.5, np.nan, np.nan, 1, 2.0], nan_ok=True)
        assert out[:, 1].tolist() == pytest.approx([np.nan, np.nan, 0.5, np.nan, np.nan, np.nan, 1.0], nan_ok=True)
        follows[5] = False
        kernels.smoothed_slopes(follows, x, alpha, out)
        assert out[4:, 0].tolist() == pytest.approx([np.nan, np.nan, 3.0], nan_ok=True)

    def test_derivatives_are_there_for_what_has_them(self, conditions):
        for name in SLOPED:
            known = [conditions[f"d{order}_{name}_w5"].null_count() for order in (1, 2, 3)]
            assert known == sorted(known)
            assert known[0] < conditions.height

    def test_mirrored_measures_turn_the_direction_around(self, day, conditions):
        swap = {
            name: name.replace("_ask", "_x").replace("_bid", "_ask").replace("_x", "_bid") for name in day[2].columns
        }
        scales = scale(measures(*session(240, seed=9)))
        turned = scales.with_columns(
            pl.col("measure").replace({"r_ask": "r_bid", "r_bid": "r_ask", "n_ask": "n_bid", "n_bid": "n_ask",
                                       "f_ask": "f_bid", "f_bid": "f_ask"})
        )  # fmt: skip
        mirror = made(day[2].rename(swap).select(day[2].columns), turned.sort(MoveConditionScale.key))
        for w in HORIZONS:
            pairs = [("soft_and", "soft_and"), ("drive_dn", "drive_up"), ("state_dn", "state_up"), ("c5_dn", "c5_up"),
                     ("z_r_ask", "z_r_bid"), ("thesis_from_below", "thesis_from_above")]  # fmt: skip
            for one, two in pairs:
                left, right = conditions[f"{one}_w{w}"], mirror[f"{two}_w{w}"]
                assert left.null_count() < left.len()
                if left.dtype == pl.Float32:
                    assert left.is_null().equals(right.is_null())
                    assert float((left - right).abs().max() or 0) < 1e-6
                else:
                    assert left.to_list() == right.to_list()

    def test_later_sessions_and_seconds_change_nothing(self, day, conditions):
        """The scale reads earlier dates only (`session_scale` refuses others), and a row reads none after it."""
        k = 150
        scales = scale(measures(*session(240, seed=9)))
        late = pl.int_range(pl.len()) > k
        noise = [name for name in day[2].columns if name.startswith(("add_", "pull_", "c0_", "c1_"))]
        scrambled = day[2].with_columns(
            pl.when(late).then(pl.col(name).reverse()).otherwise(name).alias(name) for name in noise
        )
        other = move_conditions(scrambled, scales, eps_qty=1.0, settings=SETTINGS, profile="demo")
        assert stored(other.head(k + 1)) == stored(conditions.head(k + 1))
        assert not other.equals(conditions)
