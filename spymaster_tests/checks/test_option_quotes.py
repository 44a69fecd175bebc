"""Checks of option quotes and forwards: a good session passes, one planted violation fails each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from spymaster.checks import all_checks
from spymaster.checks.frames import OPTION_DEFINITION, OPTION_FORWARD, OPTION_QUOTE, SELECTION, SNAPSHOT
from spymaster.lake import Lake
from spymaster.market.dbn import SIM_DATASET
from spymaster.settings import get_settings
from spymaster.tables.book_snapshot_1s import BookSnapshot1s
from spymaster.tables.contract_day_selection import ContractDaySelection
from spymaster_tests.checks import sessions
from spymaster_tests.options.definitions import CONTRACT, definitions
from spymaster_tests.options.market import DT, RATE, future, run
from spymaster_tests.options.test_quotes_causal import NOON, busy_market, some_definitions

TABLES = (OPTION_QUOTE, OPTION_FORWARD)
SECONDS = 90
Change = Callable[[pl.DataFrame], pl.DataFrame]


def snapshot_rows(future_rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of the snapshot's table around the mids of a made-up future."""
    plain: dict[Any, Any] = {pl.Boolean: False, pl.Enum: None, pl.String: CONTRACT}
    filled = {
        name: pl.lit(None if column.nullable else plain.get(column.dtype.base_type(), 0), column.dtype)
        for name, column in BookSnapshot1s.columns.items()
        if name not in future_rows.columns
    }
    bid, ask = pl.col("best_bid_price_int"), pl.col("best_ask_price_int")
    known = {
        "window_start": pl.col("window_end") - pl.duration(seconds=1),
        "phase": pl.lit("continuous", BookSnapshot1s.columns["phase"].dtype),
        "book_state": pl.lit("live", BookSnapshot1s.columns["book_state"].dtype),
        "best_bid_qty": pl.lit(5, pl.Int32),
        "best_ask_qty": pl.lit(5, pl.Int32),
        "best_bid_orders": pl.lit(1, pl.Int32),
        "best_ask_orders": pl.lit(1, pl.Int32),
        "mid_price_int": (bid + ask) // 2,
        "micro_price": (bid + ask) * 0.5e-9,
        "spread_ticks": ((ask - bid) // 250_000_000).cast(pl.Int32),
    }
    frame = future_rows.with_columns(**(filled | known)).with_columns(mid_price=(bid + ask) * 0.5e-9)
    return frame.select(pl.col(name).cast(kind) for name, kind in BookSnapshot1s.schema().items())


def selection() -> pl.DataFrame:
    """The made-up future is the contract of the date."""
    row = {
        "contract": CONTRACT,
        "instrument_id": 1,
        **dict.fromkeys(("message_count", "trade_count", "trade_volume", "trade_count_0930_1230"), 0),
        "is_selected": True,
        "basis": "first_session",
    }
    return pl.DataFrame([row], schema=ContractDaySelection.schema())


@pytest.fixture(scope="module")
def made() -> dict[str, tuple[pl.DataFrame, dict[str, int]]]:
    """Frames and counters of a session whose options agree with their future."""
    mids: list[float | None] = [6_800 + 0.125 * (k % 5) for k in range(SECONDS)]
    mids[7] = None
    shot = future(NOON, mids)
    quotes, forwards, counters = run(busy_market(3), definitions(some_definitions()), shot)
    return {
        OPTION_DEFINITION: (definitions(some_definitions()), {}),
        SNAPSHOT: (snapshot_rows(shot), {}),
        SELECTION: (selection(), {}),
        OPTION_QUOTE: (quotes, counters),
        OPTION_FORWARD: (forwards, counters),
    }


@pytest.fixture
def lake(tmp_path: Path, made: dict[str, tuple[pl.DataFrame, dict[str, int]]], monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("SPYMASTER_OPTIONS__RATE", str(RATE))
    lake = Lake.open(tmp_path / "lake", settings=get_settings(), create=True, kind="simulated")
    for name, (frame, counters) in made.items():
        with lake.writer(name, "ES", DT) as writer:
            writer.write(frame)
            writer.commit(counters=counters, dataset=SIM_DATASET, provenance="simulated")
    return lake


def put(at: pl.Expr, **values: object) -> Change:
    """Set columns of the rows where `at` holds."""
    return lambda frame: frame.with_columns(
        pl.when(at)
        .then(value if isinstance(value, pl.Expr) else pl.lit(value))
        .otherwise(name)
        .cast(frame.schema[name])
        .alias(name)
        for name, value in values.items()
    )


ROW = pl.int_range(pl.len())
PRICED = pl.col("iv").is_not_null()
LONG = pl.col("window_end").rank("dense").over("expiration") > 20
SPOILERS: dict[str, tuple[str, Change]] = {
    f"{OPTION_FORWARD}:forward_of_future": (OPTION_FORWARD, put(ROW == 40, forward=pl.col("forward") + 0.125)),
    f"{OPTION_FORWARD}:parity_gap": (OPTION_FORWARD, put(LONG, parity_gap_ticks=-2.5)),
    f"{OPTION_FORWARD}:windows_contiguous": (OPTION_FORWARD, lambda frame: frame.filter(ROW != 40)),
    f"{OPTION_QUOTE}:rejects_counted": (OPTION_QUOTE, lambda frame: frame.head(-1)),
    f"{OPTION_QUOTE}:priced_share": (
        OPTION_QUOTE,
        put(ROW % 10 > 0, iv=None, delta=None, gamma=None, reject_reason="wide"),
    ),
    f"{OPTION_QUOTE}:options_defined": (
        OPTION_DEFINITION,
        lambda frame: frame.filter(pl.col("instrument_id") != 3_004),
    ),
    f"{OPTION_QUOTE}:equal_recomputation": (OPTION_QUOTE, put(PRICED, gamma=pl.col("gamma") * 1.001)),
}
CHECKS = {check.key: check for check in all_checks() if check.tables[0] in TABLES}
OF_MODELS = {"contract", "finite", "manifest_true"}


def spoil(lake: Lake, table: str, change: Change) -> None:
    sessions.spoil(lake, table, change, dt=DT)


def test_a_good_session_passes_every_check(lake: Lake):
    results = {key: check.run(lake, "ES", DT) for key, check in CHECKS.items()}
    assert {key: result.message for key, result in results.items() if not result.passed} == {}
    recomputed = results[f"{OPTION_QUOTE}:equal_recomputation"].metadata
    assert min(recomputed[name] for name in ("rows", "priced", "judged")) > 500  # type: ignore[type-var]
    assert results[f"{OPTION_FORWARD}:windows_contiguous"].metadata["rows"] == 2 * SECONDS
    gap = results[f"{OPTION_FORWARD}:parity_gap"].metadata
    assert gap["compared"] > SECONDS  # type: ignore[operator]
    assert 0 < gap["share_apart"] < 0.5, "noise moves them apart for some seconds"  # type: ignore[operator]
    shares = results[f"{OPTION_QUOTE}:rejects_counted"].metadata
    assert sum(value for name, value in shares.items() if name.startswith("share_")) == pytest.approx(1)  # type: ignore[misc]


def test_every_check_of_these_tables_has_its_violation():
    assert {key for key, check in CHECKS.items() if check.name not in OF_MODELS} == SPOILERS.keys()


@pytest.mark.parametrize("key", SPOILERS)
def test_a_check_fails_on_its_violation(key: str, lake: Lake):
    table, change = SPOILERS[key]
    spoil(lake, table, change)
    result = CHECKS[key].run(lake, "ES", DT)
    assert not result.passed
    assert result.metadata["violations"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (put(PRICED, delta=pl.col("delta") + 0.001), "delta"),
        (put(PRICED & (pl.col("gamma") > 0.002), iv=pl.col("iv") * 1.2), "a price outside the quote"),
        (put(pl.col("reject_reason") == "wide", reject_reason="crossed"), "another reason"),
        (put(PRICED, iv=None, delta=None, gamma=None, reject_reason="wide"), "good quotes rejected"),
        (put(pl.col("reject_reason") == "wide", iv=0.2, delta=0.1, gamma=0.001, reject_reason=None), "bad ones priced"),
    ],
)
def test_a_recomputation_sees(change: Change, what: str, lake: Lake):
    spoil(lake, OPTION_QUOTE, change)
    assert not CHECKS[f"{OPTION_QUOTE}:equal_recomputation"].run(lake, "ES", DT).passed, what


FIRST_EXPIRY = pl.col("expiration") == pl.col("expiration").min()
LATE = pl.col("window_end") > pl.col("window_end").max() - timedelta(seconds=5)


@pytest.mark.parametrize(
    ("table", "change", "violations"),
    [
        (OPTION_FORWARD, lambda frame: frame.filter(~(FIRST_EXPIRY & LATE)), 5),
        (OPTION_FORWARD, lambda frame: frame.filter(~LATE), 10),
        (OPTION_FORWARD, lambda frame: frame.filter(pl.col("window_end") > pl.col("window_end").min()), 2),
        (OPTION_FORWARD, lambda frame: frame.filter(~FIRST_EXPIRY), SECONDS),
        (OPTION_FORWARD, lambda frame: frame.clear(), 2 * SECONDS),
        (OPTION_FORWARD, put(FIRST_EXPIRY & LATE, expiration=pl.col("expiration").min() - timedelta(hours=1)), 10),
        (OPTION_DEFINITION, put(ROW >= 0, ts_recv=pl.col("ts_recv") + timedelta(hours=12, seconds=5)), 12),
    ],
    ids=["cut early", "all cut early", "begins late", "an expiration", "all", "of no expiration", "before it is known"],
)
def test_missing_and_made_up_forwards_are_seen(table: str, change: Change, violations: int, lake: Lake):
    spoil(lake, table, change)
    result = CHECKS[f"{OPTION_FORWARD}:windows_contiguous"].run(lake, "ES", DT)
    assert result.metadata["violations"] == violations


def test_a_minute_apart_is_no_violation_and_a_second_more_is_one(lake: Lake):
    first = pl.col("window_end").min()
    for seconds, passes in ((60, True), (61, False)):
        apart = pl.col("window_end") < first + timedelta(seconds=seconds)
        spoil(lake, OPTION_FORWARD, put(apart, parity_gap_ticks=2.5))
        result = CHECKS[f"{OPTION_FORWARD}:parity_gap"].run(lake, "ES", DT)
        assert result.passed == passes
    assert result.severity == "warn"
    assert result.metadata["violations"] == 2, "one stretch of each expiration"


def test_a_session_without_options_passes_every_check(lake: Lake):
    for name in (*TABLES, OPTION_DEFINITION):
        with lake.writer(name, "ES", DT) as writer:
            writer.commit(empty_reason="no file", dataset=SIM_DATASET, provenance="simulated")
    results = {key: check.run(lake, "ES", DT) for key, check in CHECKS.items()}
    assert {key: result.message for key, result in results.items() if not result.passed} == {}
    assert np.isfinite(float(results[f"{OPTION_QUOTE}:priced_share"].metadata["share"] or 0))
