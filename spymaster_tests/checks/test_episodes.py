"""Checks of episodes and outcomes: they pass on what the library makes, and each fails on its violations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import polars as pl
import pytest

from spymaster.checks import all_checks
from spymaster.lake import Lake, Partition
from spymaster.market.dbn import SIM_DATASET
from spymaster.setups.episodes import session_episodes
from spymaster.setups.outcomes import session_outcomes
from spymaster.tables import table
from spymaster.tables.model import TableModel
from spymaster_tests.checks.sessions import CONTRACT, SYMBOL, _PlainEncoding, copy_lake, spoil
from spymaster_tests.checks.test_every_check import ONE_TICK, ROW, Spoiler, put
from spymaster_tests.setups.bars import START, bars_of
from spymaster_tests.setups.markets import DT, SPOT, TICK
from spymaster_tests.setups.paths import ES, best_prices
from spymaster_tests.setups.test_episode_tables import COUNT, market

EPISODE, OUTCOME = "gold.setup_episode", "gold.setup_outcome"
LEVEL, BBO, CANDLE = "silver.session_level", "silver.bbo_change", "silver.candle_2m"
SNAPSHOT, DEFINITION = "silver.book_snapshot_1s", "bronze.future_definition"
SELECTION = "bronze.contract_day_selection"
CHECKS = {check.key: check for check in all_checks() if check.tables[0] in (EPISODE, OUTCOME)}


def build(root: Path, change: Callable[[pl.DataFrame], pl.DataFrame] = lambda bbo: bbo) -> Lake:
    """A lake with one market: of the tables that episodes read, the columns that are read. change: of its quotes."""
    lake = Lake.open(root, create=True, kind="simulated")
    levels, bbo, seconds = market(0, apart=4)
    bbo = change(bbo)
    contract = pl.lit(CONTRACT).alias("contract")
    held = {
        LEVEL: levels,
        BBO: bbo.with_columns(contract),
        CANDLE: bars_of(START, COUNT, bbo).with_columns(contract),
        SNAPSHOT: seconds,
        DEFINITION: pl.DataFrame({"contract": [CONTRACT], "tick_size_int": [TICK]}),
        SELECTION: pl.DataFrame({"contract": [CONTRACT], "is_selected": [True]}),
    }
    with (
        mock.patch.object(TableModel, "validate"),
        mock.patch("spymaster.lake.writer.check_continuity"),
        mock.patch("spymaster.lake.writer.Encoding", _PlainEncoding),
    ):
        for name, frame in held.items():
            with lake.writer(name, SYMBOL, DT) as writer:
                writer.write(_whole(name, frame))
                writer.commit(provenance="simulated", dataset=SIM_DATASET)
    parts = {name: lake.partition(name, SYMBOL, DT) for name in held}
    sources = [parts[name] for name in (BBO, CANDLE, SNAPSHOT, DEFINITION)]
    _write(lake, EPISODE, session_episodes(parts[LEVEL], *sources, instrument=ES), [parts[LEVEL], *sources])
    episodes = lake.partition(EPISODE, SYMBOL, DT)
    outcomes = session_outcomes(episodes, *sources, instrument=ES, settings=lake.settings.setups)
    _write(lake, OUTCOME, outcomes, [episodes, *sources])
    return lake


def _whole(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """With the columns that nobody here reads, empty."""

    def empty(dtype: pl.DataType) -> pl.Expr:
        if isinstance(dtype, pl.Enum):
            return pl.lit(dtype.categories[0])
        if isinstance(dtype, pl.List):
            return pl.lit([], dtype)
        return pl.lit("" if dtype == pl.String else 0)

    columns = table(name).columns
    return frame.select(
        (pl.col(column) if column in frame.columns else pl.lit(None) if spec.nullable else empty(spec.dtype))  # pyright: ignore[reportArgumentType]
        .cast(spec.dtype)
        .alias(column)
        for column, spec in columns.items()
    )


def _write(lake: Lake, name: str, frame: pl.DataFrame, inputs: list[Partition]) -> None:
    with lake.writer(name, SYMBOL, DT) as writer:
        writer.write(frame)
        writer.commit(inputs=inputs)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return build(tmp_path_factory.mktemp("episodes") / "lake")


def of_kind(kind: str) -> pl.Expr:
    return (pl.col("kind") == kind) & pl.col("valid")


TOUCH, BARS = of_kind("touch"), of_kind("candle")
MATCHED = pl.col("match_set_id").is_not_null() & pl.col("is_placebo")
SCORED = pl.col("valid")
CASES: dict[str, tuple[str, Spoiler]] = {
    "a price that the level does not have": (
        f"{EPISODE}:at_levels_that_hold",
        put(EPISODE, ROW == 0, level_price_int=pl.col("level_price_int") + ONE_TICK),
    ),
    "a level that held later": (
        f"{EPISODE}:at_levels_that_hold",
        put(LEVEL, ~pl.col("is_placebo"), valid_from=pl.col("valid_from").dt.offset_by("39m")),
    ),
    "a level of a group that has an older one": (
        f"{EPISODE}:at_levels_that_hold",
        lambda lake: spoil(lake, LEVEL, _older, dt=DT),
    ),
    "a touch one tick away": (
        f"{EPISODE}:touched_by_the_mid",
        put(EPISODE, TOUCH, p0_mid2_int=pl.col("p0_mid2_int") - 8 * ONE_TICK),
    ),
    "a touch a nanosecond late": (
        f"{EPISODE}:touched_by_the_mid",
        put(EPISODE, TOUCH, ts_decision=pl.col("ts_decision").dt.offset_by("1ns")),
    ),
    "a touch from the other side": (
        f"{EPISODE}:touched_by_the_mid",
        put(EPISODE, TOUCH, direction=-pl.col("direction")),
    ),
    "a level that jumped over the mid": (
        f"{EPISODE}:touched_by_the_mid",
        lambda lake: spoil(lake, EPISODE, _jumped, dt=DT),
    ),
    "a touch that is said to go past": (f"{EPISODE}:touched_by_the_mid", put(EPISODE, TOUCH, gap_through=True)),
    "the mid of a candle's decision": (
        f"{EPISODE}:touched_by_the_mid",
        put(EPISODE, BARS, p0_mid2_int=pl.col("p0_mid2_int") + ONE_TICK),
    ),
    "a kind of trigger": (
        f"{EPISODE}:triggered_by_candles",
        put(EPISODE, BARS & (pl.col("trigger_kind") == "cross"), trigger_kind="pierce"),
    ),
    "a kind of confirmation": (
        f"{EPISODE}:triggered_by_candles",
        put(EPISODE, BARS & (pl.col("confirm_kind") == "hold"), confirm_kind="inside"),
    ),
    "a candle that came from the other side": (
        f"{EPISODE}:triggered_by_candles",
        lambda lake: _other_side(lake, 1),
    ),
    "a candle that came from the other side, after one that closed at the level": (
        f"{EPISODE}:triggered_by_candles",
        lambda lake: _other_side(lake, 2),
    ),
    "a candle that met a group again at once": (
        f"{EPISODE}:triggered_by_candles",
        put(EPISODE, BARS, group_id="g"),
    ),
    "a trigger that is missing": (
        f"{EPISODE}:triggered_by_candles",
        lambda lake: spoil(lake, EPISODE, _without_one(real=True), dt=DT),
    ),
    "a trigger of a placebo that is missing": (
        f"{EPISODE}:triggered_by_candles",
        lambda lake: spoil(lake, EPISODE, _without_one(real=False), dt=DT),
    ),
    "a candle that is torn": (
        f"{EPISODE}:triggered_by_candles",
        put(CANDLE, ROW == 8, is_complete=False),
    ),
    "a spot of later": (
        f"{EPISODE}:known_then",
        put(EPISODE, ROW >= 0, spot_ref_price_int=pl.col("spot_ref_price_int") + ONE_TICK),
    ),
    "a sigma that is not known": (f"{EPISODE}:known_then", put(EPISODE, ROW >= 0, sigma_15=None)),
    "a sigma": (f"{EPISODE}:known_then", put(EPISODE, ROW >= 0, sigma_15=pl.col("sigma_15") * 1.001)),
    "a placebo unlike its episode": (
        f"{EPISODE}:matched_within_bounds",
        put(EPISODE, MATCHED, tod_sec=pl.col("tod_sec") + 2000),
    ),
    "a match set without its episode": (
        f"{EPISODE}:matched_within_bounds",
        put(EPISODE, ~pl.col("is_placebo"), match_set_id=None),
    ),
    "placebos of one moment": (
        f"{EPISODE}:matched_within_bounds",
        put(EPISODE, MATCHED, ts_decision=pl.col("ts_decision").min()),
    ),
    "another contract": (f"{EPISODE}:contract_of_selection", put(EPISODE, ROW == 0, contract="ESM4")),
    "an episode that is said to be real": (
        f"{EPISODE}:provenance_of_manifest",
        put(EPISODE, ROW == 0, provenance="real"),
    ),
    "an outcome that is said to be real": (
        f"{OUTCOME}:provenance_of_manifest",
        put(OUTCOME, ROW == 0, provenance="real"),
    ),
    "a horizon that is missing": (
        f"{OUTCOME}:outcomes_of_episodes",
        lambda lake: spoil(lake, OUTCOME, lambda frame: frame[1:], dt=DT),
    ),
    "a barrier": (
        f"{OUTCOME}:outcomes_of_episodes",
        put(OUTCOME, SCORED, barrier_ticks=pl.col("barrier_ticks") + 1),
    ),
    "a start after the decision": (
        f"{OUTCOME}:outcomes_of_episodes",
        put(OUTCOME, ROW == 0, ts_label_start=pl.col("ts_label_start").dt.offset_by("1ns")),
    ),
    "an outcome": (
        f"{OUTCOME}:first_passages",
        put(OUTCOME, SCORED & (pl.col("outcome") == "break"), outcome="reject"),
    ),
    "a furthest price": (
        f"{OUTCOME}:first_passages",
        put(OUTCOME, SCORED, mfe_ticks=pl.col("mfe_ticks") + 0.5),
    ),
    "a hit one second late": (
        f"{OUTCOME}:first_passages",
        put(OUTCOME, pl.col("t_hit_s").is_not_null(), t_hit_s=pl.col("t_hit_s") + 1.0),
    ),
}
SPOILERS = dict(CASES.values())


def _older(frame: pl.DataFrame) -> pl.DataFrame:
    """With a level in the group of another that holds since a second before it."""
    group = frame.filter(~pl.col("is_placebo") & (pl.col("level_type") == "ROUND25"))
    older = group.with_columns(
        level_id=pl.lit("AAA") + pl.col("level_id"), valid_from=pl.col("valid_from").dt.offset_by("-1s")
    )
    return pl.concat([older, frame]).sort("level_id", "valid_from")


def _without_one(*, real: bool) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Without the last candle episode of a level, or of a placebo: no other one is closer than it should be."""

    def without(frame: pl.DataFrame) -> pl.DataFrame:
        rows = frame.filter(BARS & (pl.col("is_placebo") != real)).sort("ts_decision", "episode_id")
        return frame.filter(pl.col("episode_id") != rows["episode_id"][-1])

    return without


def _jumped(frame: pl.DataFrame) -> pl.DataFrame:
    """Touches of a level that has gone from ahead of the mid to 80 ticks behind it."""
    far = pl.col("direction").cast(pl.Int64) * 80 * ONE_TICK
    gone = pl.col("level_price_int") - far
    early = TOUCH & (pl.col("ts_approach") < pl.col("ts_decision"))
    return frame.with_columns(
        level_price_int=pl.when(early).then(gone).otherwise("level_price_int"),
        gap_through=pl.when(early).then(pl.lit(True)).otherwise("gap_through"),
    )


def _other_side(lake: Lake, closes: int) -> None:
    """One candle episode whose last close before the trigger, or the one before that, was beyond the level."""
    episodes = lake.partition(EPISODE, SYMBOL, DT).read()
    one = episodes.filter(BARS).row(0, named=True)
    spoil(lake, EPISODE, lambda frame: frame.filter(episode_id=one["episode_id"]), dt=DT)
    back = pl.lit(one["trigger_bar"]) - pl.col("bar_index")
    beyond = one["level_price_int"] + one["direction"] * 5 * ONE_TICK
    level = one["level_price_int"]
    close = pl.when(back == closes).then(beyond).when(back.is_between(1, closes - 1)).then(level)
    spoil(lake, CANDLE, lambda frame: frame.with_columns(close_price_int=close.otherwise("close_price_int")), dt=DT)


def test_good_episodes_pass_every_check(good: Lake):
    results = {key: check.run(good, SYMBOL, DT) for key, check in CHECKS.items()}
    assert {key: result.message for key, result in results.items() if not result.passed} == {}
    episodes = good.partition(EPISODE, SYMBOL, DT).read()
    assert episodes.filter(MATCHED).height > 20
    assert episodes.group_by("kind").len().height == 2


def test_an_approach_and_its_touch_may_have_one_time(good: Lake, tmp_path: Path):
    """An event goes past the level at the very time at which another began the approach."""
    episodes = (
        good.partition(EPISODE, SYMBOL, DT).read().filter(TOUCH & (pl.col("ts_approach") < pl.col("ts_decision")))
    )
    one = episodes.with_columns(pl.col("ts_approach").to_physical()).row(0, named=True)
    at, level = one["ts_approach"], (one["level_price_int"] - SPOT) // TICK

    def passed_at_once(bbo: pl.DataFrame) -> pl.DataFrame:
        row = int(np.flatnonzero(bbo["ts_event"].to_physical().to_numpy() == at)[-1])
        then = best_prices([at], [2 * level + one["direction"] * 6])
        return pl.concat([bbo[: row + 1], then, bbo[row + 1 :]])

    lake = build(tmp_path / "lake", passed_at_once)
    found = lake.partition(EPISODE, SYMBOL, DT).read().filter(level_id=one["level_id"], kind="touch")
    found = found.filter(pl.col("ts_approach").to_physical() == at)
    assert found.select("ts_decision", "gap_through").rows() == found.select("ts_approach", pl.lit(True)).rows()
    assert found.height == 1
    results = {key: check.run(lake, SYMBOL, DT) for key, check in CHECKS.items()}
    assert {key: result.message for key, result in results.items() if not result.passed} == {}


@pytest.mark.parametrize("case", CASES)
def test_a_check_fails_on_its_violation(case: str, good: Lake, tmp_path: Path):
    lake = copy_lake(good, tmp_path / "lake")
    key, apply = CASES[case]
    with mock.patch("spymaster_tests.checks.sessions.DT", DT):
        apply(lake)
    result = CHECKS[key].run(lake, SYMBOL, DT)
    assert not result.passed
    assert result.metadata["violations"]
