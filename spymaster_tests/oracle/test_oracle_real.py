"""The figures of 10-market-data §6, out of the oracle, on the real files (skipped where they are absent)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from spymaster_tests.oracle import frames, polars_depth
from spymaster_tests.oracle.book import Replay, oracle_tables, replay
from spymaster_tests.oracle.compare import compare_frames
from spymaster_tests.oracle.records import load_dbn

ES_TICK = 250_000_000
ESH4 = 17077


@pytest.fixture(scope="module")
def christmas(real_data: Path) -> np.ndarray:
    return load_dbn(real_data / "esh4-glbx-mdp3-20231225.mbo.dbn.zst")


@pytest.fixture(scope="module")
def replayed(christmas: np.ndarray) -> Replay:
    return replay(christmas, instrument_id=ESH4, tick_size_int=ES_TICK)


@pytest.fixture(scope="module")
def snapshot(replayed: Replay) -> pl.DataFrame:
    return frames.snapshot_frame(replayed.snapshots, "ESH4")


def test_odd_records_and_queue_order(christmas: np.ndarray, replayed: Replay) -> None:
    assert len(christmas) == 68_792
    assert replayed.counters == {
        "events": 47_022,
        "crossed_events": 891,
        "bad_book_flags": 0,
        "sequence_gaps": 0,
        "unknown_cancel": 0,
        "modify_as_add": 0,
        "duplicate_add": 0,
        "fill_unknown": 7,
        "fill_over_size": 28,
        "fifo_known_fills": 6_364,
        "fifo_front_fills": 5_921,
    }


def test_the_book_at_the_end(replayed: Replay) -> None:
    bids, asks = replayed.ledger.levels("B"), replayed.ledger.levels("A")
    assert (len(bids), len(asks), len(replayed.ledger.orders)) == (922, 565, 11_217)
    assert bids[0] == (4_810_000_000_000, 22, 22)
    assert asks[0] == (4_810_250_000_000, 28, 18)


def test_distinct_bbo_states_are_the_rows_of_bbo_change(replayed: Replay) -> None:
    assert len(replayed.bbo_changes) == 25_440


def test_windows_volume_and_messages(snapshot: pl.DataFrame) -> None:
    """Two hours of seconds, from the first live record's to the last one's."""
    assert snapshot.height == 7_200
    assert str(snapshot["window_start"][0]) == "2023-12-25 22:00:00+00:00"
    sums = snapshot.select(pl.col("buy_volume", "sell_volume", "none_volume", "trade_count", "message_count").sum())
    assert sums.row(0) == (5_322, 4_526, 44, 2_973, 60_067)
    assert sum(sums.row(0)[:3]) == 9_892
    assert snapshot["window_valid"].all()


def test_the_book_is_crossed_before_the_open_only(
    christmas: np.ndarray, replayed: Replay, snapshot: pl.DataFrame
) -> None:
    """Until the last event before the auction, captured at 23:00:00.000069; the auction event uncrosses it."""
    crossed = snapshot.filter("crossed")
    assert str(crossed["window_start"][0]) == "2023-12-25 22:39:55+00:00"
    assert str(crossed["window_end"][-1]) == "2023-12-25 23:00:00+00:00"
    rows = replayed.bbo_changes
    states = [row["crossed"] for row in rows]
    first, last = states.index(True), len(states) - 1 - states[::-1].index(True)
    assert all(states[first : last + 1])
    opening = rows[last + 1]["ts_event"]
    assert opening == 1_703_545_200_000_000_000  # 2023-12-25 23:00:00 UTC
    assert christmas["ts_recv"][christmas["ts_event"] < opening].max() == opening + 68_972


def test_the_day_before_is_a_snapshot_and_does_not_duplicate_orders(real_data: Path, christmas: np.ndarray) -> None:
    eve = load_dbn(real_data / "esh4-glbx-mdp3-20231224.mbo.dbn.zst")
    alone = replay(eve, instrument_id=ESH4, tick_size_int=ES_TICK)
    bids, asks = alone.ledger.levels("B"), alone.ledger.levels("A")
    assert (len(bids), len(asks), len(alone.ledger.orders)) == (892, 559, 8_725)
    assert (bids[0][0], asks[0][0]) == (4_799_000_000_000, 4_799_500_000_000)
    head = christmas[: 8_725 + 1_000]
    both = replay(np.concatenate([eve, head]), instrument_id=ESH4, tick_size_int=ES_TICK)
    only = replay(head, instrument_id=ESH4, tick_size_int=ES_TICK)
    assert (both.snapshots, both.cells, both.counters) == (only.snapshots, only.cells, only.counters)


@pytest.mark.parametrize("start", [0, 3_500, 6_600])
def test_depth_agrees_with_the_recomputation_by_joins(
    christmas: np.ndarray, replayed: Replay, snapshot: pl.DataFrame, start: int
) -> None:
    """Ten minutes of every price in the book: at the start, through the auction, at the end."""
    windows = range(start, start + 600)
    cells = frames.cell_frame(replayed.cells)
    wall = frames.dense_wall(cells, snapshot, ES_TICK, 10**6, windows.start, windows.stop)
    by_loop = wall.filter(pl.col("depth_qty_end") > 0).select(
        *frames.WALL_KEY, depth="depth_qty_end", rest="depth_qty_rest", orders="order_count_end"
    )
    changes = polars_depth.depth_changes(polars_depth.spells(polars_depth.record_frame(christmas)))
    ends = snapshot.select("window_end", window=pl.int_range(pl.len()))
    by_joins = polars_depth.depth_at(changes, windows).join(ends, on="window").drop("window")
    assert by_joins.height > 500_000
    compare_frames(by_loop, by_joins, frames.WALL_KEY)


def test_volume_agrees_with_the_recomputation_by_groups(christmas: np.ndarray, snapshot: pl.DataFrame) -> None:
    expected = polars_depth.volumes(polars_depth.record_frame(christmas))
    actual = snapshot.select(
        window=pl.int_range(pl.len()), buy="buy_volume", sell="sell_volume", none="none_volume", prints="trade_count"
    ).filter(pl.col("prints") > 0)
    compare_frames(actual, expected, ["window"])


@pytest.mark.slow
def test_the_tables_of_a_real_file(christmas: np.ndarray) -> None:
    tables = oracle_tables(christmas, instrument_id=ESH4, tick_size_int=ES_TICK, contract="ESH4", stored=True)
    wall, stored = tables["wall_surface_1s"], tables["wall_surface_1s_stored"]
    assert (wall.height, stored.height, tables["trade"].height) == (7_387_505, 423_721, 2_834)
    flows = wall.select(pl.col("add_qty", "pull_qty_total", "fill_qty").sum()).row(0)
    assert flows == tuple(stored.select(pl.col("add_qty", "pull_qty_total", "fill_qty").sum()).row(0))
