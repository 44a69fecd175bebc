"""The research rule of the contract export: by hand-made counts, and never for what is live."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandera.polars as pa
import polars as pl
import pytest

from spymaster.feed.selection_export import (
    EXPORT_SCHEMA,
    LookAheadError,
    UnknownSelectionError,
    causal_rows,
    export_rows,
    export_schema,
    export_selection,
    select_contract,
)
from spymaster.lake import Lake
from spymaster.tables.contract_day_selection import ContractDaySelection

EXPIRY = {"ESH4": datetime(2024, 3, 15, 13, 30, tzinfo=UTC), "ESM4": datetime(2024, 6, 21, 13, 30, tzinfo=UTC)}
DAYS = [date(2024, 3, 4) + timedelta(days=k) for k in (0, 1, 2, 3, 4, 7, 8, 9, 10, 11, 14, 15, 16, 17, 18)]
"""Monday to Friday, three weeks."""
FRONT = [1000, 1100, 900, 1000, 400, 1000, 700, 100, 50, 0, 0, 0, 0, 0, 0]
NEXT = [10, 10, 10, 10, 0, 10, 300, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000]
"""Trades 09:30 to 12:30 of both contracts: a thin Friday, a mixed day, then the roll."""


def store(lake: Lake, dt: date, counts: dict[str, int]) -> None:
    best = max(counts, key=lambda name: counts[name])
    rows = [
        {
            "contract": name, "instrument_id": k + 1, "expiration": EXPIRY[name], "message_count": 10 * n + 1,
            "trade_count": n, "trade_volume": n, "trade_count_0930_1230": n, "prev_volume": None,
            "is_selected": name == best, "basis": "first_session", "prev_trading_date": None,
        }
        for k, (name, n) in enumerate(sorted(counts.items()))
    ]  # fmt: skip
    with lake.writer(ContractDaySelection, "ES", dt) as writer:
        writer.write(pl.DataFrame(rows, schema=ContractDaySelection.schema()))
        writer.commit(provenance="simulated")


def made(root: Path, days: list[date] = DAYS) -> Lake:
    lake = Lake.open(root, create=True)
    for dt in days:
        k = DAYS.index(dt)
        store(lake, dt, {"ESH4": FRONT[k], "ESM4": NEXT[k]})
    return lake


def research(lake: Lake) -> pl.DataFrame:
    return export_rows(lake).filter(pl.col("rule").cast(pl.String) == "research")


def test_one_roll_gives_the_exact_rows(tmp_path: Path) -> None:
    rows = research(made(tmp_path))
    assert rows["session_date"].to_list() == DAYS
    assert rows["dominant_symbol"].to_list() == ["ESH4"] * 7 + ["ESM4"] * 8
    assert rows["run_id"].to_list() == [1] * 7 + [2] * 8
    assert rows["run_pos"].to_list() == [*range(1, 8), *range(1, 9)]
    assert rows["run_len"].to_list() == [7] * 7 + [8] * 8
    assert rows["median_trade_count_run"].unique().to_list() == [1000.0]
    assert rows["exclude_reason"].to_list() == [
        "head_trim", "head_trim", None, None, "liquidity", "tail_trim", "dominance",
        "head_trim", "head_trim", None, None, None, None, "tail_trim", "tail_trim",
    ]  # fmt: skip
    kept = rows.filter("include_flag")
    assert kept["selected_symbol"].to_list() == ["ESH4"] * 2 + ["ESM4"] * 4
    assert kept["selected_exp_date"].to_list() == [date(2024, 3, 15)] * 2 + [date(2024, 6, 21)] * 4
    assert kept["roll_flag"].to_list() == [False, False, True, False, False, False]
    out = rows.filter(~pl.col("include_flag"))
    assert set(out["selected_symbol"]) == {""}
    assert not out["roll_flag"].any()
    assert out["selected_exp_date"].null_count() == out.height
    assert rows["dominance_ratio"][6] == 0.7
    assert rows["trade_count_ratio"][4] == 0.4
    assert rows["is_lookahead"].all()


def test_a_missing_session_ends_a_run_and_a_holiday_does_not(tmp_path: Path) -> None:
    rows = research(made(tmp_path / "gap", [dt for dt in DAYS if dt != DAYS[10]]))
    assert rows["run_len"].to_list() == [7] * 7 + [3] * 3 + [4] * 4
    good_friday, lake = date(2024, 3, 29), Lake.open(tmp_path / "holiday", create=True)
    around = [good_friday + timedelta(days=k) for k in (-4, -3, -2, -1, 3, 4)]
    for dt in around:
        store(lake, dt, {"ESM4": 100})
    assert research(lake)["run_len"].to_list() == [6] * 6


def test_a_session_without_trades_is_left_out(tmp_path: Path) -> None:
    lake = made(tmp_path, DAYS[:6])
    store(lake, DAYS[3], {"ESH4": 0, "ESM4": 0})
    rows = research(lake)
    assert rows["exclude_reason"].to_list()[3] == "no_data"
    assert rows["dominant_symbol"][3] is None
    assert rows["dominance_ratio"][3] is None
    assert rows["run_len"].to_list() == [3, 3, 3, 1, 2, 2]
    assert not rows["include_flag"].any(), "runs of fewer than five sessions are ends only"


def test_equal_counts_go_to_the_nearest_expiry(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path, create=True)
    store(lake, DAYS[0], {"ESM4": 50, "ESH4": 50})
    assert research(lake)["dominant_symbol"].to_list() == ["ESH4"]
    assert research(lake)["exclude_reason"].to_list() == ["dominance"]


def test_later_sessions_change_research_rows_only(tmp_path: Path) -> None:
    early, late = made(tmp_path / "early", DAYS[:6]), made(tmp_path / "late")
    causal = causal_rows(late).filter(pl.col("session_date") <= DAYS[5])
    assert causal.equals(causal_rows(early))
    seen = research(late).filter(pl.col("session_date") <= DAYS[5])
    assert not seen.equals(research(early))


@pytest.mark.parametrize(
    "spoilt",
    [
        pl.col("is_lookahead").not_(),
        pl.lit("", pl.String).alias("selected_symbol"),
        pl.lit("dominance").alias("exclude_reason"),
        pl.lit(None, pl.Boolean).alias("roll_flag"),
        pl.lit("research", EXPORT_SCHEMA["rule"]).alias("rule"),
        pl.lit(DAYS[0]).alias("session_date"),
    ],
    ids=["look ahead", "contract", "reason", "null", "rule", "key"],
)
def test_an_export_that_contradicts_itself_is_not_written(tmp_path: Path, spoilt: pl.Expr) -> None:
    rows = export_rows(made(tmp_path))
    assert export_schema().validate(rows).equals(rows)
    with pytest.raises(pa.errors.SchemaError):
        export_schema().validate(rows.with_columns(spoilt))


def test_what_is_live_is_refused_the_research_rule(tmp_path: Path) -> None:
    lake = made(tmp_path)
    export_selection(lake)
    assert select_contract(lake, "ES", DAYS[9]) == "ESM4"
    assert select_contract(lake, "ES", DAYS[9], rule="research", live=False) == "ESM4"
    assert select_contract(lake, "ES", DAYS[0], rule="research", live=False) is None
    with pytest.raises(LookAheadError, match="ES 2024-03-15 by the research rule depends on later sessions"):
        select_contract(lake, "ES", DAYS[9], rule="research", live=True)
    with pytest.raises(UnknownSelectionError, match="no causal row of ES 2025-01-02"):
        select_contract(lake, "ES", date(2025, 1, 2))
