"""The engine equals the slow oracle, cell by cell, on streams that contain everything legal and most things odd."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from spymaster.book.layout import COUNTER_NAMES
from spymaster.lake.dense import dense_frame
from spymaster.market.calendar import rth_window
from spymaster.market.dbn import MBO_DTYPE
from spymaster_tests.book.engine_run import TICK, engine_tables
from spymaster_tests.oracle.book import oracle_tables
from spymaster_tests.oracle.compare import compare_frames
from spymaster_tests.streams import DAY, day_ns, random_stream, to_sentinel_form

OPEN = day_ns(DAY) + 52_200 * 10**9  # 14:30 UTC: 09:30 in New York in winter
FORMS = (None, "plain_terminated", "plain_unterminated", "clear_terminated")
SHARED_COUNTERS = {*COUNTER_NAMES, "records", "live_records", "events"}


def assert_equals_oracle(
    records: np.ndarray, tick: int = TICK, dt: date = DAY, instrument_id: int = 17077, **settings: Any
) -> tuple[dict[str, pl.DataFrame], dict[str, int]]:
    """Compare every table in its stored form, and the counters."""
    tables, counters = engine_tables(records, tick=tick, dt=dt, instrument_id=instrument_id, **settings)
    expected = oracle_tables(
        records,
        instrument_id=instrument_id,
        tick_size_int=tick,
        rth=rth_window(dt, "ES"),
        stored=True,
        **{name: settings[name] for name in ("rest_ns", "grid_ticks", "near_ticks") if name in settings},
    )
    snapshot = expected["book_snapshot_1s"]
    compare_frames(
        tables["book_snapshot_1s"], snapshot, ["window_end"], columns=[c for c in snapshot.columns if c != "phase"]
    )
    compare_frames(tables["wall_surface_1s"], expected["wall_surface_1s_stored"], ["window_end", "price_int", "side"])
    compare_frames(tables["trade"], expected["trade"], ["event_id"])
    compare_frames(tables["bbo_change"], expected["bbo_change"], ["event_id"])
    known = expected["counters"].row(0, named=True)
    assert {k: v for k, v in counters.items() if k in known and k in SHARED_COUNTERS} == {
        k: v for k, v in known.items() if k in counters and k in SHARED_COUNTERS
    }
    return tables, counters


@pytest.mark.parametrize("seed", range(12))
def test_random_stream_across_the_open(seed: int) -> None:
    """Sparse rows before 09:30 New York, every row after it, all kinds of odd events on the way."""
    records = random_stream(seed, 2500, start_ns=OPEN - 40 * 10**9, snapshot=FORMS[seed % 4])
    _, counters = assert_equals_oracle(records)
    assert counters["live_records"] >= 2000


@pytest.mark.parametrize("seed", range(100, 104))
def test_many_clears_snapshots_and_doubts(seed: int) -> None:
    """The odd kinds at ten times their usual rate, over many minutes of gaps."""
    records = random_stream(
        seed,
        1500,
        start_ns=OPEN - 400 * 10**9,
        mean_gap_ns=400_000_000,
        weights={"clear": 2, "snapshot": 3, "bad_book": 4, "top_of_book_add": 2, "far_add": 6, "duplicate_add": 5},
    )
    _, counters = assert_equals_oracle(records)
    assert counters["clears"] > 0
    assert counters["snapshots"] > 1
    assert counters["bad_book_flags"] > 0


@pytest.mark.parametrize(("tick", "mid"), [(10_000_000, 73_450_000_000), (5_000_000, -2_300_000_000), (1, 10**6)])
def test_other_tick_sizes_and_negative_prices(tick: int, mid: int) -> None:
    """A cent on crude oil, a calendar spread below zero, the smallest tick there is."""
    records = random_stream(7, 1500, tick=tick, mid_price=mid // tick * tick, start_ns=OPEN - 10 * 10**9)
    assert_equals_oracle(records, tick=tick)


@pytest.mark.parametrize("settings", [{"grid_ticks": 20}, {"rest_ns": 0}, {"rest_ns": 2_500_000_000}])
def test_other_parameters(settings: dict[str, Any]) -> None:
    """A grid so narrow that levels enter and leave it, no resting age, a resting age longer than a window."""
    records = random_stream(11, 2500, start_ns=OPEN - 60 * 10**9)
    assert_equals_oracle(records, **settings)


def test_both_closing_forms_give_the_same_tables() -> None:
    """F_LAST on the last book record, or on a separate record of action N."""
    records = random_stream(5, 3000, start_ns=OPEN - 30 * 10**9)
    one, _ = engine_tables(records)
    other, _ = engine_tables(to_sentinel_form(records))
    assert {name: frame.equals(other[name]) for name, frame in one.items()} == dict.fromkeys(one, True)


@pytest.mark.slow
def test_real_file_whole(real_data: Path) -> None:
    """Every cell of every window of the real hour and its pre-open, in the stored form and filled in."""
    import databento as db

    array = db.DBNStore.from_file(real_data / "esh4-glbx-mdp3-20231225.mbo.dbn.zst").to_ndarray()
    records = array.view(MBO_DTYPE).copy()
    christmas = date(2023, 12, 25)
    tables, _ = assert_equals_oracle(records, dt=christmas)
    expected = oracle_tables(records, instrument_id=17077, tick_size_int=TICK, rth=rth_window(christmas, "ES"))
    filled = dense_frame(tables["wall_surface_1s"], tables["book_snapshot_1s"], tick_size_int=TICK)
    assert filled.height == 7_387_505
    compare_frames(filled, expected["wall_surface_1s"], ["window_end", "price_int", "side"])
