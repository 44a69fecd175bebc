"""Fits on earlier sessions: planted weights are found, the micro-price is where the mid ends up, both are mirrored."""

from __future__ import annotations

import itertools
import json
from datetime import date

import numpy as np
import polars as pl
import pytest

from spymaster.setups.condition_scale import fit_rows
from spymaster.setups.fits import BINS_A_SIDE, COLUMNS, IMBALANCE_BINS, SPREADS, Fits, state_of
from spymaster.tables.move_condition_scale import MoveConditionScale
from spymaster.tables.types import TIMESTAMP
from spymaster_tests.setups.markets import SECOND, SPOT, TICK

WEIGHTS = np.array([5, 4, 4, 3, 3, 2, 2, 1, 1, 1.0])


def session(seconds: int, seed: int, *, gaps: tuple[int, ...] = ()) -> pl.DataFrame:
    """Seconds in which a thick bid is followed by a rise, and all ten imbalances follow one factor."""
    rng = np.random.default_rng(seed)
    imbalance = np.round(np.clip(np.cumsum(rng.normal(0, 0.3, seconds)) % 2.4 - 1.2, -1, 1), 1)
    push = rng.random(seconds) < 0.1 + 0.5 * np.abs(imbalance)
    mid2 = 2 * SPOT + np.cumsum(np.append(0, (np.sign(imbalance) * push)[:-1])).astype(np.int64) * 2 * TICK
    factor = rng.normal(0, 40, seconds)
    ofi = np.round(factor[:, None] * WEIGHTS / 5 + rng.normal(0, 1, (seconds, 10))).astype(np.int64)
    end = np.arange(seconds) * SECOND
    for gap in gaps:
        end[gap:] += 5 * SECOND
    return pl.DataFrame(
        {
            "window_end": pl.Series(end).cast(TIMESTAMP),
            "valid": rng.random(seconds) < 0.97,
            **{f"ofi_{k + 1}": ofi[:, k] for k in range(10)},
            **{name: np.full(seconds, 2100) for name in ("q0_ask_w1", "q0_bid_w1", "q1_ask_w1", "q1_bid_w1")},
            "queue_imb": imbalance,
            "spread_ticks": pl.Series(rng.integers(1, 5, seconds), dtype=pl.Int32),
            "mid2_int": mid2,
        }
    ).select(COLUMNS)


def fitted(*sessions: pl.DataFrame) -> Fits:
    made = Fits(eps_qty=1.0)
    for rows in sessions:
        made.add(rows, TICK)
    return made


def test_weights_are_the_planted_ones_with_absolute_sum_1():
    weights = fitted(session(3000, 1), session(3000, 2)).ofi_weights()
    assert weights is not None
    assert np.abs(weights).sum() == pytest.approx(1.0)
    assert weights == pytest.approx(WEIGHTS / WEIGHTS.sum(), abs=0.004)


def test_the_micro_price_is_where_the_mid_ends_up():
    """Summing expected moves second by second over the whole chain gives what the closed form gives."""
    rows = session(4000, 3, gaps=(1000, 2500))
    got = np.array(fitted(rows).micro_price())
    valid = rows.filter("valid")
    chain = np.zeros((33, 33))
    moves = np.zeros(33)
    kept = list(valid.iter_rows(named=True))
    for here, after in itertools.pairwise(kept):
        if (after["window_end"] - here["window_end"]).total_seconds() != 1:
            continue
        for sign in (1, -1):
            i, j = (
                int(
                    (min(max(row["spread_ticks"], 1), 3) - 1) * 11
                    + 5
                    + np.sign(sign * row["queue_imb"]) * np.ceil(abs(row["queue_imb"]) * 5)
                )
                for row in (here, after)
            )
            chain[i, j] += 1
            moves[i] += sign * (after["mid2_int"] - here["mid2_int"]) / TICK / 2
    chain += np.eye(33)
    count = chain.sum(axis=1)
    chain, step = chain / count[:, None], moves / count
    expected = np.zeros(33)
    for _ in range(3000):
        expected += step
        step = chain @ step
    assert got == pytest.approx(expected, abs=1e-6)
    assert np.abs(got).max() > 0.5


def test_the_adjustment_rises_with_the_imbalance_and_is_antisymmetric():
    table = np.array(fitted(session(20_000, 4)).micro_price()).reshape(SPREADS, IMBALANCE_BINS)
    assert (table == -table[:, ::-1]).all()
    assert (table[:, BINS_A_SIDE] == 0).all()
    assert (table[:, -1] > table[:, BINS_A_SIDE + 1]).all()


def test_mirrored_seconds_lie_in_mirrored_states_on_every_edge():
    imbalance = np.round(np.linspace(-1, 1, 41), 2)
    for spread in (1, 2, 3, 9):
        at = np.full(len(imbalance), spread)
        there, back = state_of(imbalance, at), state_of(-imbalance, at)
        assert (there % IMBALANCE_BINS + back % IMBALANCE_BINS == IMBALANCE_BINS - 1).all()
        assert (there // IMBALANCE_BINS == min(spread, SPREADS) - 1).all()


def test_nothing_known_is_null_and_rows_keep_the_contract():
    empty = session(10, 1).head(0)
    nothing = MoveConditionScale.validate(fit_rows(fitted(empty), [date(2024, 1, 2)]))
    assert nothing["value_json"].to_list() == [None, None]
    assert nothing["n_sessions"].to_list() == [0, 0]
    still = session(50, 1).with_columns(pl.lit(0).alias(f"ofi_{k}") for k in range(1, 11))
    assert fitted(still).ofi_weights() is None
    rows = MoveConditionScale.validate(fit_rows(fitted(session(500, 5)), [date(2024, 1, 2)]))
    assert [len(json.loads(text)) for text in rows["value_json"]] == [33, 10]
    assert rows["last_dt_used"].to_list() == [date(2024, 1, 2)] * 2


def test_equal_sessions_give_equal_bytes():
    one, two = (fit_rows(fitted(session(800, 6), session(700, 7)), [date(2024, 1, 2)]) for _ in range(2))
    assert one.equals(two)
