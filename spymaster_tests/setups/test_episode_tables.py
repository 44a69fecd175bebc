"""Episodes and outcomes of whole markets: mirror image, groups, validity, a literal reading, nothing of the future."""

from __future__ import annotations

import io

import numpy as np
import polars as pl
import pytest

from spymaster.settings import SetupSettings
from spymaster.setups.bars import Bars
from spymaster.setups.episodes import WITH_HINDSIGHT, episode_frame
from spymaster.setups.outcomes import EPISODE_COLUMNS, outcome_frame
from spymaster.tables.setup_episode import SetupEpisode
from spymaster.tables.setup_outcome import SetupOutcome
from spymaster.tables.types import PHASE, TIMESTAMP
from spymaster_tests.setups.bars import OPEN, START, Candle, bars_of, candles
from spymaster_tests.setups.markets import BAR, SECOND, SPOT, TICK, ns
from spymaster_tests.setups.paths import ES, best_prices, mids_of, nothing_quoted, stretches, walking

COUNT = 2400


def market(seed: int, apart: int = 12) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Levels `apart` ticks from one another and placebos, best prices and seconds of 40 minutes from 09:00."""
    rng = np.random.default_rng(seed)
    last = START + COUNT * SECOND
    fixed = [(f"ROUND25:{k}", at) for k, at in enumerate(range(-60, 61, apart))]
    rows = [(name, float(at), START, last) for name, at in fixed]
    rows += [(f"{name}:+{shift}", float(at + shift), START, last) for name, at in fixed for shift in (3, 5, 7)]
    edges = [START, *np.sort(rng.integers(START, last, 60)).tolist(), last]
    at = np.cumsum(rng.choice([-1, 1], len(edges)))
    rows += [("VWAP:0", float(a), f, e) for a, f, e in zip(at[1:], edges[:-1], edges[1:], strict=True) if f < e]
    bbo, seconds = walking(seed, START, COUNT, jumps=False)
    return stretches(rows), bbo, seconds


def tables(levels: pl.DataFrame, bbo: pl.DataFrame, seconds: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    mids, bars = mids_of(bbo, seconds), Bars.of(bars_of(START, COUNT, bbo))
    episodes = SetupEpisode.validate(episode_frame(levels, mids, bars, TICK, contract="ESH4", provenance="simulated"))
    outcomes = outcome_frame(episodes.select(EPISODE_COLUMNS), mids, bars, TICK, ES, SetupSettings())
    return episodes, SetupOutcome.validate(outcomes)


def stored(frame: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.rechunk().write_parquet(file)
    return file.getvalue()


def test_where_nothing_happens_there_is_no_row():
    levels, bbo, seconds = market(0)
    for given in ((levels.clear(), bbo, seconds), (levels, bbo.clear(), seconds.clear())):
        mids, bars = mids_of(*given[1:]), Bars.of(candles(0, []))
        episodes = episode_frame(given[0], mids, bars, TICK, contract="ESH4", provenance="simulated")
        outcomes = outcome_frame(episodes.select(EPISODE_COLUMNS), mids, bars, TICK, ES, SetupSettings())
        assert (SetupEpisode.validate(episodes).height, SetupOutcome.validate(outcomes).height) == (0, 0)


@pytest.mark.parametrize("seed", range(3))
def test_an_episode_knows_nothing_of_what_comes_after_it(seed: int):
    levels, bbo, seconds = market(seed)
    other = market(seed + 40)
    cut = START + int(np.random.default_rng(seed).integers(1200, 2300)) * SECOND + 1
    times = pl.Series(np.maximum.accumulate(bbo["ts_event"].to_physical().to_numpy()))
    late = pl.Series(np.maximum.accumulate(other[1]["ts_event"].to_physical().to_numpy()))
    mixed = (
        levels,
        pl.concat([bbo.filter(times <= cut), other[1].filter(late > cut)]),
        pl.concat([seconds.filter(pl.col("window_end").to_physical() <= cut),
                   other[2].filter(pl.col("window_end").to_physical() > cut)]),
    )  # fmt: skip
    (one, came), (two, gone) = tables(levels, bbo, seconds), tables(*mixed)
    known = pl.col("ts_decision").to_physical() <= cut
    kept = [frame.filter(known).drop(WITH_HINDSIGHT) for frame in (one, two)]
    assert stored(kept[0]) == stored(kept[1])
    assert kept[0].height > 30
    assert not one.equals(two)
    ended = pl.col("ts_label_end").to_physical() <= cut
    assert stored(came.filter(ended)) == stored(gone.filter(ended))
    assert came.filter(ended)["valid"].sum() > 20
    assert not came.equals(gone)


def mirrored(bbo: pl.DataFrame, seconds: pl.DataFrame, levels: pl.DataFrame):
    """Every price on the other side of SPOT, bids for asks."""

    def flip(name: str) -> pl.Expr:
        return pl.lit(2 * SPOT) - pl.col(name)

    return (
        levels.with_columns(price_int=flip("price_int")),
        bbo.with_columns(bid_price_int=flip("ask_price_int"), ask_price_int=flip("bid_price_int")),
        seconds.with_columns(mid_price_int=flip("mid_price_int"), spot_ref_price_int=flip("spot_ref_price_int")),
    )


@pytest.mark.parametrize("seed", range(2))
def test_the_mirror_image_turns_directions_and_leaves_outcomes(seed: int):
    levels, bbo, seconds = market(seed)
    # candles here are of mids rounded down, which the mirror image rounds the other way: those of touches are compared
    one, two = tables(levels, bbo, seconds), tables(*mirrored(bbo, seconds, levels))
    touch = pl.col("kind") == "touch"
    same = ["episode_id", "kind", "touch_index", "gap_through", "approach_speed", "sigma_15", "msg_rate_rel",
            "tod_sec", "valid", "invalid_reason", "ts_approach", "group_id", "level_types", "match_set_id",
            "overlap_n"]  # fmt: skip
    first, second = one[0].filter(touch), two[0].filter(touch)
    assert first.select(same).equals(second.select(same))
    assert (first["direction"] == -second["direction"]).all()
    assert first.height > 15
    names = [name for name in one[1].columns if not name.startswith("bar")]
    of_touch = pl.col("episode_id").str.starts_with("touch")
    assert one[1].filter(of_touch).select(names).equals(two[1].filter(of_touch).select(names))
    assert {"break", "reject", "chop"} <= set(one[1].filter(of_touch)["outcome"].cast(pl.String))


def test_of_a_group_only_the_level_known_for_longest_has_episodes():
    levels, bbo, seconds = market(0, apart=3)
    last = START + COUNT * SECOND
    every, _ = tables(levels.filter(pl.col("level_type") == "ROUND25", ~pl.col("is_placebo")), bbo, seconds)
    price = every["level_price_int"].mode().sort()[0]
    at = (price - SPOT) / TICK
    held = pl.coalesce("ts_trigger_bar", "ts_decision").to_physical()  # a candle meets what held when it began
    times = every.filter(pl.col("level_price_int") == price).select(held).to_series().sort()
    known = int(times[0] + times[-1]) // 2
    first, later = ("PMH:0", at, START, last), ("SWH:0", at + 1, known, last)
    alone, _ = tables(stretches([first]), bbo, seconds)
    pair, _ = tables(stretches([first, later], group={"PMH:0": "g", "SWH:0": "g"}), bbo, seconds)
    assert pair.drop("group_id", "level_types").equals(alone.drop("group_id", "level_types"))
    together = pair.select(pl.col("level_types").list.join(","), late=held >= known)
    assert set(together.rows()) == {("PMH", False), ("PMH,SWH", True)}
    only, _ = tables(stretches([later]), bbo, seconds)
    assert only.height > 0  # by itself it would have had some


def test_a_group_is_met_again_only_after_five_candles():
    """PMH, which has been known for longer, ends; price meets SWH, a tick away, while its group is still judged."""
    rows: list[Candle] = [(-12.0, -20.0, -16.0)] * 4 + [(-0.5, -12.0, -6.0)] * 2
    rows += [(-12.0, -20.0, -16.0)] + [(0.5, -12.0, -6.0)] * 8
    frame = candles(-4, rows)  # met from candle 0 on, and without a break from candle 3 on
    ended = OPEN + 2 * BAR
    first, later = ("PMH:0", 0.0, START, ended), ("SWH:0", 1.0, START + SECOND, START + 10 * 3600 * SECOND)

    def ids(**group: str) -> list[tuple[str, int]]:
        levels = stretches([first, later], group=group or None)
        made = episode_frame(levels, nothing_quoted(), Bars.of(frame), TICK, contract="ESH4", provenance="simulated")
        return made.sort("ts_decision").select(pl.col("level_id").str.split(":").list[2], "candle_id_trigger").rows()

    assert ids() == [("PMH", 0), ("SWH", 3), ("SWH", 8)]
    assert ids(**{"PMH:0": "g", "SWH:0": "g"}) == [("PMH", 0), ("SWH", 5)]  # what was met at 3 is no trigger


def test_a_meeting_that_is_no_episode_puts_nothing_to_rest():
    """SWH is met at 10 while PMH, met at 8, stands for their group; at 13 that is judged, and SWH is met."""
    far: Candle = (-12.0, -20.0, -16.0)
    rows = [far] * 20
    rows[12], rows[14], rows[17] = (-0.5, -12.0, -6.0), (0.5, -12.0, -6.0), (0.5, -12.0, -6.0)
    bars = Bars.of(candles(-4, rows))
    first, later = ("PMH:0", 0.0, START, OPEN + 12 * BAR), ("SWH:0", 1.0, START + SECOND, START + 10 * 3600 * SECOND)
    levels = stretches([first, later], group={"PMH:0": "g", "SWH:0": "g"})
    made = episode_frame(levels, nothing_quoted(), bars, TICK, contract="ESH4", provenance="simulated")
    met = made.sort("ts_decision").select(pl.col("level_id").str.split(":").list[2], "candle_id_trigger")
    assert met.rows() == [("PMH", 8), ("SWH", 13)]


def test_a_level_that_moves_rests_whichever_group_it_is_in():
    rows: list[Candle] = [(-12.0, -20.0, -16.0)] * 4 + [(0.5, -12.0, -6.0)] * 8
    stretch = [("VWAP:0", 0.5 * (k % 2), OPEN + k * BAR, OPEN + (k + 1) * BAR) for k in range(8)]
    levels = stretches(stretch)
    assert levels["group_id"].n_unique() == 8
    bars = Bars.of(candles(-4, rows))
    made = episode_frame(levels, nothing_quoted(), bars, TICK, contract="ESH4", provenance="simulated")
    assert made.sort("ts_decision")["candle_id_trigger"].to_list() == [0, 5]


def test_an_episode_without_a_usable_book_before_it_is_not_valid():
    levels, bbo, seconds = market(1)
    one, outcomes = tables(levels, bbo, seconds)
    touch = one.filter((pl.col("kind") == "touch") & pl.col("valid")).row(0, named=True)
    at = int(pl.Series([touch["ts_decision"]]).cast(TIMESTAMP).to_physical()[0])
    for back, valid in ((26, False), (28, True)):
        bad = (at - START) // SECOND - back - 1
        spoilt = seconds.with_columns(window_valid=pl.int_range(pl.len()) != bad)
        again, _ = tables(levels, bbo, spoilt)
        row = again.filter(pl.col("episode_id") == touch["episode_id"]).row(0, named=True)
        assert row["valid"] == valid
    bad = (at - START) // SECOND + 20
    spoilt = seconds.with_columns(window_valid=pl.int_range(pl.len()) != bad)
    _, after = tables(levels, bbo, spoilt)
    own = after.filter(pl.col("episode_id") == touch["episode_id"])
    assert own["horizon_end_reason"].cast(pl.String).to_list() == ["invalid_book"] * 3
    assert own["outcome"].null_count() == 3
    assert outcomes.filter(pl.col("episode_id") == touch["episode_id"])["valid"].all()
    ended = outcomes.filter(pl.col("ts_label_end").to_physical() > START + COUNT * SECOND)
    assert set(ended["horizon_end_reason"].cast(pl.String)) == {"end_of_data"}
    assert not ended["valid"].any()


def test_what_follows_at_the_time_of_a_touch_is_after_it():
    """Events with the time of the touch, but after it: one that passes a barrier, and one that spoils the book."""
    levels, bbo, seconds = market(2)
    before, _ = tables(levels, bbo, seconds)
    touches = before.filter((pl.col("kind") == "touch") & pl.col("valid")).sort("ts_decision")
    touch = touches.with_columns(pl.col("ts_decision").to_physical()).row(3, named=True)
    at, p0, way = touch["ts_decision"], touch["p0_mid2_int"] // TICK - 2 * SPOT // TICK, touch["direction"]
    row = int(np.flatnonzero(np.maximum.accumulate(bbo["ts_event"].to_physical().to_numpy()) == at)[0])
    for sign, outcome in ((way, "break"), (-way, "reject")):
        then = best_prices([at, at], [p0 + sign * 100, p0])
        changed = pl.concat([bbo[: row + 1], then, bbo[row + 1 :]])
        episodes, outcomes = tables(levels, changed, seconds)
        assert touch["episode_id"] in episodes["episode_id"]
        own = outcomes.filter(pl.col("episode_id") == touch["episode_id"])
        assert own["valid"].all()
        assert own["outcome"].cast(pl.String).to_list() == [outcome] * 3
        assert own["t_hit_s"].to_list() == [0.0] * 3
        furthest = "mfe_ticks" if sign == way else "mae_ticks"
        assert own[furthest].to_list() == [50.0] * 3
    broken = best_prices([at], [p0], book_valid=pl.Series([False]))
    _, outcomes = tables(levels, pl.concat([bbo[: row + 1], broken, bbo[row + 1 :]]), seconds)
    own = outcomes.filter(pl.col("episode_id") == touch["episode_id"])
    assert own["horizon_end_reason"].cast(pl.String).to_list() == ["invalid_book"] * 3


def test_a_second_that_fails_while_the_horizon_ends_ends_it():
    levels, bbo, seconds = market(1)
    one, outcomes = tables(levels, bbo, seconds)
    touches = one.filter((pl.col("kind") == "touch") & pl.col("valid"))
    touch = touches.with_columns(pl.col("ts_decision").to_physical()).row(0, named=True)
    last = (touch["ts_decision"] + 30 * SECOND - START) // SECOND
    of_touch = (pl.col("episode_id") == touch["episode_id"]) & (pl.col("horizon_s") == 30)
    assert outcomes.filter(of_touch)["valid"].all()

    def reason(spoilt: pl.DataFrame) -> str:
        row = tables(levels, bbo, spoilt)[1].filter(of_touch).row(0, named=True)
        assert row["censored"] == (row["outcome"] is None) == (row["horizon_end_reason"] != "horizon")
        return row["horizon_end_reason"]

    number = pl.int_range(pl.len())
    assert [reason(seconds.with_columns(window_valid=number != last + k)) for k in (-1, 0, 1)] == [
        "invalid_book",
        "invalid_book",
        "horizon",
    ]
    # missing ones fail where the next is, and have failed since the last one
    assert reason(seconds.filter(~number.is_between(last, last + 5))) == "invalid_book"
    assert reason(seconds.filter(~number.is_between(last + 1, last + 5))) == "horizon"


def test_nothing_goes_on_over_the_close_of_a_session():
    """From 16:20 to 17:20 New York; the exchange closes at 17:00, whatever the feed says after that."""
    start, close = ns("16:20"), ns("17:00")
    bbo, seconds = walking(4, start, 3600, jumps=False)
    closed = pl.col("window_end").to_physical() > close
    seconds = seconds.with_columns(phase=pl.when(closed).then(pl.lit("closed")).otherwise("phase").cast(PHASE))
    mids = mids_of(bbo, seconds)
    open_then = mids.ts < close
    assert (mids.usable == open_then).all()
    assert mids.fresh.sum() == 1
    levels = stretches([(f"ROUND25:{k}", 3.0 * k, start, close + 3600 * SECOND) for k in range(-30, 31)])
    bars = Bars.of(candles(0, []))
    episodes = episode_frame(levels, mids, bars, TICK, contract="ESH4", provenance="simulated")
    assert episodes["ts_decision"].to_physical().max() < close  # pyright: ignore[reportOperatorIssue]
    outcomes = outcome_frame(episodes.select(EPISODE_COLUMNS), mids, bars, TICK, ES, SetupSettings())
    beyond = pl.col("ts_label_end").to_physical() > close
    reasons = outcomes.select(beyond.alias("beyond"), pl.col("horizon_end_reason").cast(pl.String), "censored")
    assert set(reasons.rows()) == {(False, "horizon", False), (True, "session_end", True)}
    assert outcomes.filter(beyond)["outcome"].null_count() == outcomes.filter(beyond).height


@pytest.mark.parametrize("seed", range(2))
def test_outcomes_are_those_of_a_literal_reading(seed: int):
    levels, bbo, seconds = market(seed)
    episodes, outcomes = tables(levels, bbo, seconds)
    times = np.maximum.accumulate(bbo["ts_event"].to_physical().to_numpy())
    mids = ((bbo["bid_price_int"] + bbo["ask_price_int"]) / 2 / TICK).to_numpy()
    joined = outcomes.filter("valid").join(episodes, on="episode_id", suffix="_episode")
    assert joined.height > 60
    for row in joined.with_columns(pl.col(TIMESTAMP).to_physical()).iter_rows(named=True):
        begin, end, way = row["ts_label_start"], row["ts_label_end"], row["direction"]
        p0, barrier = row["p0_mid2_int"] / 2 / TICK, row["barrier_ticks"]
        assert barrier == max(4, round(row["sigma_15"] * (row["horizon_s"] / 15) ** 0.5))
        inside = (times >= begin) & (times < end)
        if row["kind"] == "touch":  # the event itself, and what came at its time before it
            inside[: np.flatnonzero((times == begin) & (mids == p0))[0]] = False
        move = way * (mids[inside] - p0)
        hits = [(times[inside][k], name) for reached, name in ((move >= barrier, "break"), (move <= -barrier, "reject"))
                for k in np.flatnonzero(reached)[:1]]  # fmt: skip
        assert row["outcome"] == (min(hits)[1] if hits else "chop")
        assert row["ts_hit"] == (min(hits)[0] if hits else None)
        assert row["whipsaw"] == (len(hits) == 2)
        assert row["mfe_ticks"] == max(0.0, *move) if len(move) else row["mfe_ticks"] == 0
        assert row["mae_ticks"] == max(0.0, *-move) if len(move) else row["mae_ticks"] == 0
        assert row["end_ticks"] == (move[-1] if len(move) else 0.0)
        off = way * (np.append(p0, mids[inside]) - row["level_price_int"] / TICK)
        at = np.append(begin, times[inside])
        around = [(at[k], name) for reached, name in ((off >= barrier, "break"), (off <= -barrier, "reject"))
                  for k in np.flatnonzero(reached)[:1]]  # fmt: skip
        assert row["lv_outcome"] == (min(around)[1] if around else "chop")
        assert row["lv_hit_ts"] == (min(around)[0] if around else None)


def test_a_walk_without_drift_does_what_the_baseline_says():
    """Of several walks together: the shares of outcomes are near the means of the formula, at either zoom."""
    frames = [tables(*market(seed, apart=4)) for seed in range(12)]
    scored = pl.concat([outcomes.filter("valid") for _, outcomes in frames])
    for horizon in (30, 120, 360):
        part = scored.filter(pl.col("horizon_s") == horizon)
        share = part.select((pl.col("outcome") == "chop").mean().alias("chop"), expected=pl.col("b1_chop").mean())
        assert abs(share["chop"][0] - share["expected"][0]) < 0.12
        assert part.height > 300
