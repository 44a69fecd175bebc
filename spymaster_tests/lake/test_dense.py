"""The dense form against a book that is kept second by second, on random days stored in the sparse form."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from spymaster.lake import Lake, MissingPartitionError, dense, dense_frame
from spymaster.lake.dense import tick_size
from spymaster.lake.errors import DenseFormError
from spymaster.settings import get_settings
from spymaster.tables import ParquetLayout, table
from spymaster_tests.lake.storing import DT, store
from spymaster_tests.tables.samples import SECOND, START, TICK, frame_of, sample

WALL = table("silver.wall_surface_1s")
SNAPSHOT = table("silver.book_snapshot_1s")
GRID, NEAR = 20, 3
BASE = 19_200
ROW = tuple[int, str]


@dataclass
class Day:
    """A random book of a few prices around a wandering spot, and both forms of its wall."""

    seconds: int
    seed: int
    spotless: frozenset[int] = frozenset()
    dense_rows: list[dict] = field(default_factory=list)
    stored_rows: list[dict] = field(default_factory=list)
    snapshot_rows: list[dict] = field(default_factory=list)

    def __post_init__(self) -> None:
        chosen = random.Random(self.seed)
        depth: dict[ROW, list[int]] = defaultdict(lambda: [0, 0, 0, 0])  # newest last: four seconds of history
        state: dict[ROW, tuple[int, int, int]] = {}  # what the last stored row says
        rested: dict[ROW, int] = {}
        spot = BASE
        for second in range(self.seconds):
            spot += chosen.choice((-4, -2, -1, 0, 0, 0, 1, 2, 4))
            flow = self._flow(chosen, depth)
            cells = set(depth) | set(flow)
            for cell in cells:
                added, pulled = flow.get(cell, (0, 0))
                history = depth[cell]
                depth[cell] = [*history[1:], history[-1] + added - pulled]
                # An add of this second rests from the next one on: a changed quantity without any flow.
                rested[cell] = min(depth[cell][-1], history[-1])
            self._snapshot(second, spot)
            if second in self.spotless:
                continue
            whole = second == 0 or (START // SECOND + second) % 60 == 0
            for cell in sorted(cells, key=lambda cell: (cell[0], "BA".index(cell[1]))):
                if abs(cell[0] - spot) > GRID:
                    continue
                row = self._row(second, cell, spot, depth[cell], flow.get(cell, (0, 0)), rested[cell])
                now = (row["depth_qty_end"], row["depth_qty_rest"], row["order_count_end"])
                rests_or_flows = now[0] > 0 or cell in flow
                kept = cell in flow or ((whole or abs(cell[0] - spot) <= NEAR) and rests_or_flows)
                if rests_or_flows:
                    self.dense_rows.append(row)
                if kept or now != state.get(cell, (0, 0, 0)):
                    self.stored_rows.append(row)
                    state[cell] = now

    def _flow(self, chosen: random.Random, depth: dict[ROW, list[int]]) -> dict[ROW, tuple[int, int]]:
        flow = {}
        for _ in range(chosen.choice((0, 0, 1, 3))):
            cell = (BASE + chosen.randint(-GRID, GRID), chosen.choice("BA"))
            held = depth[cell][-1]
            added, pulled = chosen.choice(((3, 0), (5, 0), (0, held), (0, min(held, 2)), (2, min(held, 2))))
            if added or pulled:
                flow[cell] = (added, pulled)
        return flow

    def _row(self, second: int, cell: ROW, spot: int, history: list[int], flow: tuple[int, int], rested: int) -> dict:
        first, second_last, before, now = history
        return {
            **dict.fromkeys(WALL.columns, 0),
            "window_end": START + (second + 1) * SECOND,
            "contract": "ESH4",
            "price_int": cell[0] * TICK,
            "side": cell[1],
            "rel_ticks": cell[0] - spot,
            "spot_ref_price_int": spot * TICK,
            "depth_qty_start": now - flow[0] + flow[1],
            "depth_qty_end": now,
            "depth_qty_rest": rested,
            "order_count_end": (now + 1) // 2,
            "add_qty": flow[0],
            "pull_qty_total": flow[1],
            "d1_depth_qty": now - before,
            "d2_depth_qty": now - 2 * before + second_last,
            "d3_depth_qty": now - 3 * before + 3 * second_last - first,
            "window_valid": second % 7 != 3,
        }

    def _snapshot(self, second: int, spot: int) -> None:
        row = sample(SNAPSHOT).row(0, named=True)
        spotless = second in self.spotless
        self.snapshot_rows.append(
            row
            | {
                "window_start": START + second * SECOND,
                "window_end": START + (second + 1) * SECOND,
                "spot_ref_price_int": None if spotless else spot * TICK,
                "window_valid": second % 7 != 3,
            }
        )

    @property
    def dense(self) -> pl.DataFrame:
        return frame_of(WALL, self.dense_rows)

    @property
    def stored(self) -> pl.DataFrame:
        return frame_of(WALL, self.stored_rows)

    @property
    def snapshot(self) -> pl.DataFrame:
        return frame_of(SNAPSHOT, self.snapshot_rows)


def without_differences_after_return(frame: pl.DataFrame, day: Day) -> pl.DataFrame:
    """Leave out d1..d3 of the seconds for which the stored form cannot tell them (see `spymaster.lake.dense`).

    That is where one of the three seconds before was off the grid (or without spot).
    """
    spots = {row["window_end"]: row["spot_ref_price_int"] for row in day.snapshot_rows}
    ends = frame.get_column("window_end").to_physical().to_list()
    prices = frame.get_column("price_int").to_list()

    def off_grid(end: int, price: int) -> bool:
        return end in spots and (spots[end] is None or abs(price - spots[end]) > GRID * TICK)

    known = [
        not any(off_grid(end - back * SECOND, price) for back in (1, 2, 3))
        for end, price in zip(ends, prices, strict=True)
    ]
    differences = ("d1_depth_qty", "d2_depth_qty", "d3_depth_qty")
    return frame.with_columns(
        pl.when(pl.Series(known)).then(pl.col(name)).otherwise(None).alias(name) for name in differences
    )


@pytest.mark.parametrize("seed", range(12))
def test_the_dense_form_is_the_book_second_by_second(seed: int) -> None:
    day = Day(150, seed, spotless=frozenset({0, 1, 40, 41}) if seed % 3 == 0 else frozenset())
    assert len(day.stored_rows) < 0.8 * len(day.dense_rows)  # the stored form is really sparse
    filled = dense_frame(day.stored, day.snapshot, grid_ticks=GRID)
    assert filled.schema == WALL.schema()
    assert without_differences_after_return(filled, day).equals(without_differences_after_return(day.dense, day))
    steady = without_differences_after_return(filled, day).drop_nulls()
    assert steady.height > 0.5 * filled.height  # most differences were compared
    WALL.validate(filled)


@pytest.mark.parametrize("seed", range(4))
def test_a_span_is_cut_from_the_same_answer(seed: int, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a partition, in batches, with the state before the span carried in."""
    monkeypatch.setattr(WALL, "parquet", ParquetLayout(row_group_rows=100))
    lake = Lake.open(lake.root, settings=get_settings(engine={"grid_ticks": GRID}))
    day = Day(150, seed)
    store(lake, day.snapshot, model=SNAPSHOT)
    store(lake, day.stored, model=WALL)
    wall = lake.partition(WALL, "ES", DT)
    whole = dense_frame(day.stored, day.snapshot, grid_ticks=GRID)
    assert dense(wall).equals(whole)
    chosen = random.Random(seed)
    for _ in range(4):
        first, last = sorted(chosen.sample(range(-5, 160), 2))
        start, end = START + first * SECOND, START + last * SECOND
        ends = pl.col("window_end").to_physical()
        expected = whole.filter((ends >= start) & (ends <= end))
        assert dense(wall, start, end).equals(expected)
        moments = [datetime(2024, 1, 2, 15, tzinfo=UTC) + timedelta(seconds=number) for number in (first, last)]
        assert dense(wall, *moments).equals(expected)
        assert dense(wall, end=end).equals(whole.filter(ends <= end))


def test_the_tick_size_is_read_off_the_rows() -> None:
    frame = sample(WALL)
    assert tick_size(frame) == TICK
    assert tick_size(frame.head(1)) is None
    assert tick_size(frame.clear()) is None


class TestFaults:
    def test_rows_that_do_not_tell_the_tick_size_need_it_given(self) -> None:
        one = sample(WALL).head(1)
        with pytest.raises(DenseFormError, match="do not tell the tick size"):
            dense_frame(one, sample(SNAPSHOT))
        assert dense_frame(one, sample(SNAPSHOT), tick_size_int=TICK).height == 4

    def test_a_window_without_a_snapshot_is_named(self) -> None:
        with pytest.raises(DenseFormError, match=r"no row for window_end 2024-01-02 15:00:02"):
            dense_frame(sample(WALL), sample(SNAPSHOT).head(1))

    def test_the_snapshot_must_be_there(self, lake: Lake) -> None:
        store(lake, sample(WALL), model=WALL)
        with pytest.raises(MissingPartitionError, match="book_snapshot_1s"):
            dense(lake.partition(WALL, "ES", DT))

    def test_a_time_without_zone_is_refused(self) -> None:
        with pytest.raises(DenseFormError, match="has no time zone"):
            dense_frame(sample(WALL), sample(SNAPSHOT), start=datetime(2024, 1, 2))

    def test_nothing_stored_is_nothing_dense(self) -> None:
        assert dense_frame(WALL.empty(), sample(SNAPSHOT)).equals(WALL.empty())
        beyond = START + 500 * SECOND
        assert dense_frame(sample(WALL), sample(SNAPSHOT), start=beyond).is_empty()
