"""Touches: the compiled states of levels against a literal reading of their definition, row by row."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from spymaster.setups.mids import MIN_CHANGES, Seconds
from spymaster.setups.touches import touch_rows
from spymaster_tests.setups.markets import SECOND, SPOT, TICK, ns
from spymaster_tests.setups.paths import best_prices, mids_of, stretches, walking, whole_seconds

START = ns("10:00")
Touch = tuple[str, int, int, int, bool]


def slow_sigma(seconds: pl.DataFrame, at: int) -> float | None:
    """Root of the weighted mean square of the 15 s changes that have ended by a time."""
    known = {
        int(end): mid / TICK
        for end, mid, valid in seconds.select(
            pl.col("window_end").to_physical(), "mid_price_int", "window_valid"
        ).iter_rows()
        if end % (15 * SECOND) == 0 and end <= at and valid and mid is not None
    }
    changes = [(end, known[end] - known[end - 15 * SECOND]) for end in known if end - 15 * SECOND in known]
    if len(changes) < MIN_CHANGES:
        return None
    weights = [0.5 ** ((at - end) / (1800 * SECOND)) for end, _ in changes]
    return (sum(w * c * c for w, (_, c) in zip(weights, changes, strict=True)) / sum(weights)) ** 0.5


def slow_touches(levels: pl.DataFrame, bbo: pl.DataFrame, seconds: pl.DataFrame) -> list[Touch]:
    """Every row of every level, one after the other."""
    times = np.maximum.accumulate(bbo["ts_event"].to_physical().to_numpy()).tolist()
    mids = ((bbo["bid_price_int"] + bbo["ask_price_int"]) / 2 / TICK).to_list()
    good = (bbo["book_valid"] & ~bbo["crossed"]).to_list()
    ends = seconds["window_end"].to_physical().to_list()
    broken = [end for end, valid in zip(ends, seconds["window_valid"], strict=True) if not valid]
    segment, number = [], 0
    for r, time in enumerate(times):
        cut = r == 0 or not good[r - 1] or any(times[r - 1] < end <= time for end in broken)
        number += bool(good[r] and cut)
        segment.append(number if good[r] else None)
    sigma: dict[int, float | None] = {}
    moved: list[float | None] = []
    for r, time in enumerate(times):
        mark = time // (15 * SECOND)
        if mark not in sigma:
            sigma[mark] = slow_sigma(seconds, mark * 15 * SECOND)
        before = max((k for k in range(max(0, r - 400), r + 1) if times[k] <= time - 15 * SECOND), default=None)
        if before is not None and segment[r] is not None and segment[before] == segment[r]:
            moved.append(mids[r] - mids[before])
        else:
            moved.append(None)
    found: list[Touch] = []
    for (name,), rows in levels.group_by("level_id", maintain_order=True):
        state, way, approached, out_since, last_end = "far", 0, 0, None, None
        for price, first, end in rows.select("price_int", pl.col("valid_from", "valid_to").to_physical()).iter_rows():
            if first != last_end:
                state, out_since = "far", None
                standing = max((k for k in range(len(times)) if times[k] < first), default=None)
                if standing is not None and good[standing] and abs(mids[standing] - price / TICK) < 1:
                    state = "cooldown"
            last_end = end
            for r, time in enumerate(times):
                if not first <= time < end:
                    continue
                if segment[r] is None:
                    state, out_since = "far", None
                    continue
                distance = mids[r] - price / TICK
                if r == 0 or segment[r] != segment[r - 1]:
                    state, out_since = "cooldown" if abs(distance) < 1 else "far", None
                usual = sigma[time // (15 * SECOND)]
                near = max(8.0, 2 * usual) if usual is not None else 8.0
                if state == "cooldown" and out_since is not None and time - out_since >= 60 * SECOND:
                    state = "far"
                if state == "cooldown":
                    out_since = None if abs(distance) <= 2 * near else time if out_since is None else out_since
                if state == "approach" and time - approached >= 600 * SECOND:
                    state = "far"
                if state == "approach" and way * (mids[r - 1] - price / TICK) > 1:
                    state = "far"  # price did not get there: the level did
                move = moved[r]
                if state == "far" and abs(distance) <= near and usual is not None and move is not None:
                    for direction in (1, -1):
                        if state == "far" and direction * distance <= 0 and direction * move >= usual / 2:
                            state, way, approached = "approach", direction, time
                if state == "approach":
                    if abs(distance) <= 1 or way * distance > 1:
                        found.append((str(name), time, approached, way, abs(distance) > 1))
                        state, out_since = "cooldown", time if abs(distance) > 2 * near else None
                    elif abs(distance) >= 2 * near:
                        state = "far"
    return found


def fast_touches(levels: pl.DataFrame, bbo: pl.DataFrame, seconds: pl.DataFrame) -> list[Touch]:
    mids = mids_of(bbo, seconds)
    names = levels["level_id"]
    return [
        (names[level], int(mids.ts[row]), int(mids.ts[approach]), way, gap)
        for level, row, approach, way, gap in touch_rows(levels, mids, TICK).iter_rows()
    ]


def random_levels(seed: int, count: int) -> pl.DataFrame:
    """Fixed levels, some known late, off the tick grid, or with a gap; one that moves every few seconds; one jumps."""
    rng = np.random.default_rng(seed)
    last = START + count * SECOND
    rows = [(f"ROUND25:{k}", float(at), START, last) for k, at in enumerate(range(-60, 61, 6))]
    rows += [("SMA200:0", 3.3, START + 700 * SECOND + 5, last), ("PDC:0", -7.75, START + 500 * SECOND, last)]
    rows += [("PMH:0", 10.0, START, START + 900 * SECOND), ("PMH:0", 10.0, START + 1000 * SECOND, last)]
    edges = [START, *np.sort(rng.integers(START, last, 200)).tolist(), last]
    at = np.cumsum(rng.choice([-1, 1], len(edges)))
    rows += [("VWAP:0", float(a), f, e) for a, f, e in zip(at[1:], edges[:-1], edges[1:], strict=True) if f < e]
    leaps = [START, *np.sort(rng.integers(START, last, 300)).tolist(), last]
    at = rng.integers(-25, 26, len(leaps))
    rows += [("GEXCW:0", float(a), f, e) for a, f, e in zip(at[1:], leaps[:-1], leaps[1:], strict=True) if f < e]
    return stretches(rows)


@pytest.mark.parametrize("seed", range(3))
def test_states_are_those_of_the_definition(seed: int):
    count = 1800
    bbo, seconds = walking(seed, START, count)
    levels = random_levels(seed, count)
    expected = slow_touches(levels, bbo, seconds)
    assert fast_touches(levels, bbo, seconds) == expected
    assert len(expected) > 20
    assert {gap for *_, gap in expected} == {True, False}
    assert {way for *_, way, _ in expected} == {1, -1}


@pytest.fixture(scope="module")
def restless() -> tuple[np.ndarray, np.ndarray]:
    """Ten minutes of a mid that goes three ticks up and down again every 15 s, 100 ticks below SPOT: sigma is 3."""
    times = START + np.arange(40) * 15 * SECOND + 7
    return times, np.where(np.arange(40) % 2 == 0, -206, -200)


def moves(
    restless: tuple[np.ndarray, np.ndarray], then: list[tuple[float, float]]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The restless market, and after ten minutes mids by hand: (seconds, ticks from SPOT - 100)."""
    times, mids2 = restless
    begin = START + 600 * SECOND
    bbo = best_prices(
        [*times, *(begin + round(at * SECOND) for at, _ in then)], [*mids2, *(round(2 * mid) - 200 for _, mid in then)]
    )
    return bbo, whole_seconds(START, 1800, bbo)


def by_hand(restless: tuple[np.ndarray, np.ndarray], then: list[tuple[float, float]], level: float = 20.0):
    """Touches of a level (ticks from SPOT - 100): seconds after the ten minutes of touch and approach, way, gap."""
    bbo, seconds = moves(restless, then)
    levels = stretches([("PMH:0", level - 100, START, START + 1800 * SECOND)])
    begin = START + 600 * SECOND
    return [
        ((t - begin) / SECOND, (a - begin) / SECOND, way, gap)
        for _, t, a, way, gap in fast_touches(levels, bbo, seconds)
    ]


CLIMB = [(10.0, 8.0), (20.0, 12.0), (24.0, 16.0)]


def test_a_touch_is_the_first_event_within_a_tick_after_an_approach(restless: tuple[np.ndarray, np.ndarray]):
    assert by_hand(restless, [*CLIMB, (26.0, 18.5), (27.25, 19.0), (27.5, 19.5), (28.0, 20.0)]) == [
        (27.25, 20.0, 1, False)
    ]


def test_an_event_that_goes_past_the_level_is_a_touch(restless: tuple[np.ndarray, np.ndarray]):
    assert by_hand(restless, [*CLIMB, (27.0, 21.0)]) == [(27.0, 20.0, 1, False)]
    assert by_hand(restless, [*CLIMB, (27.0, 21.5)]) == [(27.0, 20.0, 1, True)]


def test_an_approach_that_leaves_or_takes_too_long_has_no_touch(restless: tuple[np.ndarray, np.ndarray]):
    assert by_hand(restless, [*CLIMB, (30.0, 4.0), (60.0, 19.0)]) == [(60.0, 60.0, 1, False)]
    slow = [(24.0 + 10 * k, 16.0) for k in range(1, 67)]
    assert by_hand(restless, [*CLIMB, *slow, (700.0, 19.0)]) == [(700.0, 700.0, 1, False)]
    assert by_hand(restless, [*CLIMB, *slow[:50], (540.0, 19.0)]) == [(540.0, 20.0, 1, False)]


def test_a_level_comes_back_only_after_a_minute_far_away(restless: tuple[np.ndarray, np.ndarray]):
    touch, away = [*CLIMB, (27.0, 19.0)], (40.0, 3.5)
    again = [(96.0, 12.0), (97.0, 19.0)]
    assert by_hand(restless, [*touch, away, *again]) == [(27.0, 20.0, 1, False)]
    later = [(100.0, 12.0), (101.0, 19.0)]
    assert by_hand(restless, [*touch, away, *later]) == [(27.0, 20.0, 1, False), (101.0, 100.0, 1, False)]


def test_a_level_that_begins_to_hold_where_price_is_cools_down(restless: tuple[np.ndarray, np.ndarray]):
    bbo, seconds = moves(restless, [*CLIMB, (27.0, 19.5), (40.0, 15.0), (58.0, 19.5)])
    begin = START + 600 * SECOND
    last = START + 1800 * SECOND
    for known, expected in ((26 * SECOND, 1), (30 * SECOND, 0), (42 * SECOND, 1)):
        levels = stretches([("PMH:0", -80.0, begin + known, last)])
        assert len(fast_touches(levels, bbo, seconds)) == expected


@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize(
    ("then", "mid", "expected"),
    [
        (-80.0, 16.0, []), (-80.0, 15.0, []), (14.5, 16.0, []), (14.5, 17.5, []), (15.0, 16.0, [(26.0, False)]),
        (16.5, 16.0, [(26.0, False)]), (15.0, 16.5, [(26.0, True)]), (17.5, 19.0, [(26.0, True)]), (30.0, 28.5, []),
        (30.0, 29.0, [(26.0, False)]),
    ],
)  # fmt: skip
def test_a_level_that_jumps_over_the_mid_is_not_touched(
    restless: tuple[np.ndarray, np.ndarray], way: int, then: float, mid: float, expected: list[tuple[float, bool]]
):
    """The level is at 20 and at `then` from 25 s on; the mid stands at 16 and goes to `mid` at 26 s."""
    bbo, seconds = moves(restless, [*CLIMB, (26.0, mid)])
    if way == -1:  # the mirror image around SPOT - 100 ticks
        bid, ask = (2 * (SPOT - 100 * TICK) - bbo[name] for name in ("ask_price_int", "bid_price_int"))
        bbo = bbo.with_columns(bid_price_int=bid, ask_price_int=ask)
        seconds = whole_seconds(START, 1800, bbo)
    begin = START + 600 * SECOND
    first, jump, last = START, begin + 25 * SECOND, START + 1800 * SECOND
    levels = stretches([("GEXCW:0", way * 20.0 - 100, first, jump), ("GEXCW:0", way * then - 100, jump, last)])
    found = fast_touches(levels, bbo, seconds)
    assert [((t - begin) / SECOND, gap) for _, t, _, _, gap in found] == expected
    assert {one for *_, one, _ in found} <= {way}
    assert found == slow_touches(levels, bbo, seconds)


def test_sigma_is_the_weighted_root_mean_square():
    _, seconds = walking(5, START, 900)
    made = Seconds.of(seconds, TICK)
    for at in (START + 200 * SECOND, START + 333 * SECOND, START + 899 * SECOND + 1):
        expected = slow_sigma(seconds, at)
        found = made.sigma_at(np.array([at]))[0]
        assert np.isnan(found) if expected is None else found == pytest.approx(expected, rel=1e-12)
