"""The oracle on random streams: what must hold whatever the records are, and agreement with the second oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from spymaster_tests.oracle import frames, polars_depth
from spymaster_tests.oracle.book import oracle_tables, replay
from spymaster_tests.oracle.compare import compare_frames
from spymaster_tests.stream_events import SNAPSHOT_FORMS
from spymaster_tests.streams import interleave, random_stream, to_sentinel_form

TICK = 250_000_000
ID = 17077
PLAIN: dict[str, float] = dict.fromkeys(
    ("unknown_cancel", "unknown_modify", "modify_side", "duplicate_add", "top_of_book_add", "clear", "snapshot"), 0
)
"""Without what `polars_depth` does not support."""


def tables_of(records: np.ndarray, **options: Any) -> dict[str, pl.DataFrame]:
    return oracle_tables(records, instrument_id=ID, tick_size_int=TICK, **options)


@pytest.mark.parametrize("seed", range(4))
def test_both_ways_to_close_an_event_give_the_same_tables(seed: int) -> None:
    records = random_stream(seed, 1_500, snapshot=SNAPSHOT_FORMS[seed % 3])
    one, other = tables_of(records), tables_of(to_sentinel_form(records))
    for name, frame in one.items():
        assert frame.equals(other[name]), name


@pytest.mark.parametrize("seed", range(4))
def test_depth_is_carried_and_explained_by_its_flows_exactly(seed: int) -> None:
    wall = tables_of(random_stream(seed, 1_500))["wall_surface_1s"]
    flows = pl.col("add_qty") - pl.col("pull_qty_total") - pl.col("fill_qty")
    assert wall.filter(pl.col("depth_qty_end") != pl.col("depth_qty_start") + flows).is_empty()
    assert wall.filter(pl.col("depth_qty_rest") > pl.col("depth_qty_end")).is_empty()
    assert wall.filter(pl.col("pull_qty_rest") > pl.col("pull_qty_total")).is_empty()
    assert wall.filter(pl.col("refill_qty") > pl.col("add_qty")).is_empty()
    assert wall.select(frames.WALL_KEY).is_duplicated().sum() == 0


@pytest.mark.parametrize("seed", range(6))
def test_depth_agrees_with_the_recomputation_by_joins(seed: int) -> None:
    records = random_stream(seed, 1_500, weights=PLAIN, snapshot=SNAPSHOT_FORMS[seed % 3])
    done = replay(records, tick_size_int=TICK)
    snapshot = frames.snapshot_frame(done.snapshots, "x")
    wall = frames.dense_wall(frames.cell_frame(done.cells), snapshot, TICK, 10**6)
    with_spot = snapshot.with_row_index("window").filter(pl.col("spot_ref_price_int").is_not_null())
    by_loop = wall.filter(pl.col("depth_qty_end") > 0).select(
        *frames.WALL_KEY, depth="depth_qty_end", rest="depth_qty_rest", orders="order_count_end"
    )
    changes = polars_depth.depth_changes(polars_depth.spells(polars_depth.record_frame(records)))
    by_joins = polars_depth.depth_at(changes, range(snapshot.height)).join(
        with_spot.select("window_end", pl.col("window").cast(pl.Int64)), on="window"
    )
    assert by_loop.height > 1_000
    compare_frames(by_loop, by_joins.drop("window"), frames.WALL_KEY)


@pytest.mark.parametrize("kind", ["clear", "snapshot", "duplicate_add", "unknown_modify", "top_of_book_add"])
def test_the_recomputation_by_joins_refuses_what_it_does_not_support(kind: str) -> None:
    records = random_stream(1, 400, weights=PLAIN | {kind: 20.0})
    with pytest.raises(ValueError, match="does not support"):
        polars_depth.record_frame(records)


@pytest.mark.parametrize("seed", range(4))
def test_the_dense_form_can_be_told_from_the_stored_one(seed: int) -> None:
    """Filling in, row by row, 'as in this price's last row, no flow' gives every dense row back."""
    records = random_stream(seed, 1_200, weights={"far_add": 6.0})
    tables = tables_of(records, stored=True)
    dense, stored = tables["wall_surface_1s"], tables["wall_surface_1s_stored"]
    assert stored.height < dense.height
    state = ("depth_qty_end", "depth_qty_rest", "order_count_end")
    filled: list[tuple[Any, ...]] = []
    by_window = {key[0]: part.rows(named=True) for key, part in stored.group_by("window_end")}
    last: dict[tuple[int, str], tuple[int, ...]] = {}
    for window in tables["book_snapshot_1s"].iter_rows(named=True):
        end, spot = window["window_end"], window["spot_ref_price_int"]
        flowed = set()
        for row in by_window.get(end, []):
            cell = (row["price_int"], row["side"])
            last[cell] = tuple(row[name] for name in state)
            if any(row[name] for name in frames.FLOWS):
                flowed.add(cell)
        filled += [
            (end, *cell, *values)
            for cell, values in last.items()
            if spot is not None and abs(cell[0] - spot) // TICK <= 600 and (values[0] or cell in flowed)
        ]
    schema = {name: dense.schema[name] for name in (*frames.WALL_KEY, *state)}
    rebuilt = pl.DataFrame(filled, schema=schema, orient="row")
    compare_frames(rebuilt, dense, frames.WALL_KEY, columns=state)
    same = dense.join(stored, on=frames.WALL_KEY, how="semi").sort(frames.WALL_KEY)
    kept = stored.join(dense, on=frames.WALL_KEY, how="semi").sort(frames.WALL_KEY)
    assert kept.equals(same)


def test_another_instrument_in_the_file_makes_no_difference() -> None:
    own, other = random_stream(1, 600), random_stream(2, 600, instrument_id=99)
    alone, mixed = tables_of(own), tables_of(interleave(own, other))
    for name, frame in alone.items():
        assert frame.equals(mixed[name]), name
