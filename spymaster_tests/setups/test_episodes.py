"""Episodes of candles made by hand: which candle meets a level, how the next one confirms, and what is labelled."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from spymaster.settings import SetupSettings
from spymaster.setups.bars import Bars, trigger_rows
from spymaster.setups.episodes import episode_frame, rested
from spymaster.setups.outcomes import EPISODE_COLUMNS, outcome_frame
from spymaster.tables.setup_episode import SetupEpisode
from spymaster.tables.setup_outcome import SetupOutcome
from spymaster_tests.setups.bars import OPEN, START, Candle, candles
from spymaster_tests.setups.markets import BAR, SECOND, SPOT, TICK
from spymaster_tests.setups.paths import ES, nothing_quoted, stretches


def found(frame: pl.DataFrame, level: float) -> list[tuple[int, int, str, str]]:
    """Trigger ids, direction and kinds of the candle episodes of one level."""
    levels = stretches([("PMH:0", level, START, START + 10 * 3600 * SECOND)])
    bars = Bars.of(frame)
    met = trigger_rows(levels, bars, TICK)
    rows = rested(
        met.with_columns(trigger_bar=bars.bar[met["index"].to_numpy()], group_id=pl.lit("g"), level_id=pl.lit("l"))
    )
    return [
        (int(bars.number[index]), way, trigger, confirm)
        for index, way, trigger, confirm in rows.select(
            "index", "direction", "trigger_kind", "confirm_kind"
        ).iter_rows()
    ]


def picture() -> pl.DataFrame:
    """A session like that of the picture: closes cross above the level (0) at ids 0, 12 and 26.

    First the market falls back under it, then it holds without going anywhere (and leaves at 17), then it runs away.
    """
    below, rows = (-12.0, -20.0, -16.0), []
    for number in range(-6, 32):
        if number == 0:
            rows.append((6.0, -14.0, 4.0))
        elif number == 1:
            rows.append((7.0, 1.0, 3.0))
        elif number == 12:
            rows.append((5.0, -10.0, 2.0))
        elif 13 <= number <= 16:
            rows.append((6.0, 0.0, 3.0))
        elif number == 26:
            rows.append((8.0, -6.0, 7.0))
        elif number >= 27:
            high = 7.0 + 6.0 * (number - 26)
            rows.append((high, high - 5.0, high - 1.0))
        else:
            rows.append(below)
    return candles(-6, rows)


def test_ids_of_trigger_confirmation_look_back_and_label():
    """Triggers 0, 12, 26; confirmations 1, 13, 27; look-backs -4..1, 8..13, 22..27; labels 2-4, 14-16, 28-30."""
    every = episodes_of(picture(), 0.0)
    assert every["candle_id_trigger"].to_list() == [0, 12, 17, 26]
    up = pl.col("direction") == 1
    made = every.filter(up)
    assert made["candle_id_trigger"].to_list() == [0, 12, 26]
    assert made["trigger_kind"].to_list() == ["cross"] * 3
    assert made["confirm_kind"].to_list() == ["hold"] * 3
    assert (made["confirm_bar"] - OPEN // BAR).to_list() == [1, 13, 27]
    assert made["ts_decision"].to_physical().to_list() == [OPEN + (k + 1) * BAR for k in (1, 13, 27)]
    assert set(made["invalid_reason"]) == {"book"}  # no quotes in this one; its candles are whole
    for number in range(-6, 32):
        torn = episodes_of(picture().with_columns(is_complete=pl.col("candle_id") != number), 0.0).filter(up)
        hit = [first <= number <= last for first, last in ((-4, 1), (8, 13), (22, 27))]
        assert (torn["invalid_reason"] == "bars").to_list() == hit
    sides = outcomes_of(made, picture())
    assert sides.select(f"bar_close_side_{k}" for k in (1, 2, 3)).rows() == [(-1, -1, -1), (1, 1, 1), (1, 1, 1)]
    assert sides["bars_to_return"].to_list() == [1, None, None]
    for number, changed in ((4, 0), (16, 1), (30, 2)):
        level = pl.when(pl.col("candle_id") == number).then(SPOT).otherwise("close_price_int")
        other = outcomes_of(made, picture().with_columns(close_price_int=level))
        assert [row[2] for row in other.select(f"bar_close_side_{k}" for k in (1, 2, 3)).rows()][changed] == 0
        assert other.filter(pl.col("bar_close_side_3") == 0).height == 1


def episodes_of(frame: pl.DataFrame, level: float) -> pl.DataFrame:
    levels = stretches([("PMH:0", level, START, START + 10 * 3600 * SECOND)])
    made = episode_frame(levels, nothing_quoted(), Bars.of(frame), TICK, contract="ESH4", provenance="simulated")
    return SetupEpisode.validate(made).sort("ts_decision")


def outcomes_of(episodes: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    made = outcome_frame(episodes.select(EPISODE_COLUMNS), nothing_quoted(), Bars.of(frame), TICK, ES, SetupSettings())
    return SetupOutcome.validate(made).sort("ts_label_start")


QUIET: Candle = (-8.0, -12.0, -10.0)


@pytest.mark.parametrize(
    ("trigger", "level", "kind"),
    [
        ((3.0, -10.0, -5.0), 0.0, "pierce"), ((1.0, -10.0, -5.0), 0.0, "pierce"), ((0.0, -10.0, -5.0), 0.0, "touch"),
        ((-1.0, -10.0, -5.0), 0.0, "touch"), ((-2.0, -10.0, -5.0), 0.0, None), ((3.0, -10.0, 1.0), 0.0, "cross"),
        ((3.0, -10.0, 0.0), 0.0, "pierce"), ((0.0, -10.0, -5.0), 0.5, "touch"), ((-1.0, -10.0, -5.0), 0.5, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("way", [1, -1])
def test_how_a_candle_meets_a_level(trigger: Candle, level: float, kind: str | None, way: int):
    rows = [QUIET, QUIET, trigger, QUIET, QUIET]
    if way == -1:
        rows = [(-low, -high, -close) for high, low, close in rows]
    expected = [] if kind is None else [(2, way, kind, "fail")]
    assert found(candles(0, rows), way * level) == expected


@pytest.mark.parametrize(("close", "kind"), [(1.0, "hold"), (0.0, "inside"), (0.5, "inside"), (-1.0, "fail")])
def test_how_the_next_candle_confirms(close: float, kind: str):
    rows = [QUIET, (3.0, -10.0, 2.0), (4.0, -5.0, close), QUIET]
    assert found(candles(0, rows), 0.0) == [(1, 1, "cross", kind)]


def test_the_side_is_that_of_the_last_close_that_was_not_at_the_level():
    at_level: Candle = (0.0, -12.0, 0.0)
    assert found(candles(0, [(-8.0, -12.0, -10.0), at_level, QUIET]), 0.0) == [(1, 1, "touch", "fail")]
    later = candles(0, [QUIET, at_level, (5.0, -2.0, 4.0), QUIET, QUIET], carried=[1])
    assert found(later, 0.0) == [(2, 1, "cross", "fail")]
    assert not found(candles(0, [at_level, at_level, (5.0, -2.0, 4.0), QUIET], carried=[0, 1]), 0.0)
    gap = candles(0, [QUIET, QUIET, (5.0, -2.0, 4.0), QUIET]).filter(pl.col("candle_id") != 1)
    assert not found(gap, 0.0)


def test_a_level_rests_for_five_candles_and_halted_or_carried_ones_are_no_triggers():
    rows = [QUIET, *[(3.0, -10.0, -5.0)] * 12]
    assert [one[0] for one in found(candles(0, rows), 0.0)] == [1, 6, 11]
    assert [one[0] for one in found(candles(0, rows, halted=[1], carried=[2]), 0.0)] == [3, 8]
    assert [one[0] for one in found(candles(0, rows[:12]), 0.0)] == [1, 6]  # of the last no confirmation is known


def test_candles_of_the_mirror_image_turn_too():
    rng = np.random.default_rng(3)
    close = np.cumsum(rng.integers(-6, 7, 300)).astype(float)
    rows = [
        (c + float(u), c - float(d), c)
        for c, u, d in zip(close, rng.integers(0, 5, 300), rng.integers(0, 5, 300), strict=True)
    ]
    turned: list[Candle] = [(-low, -high, -c) for high, low, c in rows]
    for level in (-7.0, 0.5, 4.0):
        one, two = found(candles(-100, rows), level), found(candles(-100, turned), -level)
        assert [(at, -way, trigger, confirm) for at, way, trigger, confirm in one] == two
        assert len(one) > 3
