"""Setup vectors: by the words of their definition, mirrored, blind to the future, and null where one can not be."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from spymaster.setups import vectors as module
from spymaster.setups.base_features import SMALLEST_SIGMA_TICKS
from spymaster.setups.vector_layout import BASE_FEATURES, FAMILIES, layout
from spymaster.setups.vectors import Answer, Request, candidate_requests
from spymaster.surfaces.radar import RadarBuilder
from spymaster.tables.radar_vacuum_1s import FEATURES
from spymaster_tests.setups.vector_markets import ES, START_S, TICK, Market, day, market, scale_from

CUTOFFS = np.array([1000, 1001, 1207, 1320, 1500, 1800]) + START_S
BAR_ENDS = np.array([1080, 1200, 1560, 1800]) + START_S


def requests(direction: int = 1) -> list[Request]:
    return [
        Request.of(name, BAR_ENDS if family.shape else CUTOFFS, direction, version)
        for name, family in FAMILIES.items()
        for version in family.versions
    ]


def answers(session: Market, scale: pl.DataFrame, direction: int = 1, rows: int = 5000) -> list[Answer]:
    return session.builder(scale).vectors(session.walls(rows), requests(direction))


@pytest.fixture(scope="module")
def made() -> list[Answer]:
    return answers(*day())


def value(answer: Answer, index: int, name: str) -> float:
    return float(answer.vectors[index, answer.request.layout.names.index(name)])


def test_every_vector_is_known(made: list[Answer]):
    for answer in made:
        assert answer.known.all()
        assert np.isfinite(answer.vectors).all()
        assert (answer.sigma_60 > 0).all()


def test_the_last_window_of_a_second_is_radar_to_the_byte(made: list[Answer]):
    session, _ = day()
    radar = RadarBuilder(eps_qty=ES.eps_qty).update(session.wall, session.snapshot)
    rows = {end: k for k, end in enumerate(radar["window_end"].dt.epoch("s").to_list())}
    for i, cutoff in enumerate(CUTOFFS.tolist()):
        for side, near in (("ask", "ah"), ("bid", "bh")):
            for name in FEATURES:
                stored = radar[f"{side}_{name}"][rows[cutoff]]
                if name == "bbo_dist_ticks":
                    sigma = max(made[0].sigma_60[i], SMALLEST_SIGMA_TICKS)
                    assert value(made[0], i, f"w0.v.{near}_bbo_dist_sigma") == pytest.approx(stored / sigma, rel=1e-6)
                    continue
                assert np.float32(value(made[0], i, f"w0.v.{near}_{name}")).tobytes() == np.float32(stored).tobytes()


@pytest.mark.parametrize(("position", "length", "cutoffs"), [(0, 1, CUTOFFS), (2, 5, CUTOFFS), (4, 120, BAR_ENDS)])
def test_what_is_not_of_a_side_equals_the_words_of_its_definition(made, position: int, length: int, cutoffs):
    session, scale = day()
    answer = made[position]
    fits = {row["measure"]: row["value_json"] for row in scale.filter(tod_bucket=-1).iter_rows(named=True)}
    weights, table = (np.array(pl.Series([fits[name]]).str.json_decode(pl.List(pl.Float64))[0].to_list())
                      for name in ("ofi_weights", "micro_price"))  # fmt: skip
    usual = {
        name: scale.filter(tod_bucket=20, measure=name, horizon_s=1)["median"].item() for name in ("msgs", "absorb")
    }
    seconds = session.measures["window_end"].dt.epoch("s")
    trade_s = session.trades["ts_event"].to_physical() // 10**9 + 1
    for i, cutoff in enumerate(cutoffs.tolist()):
        rows = session.measures.filter(seconds.is_between(cutoff - length + 1, cutoff))
        before = session.measures.filter(seconds == cutoff - length)
        trades = session.trades.filter(trade_s.is_between(cutoff - length + 1, cutoff))
        qty = {code: int(trades.filter(aggressor=code)["qty"].sum()) for code in "BAN"}
        volume = sum(qty.values())
        ofi = sum(float(rows[f"ofi_{k + 1}"].sum()) * weights[k] for k in range(10))
        last = rows.row(-1, named=True)
        moved = abs(last["mid2_int"] - before["mid2_int"].item()) / 2 / TICK
        imbalance = last["queue_imb"]
        state = (
            (min(max(last["spread_ticks"], 1), 3) - 1) * 11
            + 5
            + int(np.sign(imbalance) * math.ceil(abs(imbalance) * 5))
        )
        expected = {
            "queue_imb": imbalance,
            "micro_disp": table[state],
            "signed_vol": (qty["B"] - qty["A"]) / (volume + 1),
            "sweep_share": int(trades.filter(pl.col("levels_consumed") > 1)["qty"].sum()) / (volume + 1),
            "absorb_log": math.log((volume + 1) / (1 + moved)) - usual["absorb"],
            "msg_rate_log": math.log((rows["msgs"].sum() + 1) / (length * usual["msgs"] + 1)),
        }
        for name, number in expected.items():
            assert value(answer, i, f"w0.v.{name}") == pytest.approx(number, rel=1e-5, abs=1e-6), name
        if length == 1:
            depth = sum(last[f"{q}_{side}_w1"] for q in ("q0", "q1") for side in ("ask", "bid")) / 84
            assert value(answer, i, "w0.v.ofi_int") == pytest.approx(ofi / (depth + 1), rel=1e-5)
    assert volume > 0
    assert table.any()


def test_the_shape_of_candles_equals_the_words_of_its_definition(made: list[Answer]):
    session, scale = day()
    usual = scale.filter(tod_bucket=20, measure="msgs", horizon_s=1)["median"].item()
    answer = made[-1]
    ends = session.candles["window_end"].dt.epoch("s").to_list()
    for i, cutoff in enumerate(BAR_ENDS.tolist()):
        last = ends.index(cutoff)
        sigma = answer.sigma_60[i] * math.sqrt(2)
        bars = session.candles[last - 5 : last + 1]
        for k, bar in enumerate(bars.iter_rows(named=True)):
            o, h, low, c = (bar[f"{name}_price_int"] / TICK for name in ("open", "high", "low", "close"))
            expected = {
                "body": (c - o) / sigma,
                "ah_wick": (h - max(o, c)) / sigma,
                "bh_wick": (min(o, c) - low) / sigma,
                "volume_log": math.log((bar["volume"] + 1) / (bars["volume"].to_numpy().mean() + 1)),
                "signed_vol": (bar["buy_volume"] - bar["sell_volume"]) / (bar["volume"] + 1),
                "msg_rate_log": math.log((bar["n_msgs"] + 1) / (120 * usual + 1)),
            }
            if k < 5:
                expected["close"] = (c - bars["close_price_int"][-1] / TICK) / sigma
            for name, number in expected.items():
                assert value(answer, i, f"bar{k - 5}.{name}") == pytest.approx(number, rel=1e-5, abs=1e-5), (k, name)


def test_older_windows_are_the_last_windows_of_earlier_seconds(made: list[Answer]):
    """The L28 cells of differences at t are differences of the last windows at t, t - 1, ..."""
    session, scale = day()
    names = layout("s1", "L28").names
    at = np.array([1500, 1499, 1498, 1497]) + START_S
    four = (
        session.builder(scale).vectors(session.walls(), [Request.of("s1", at, 1, "L28")])[0].vectors.astype(np.float64)
    )
    for feature in BASE_FEATURES:
        if feature.endswith("bbo_dist_sigma"):
            continue  # in units of its own cut-off
        x = four[:, names.index(f"w0.v.{feature}")]
        assert four[0, names.index(f"w0.d3.{feature}")] == pytest.approx(x @ [1, -3, 3, -1], abs=1e-4)
        assert four[0, names.index(f"w3_mean.v.{feature}")] == pytest.approx(x[:3].mean(), abs=1e-5)


def test_a_mirrored_market_in_the_other_direction_is_the_same_point(made: list[Answer]):
    """Gate G8, with scales of mirrored sessions."""
    session = day()[0]
    turned = session.mirrored()
    other = answers(turned, scale_from(market(1000, seed=12).mirrored()), direction=-1)
    for one, two in zip(made, other, strict=True):
        assert np.abs(one.vectors - two.vectors).max() < 1e-5
        same = np.isclose(one.vectors, two.vectors, rtol=1e-6, atol=1e-6)
        assert same.all()


def test_the_other_direction_is_the_mirror_image_that_the_layout_tells(made: list[Answer]):
    for one, two in zip(made, answers(*day(), direction=-1), strict=True):
        order, sign = one.request.layout.mirror()
        assert (one.vectors[:, order] * sign == two.vectors).all()
        assert not (one.vectors == two.vectors).all()


def test_batches_and_company_change_no_byte(made: list[Answer]):
    session, scale = day()
    for one, two in zip(made, answers(session, scale, rows=777), strict=True):
        assert one.vectors.tobytes() == two.vectors.tobytes()
    alone = session.builder(scale).vectors(session.walls(), [Request.of("s5", CUTOFFS[2:3], 1)])[0]
    assert alone.vectors.tobytes() == made[2].vectors[2:3].tobytes()


@pytest.mark.parametrize("second", [1100, 1499, 1700])
def test_later_seconds_change_no_byte(made: list[Answer], second: int):
    """Gate G2: the wall, seconds, trades and candles after a second are those of another market."""
    session, scale = day()
    other = market(1900, seed=second)

    def until(one: pl.DataFrame, two: pl.DataFrame, column: str = "window_end") -> pl.DataFrame:
        early = pl.col(column).to_physical() <= (START_S + second) * 10**9
        return pl.concat([one.filter(early), two.filter(~early).select(one.columns)])

    mixed = Market(
        until(session.wall, other.wall), until(session.snapshot, other.snapshot),
        until(session.measures, other.measures), until(session.trades, other.trades, "ts_event"),
        until(session.candles, other.candles),
    )  # fmt: skip
    changed = 0
    for one, two in zip(made, answers(mixed, scale), strict=True):
        early = one.request.cutoff_s <= START_S + second
        assert early.any()
        assert one.vectors[early].tobytes() == two.vectors[early].tobytes()
        changed += int((one.vectors[~early] != two.vectors[~early]).any(axis=1).sum())
    assert changed > 0


def test_a_look_back_with_a_bad_second_has_no_vector():
    session = market(1900, seed=11, invalid=(1400,))
    bad, scale = START_S + 1401, day()[1]
    at = np.array([bad - 1, bad, bad + 15 + 27, bad + 15 + 28, bad + 15 + 136])
    s1, s5 = session.builder(scale).vectors(session.walls(), [Request.of(name, at, 1) for name in ("s1", "s5")])
    assert s1.known.tolist() == [True, False, False, True, True]
    assert s5.known.tolist() == [True, False, False, False, True]
    assert (s1.known == s1.covered).all()


def test_without_earlier_sessions_there_is_no_vector_though_the_book_is_covered():
    session, scale = day()
    nothing = scale.with_columns(median=pl.lit(None, pl.Float64), value_json=pl.lit(None, pl.String))
    for answer in answers(session, nothing):
        assert answer.covered.all()
        assert not answer.known.any()


def test_cutoffs_outside_the_session_or_between_bars_are_not_covered():
    session, scale = day()
    builder = session.builder(scale)
    outside = Request.of("s1", np.array([START_S - 5, START_S + 3, START_S + 99_999]), 1)
    between = Request.of("c120", BAR_ENDS + 1, 1)
    unfinished = session.candles.with_columns(is_complete=pl.int_range(pl.len()) != 5)
    for answer in builder.vectors(session.walls(), [outside, between]):
        assert not answer.covered.any()
    broken = Market(session.wall, session.snapshot, session.measures, session.trades, unfinished)
    c120 = broken.builder(scale).vectors(session.walls(), [Request.of("c120", BAR_ENDS, 1)])[0]
    assert c120.covered.tolist() == [False, False, True, True]


def test_candidates_cover_regular_hours_at_the_step():
    s1, s5, c120 = candidate_requests(START_S, START_S + 600, 30)
    assert s1.cutoff_s.tolist() == s5.cutoff_s.tolist() == [START_S + 30 * k for k in range(1, 21)]
    assert c120.cutoff_s.tolist() == [START_S + 120 * k for k in range(1, 6)]
    assert (s1.direction == 1).all()
    assert max(family.window_s for family in FAMILIES.values()) < module.LONGEST_WINDOW
