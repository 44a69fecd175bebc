"""What the engine promises besides its values: any chunk size, any grid, bounded arrays, honest errors."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from spymaster.book.engine import EMITTABLE, BookEngine, EngineConfig
from spymaster.book.errors import BookError, OffTickPriceError, OversizeOrderError, TimeOrderError
from spymaster.lake.dense import dense_frame
from spymaster.market.dbn import MBO_DTYPE
from spymaster_tests.book.engine_run import TICK, chunked, engine_tables
from spymaster_tests.oracle.book import oracle_tables
from spymaster_tests.oracle.compare import compare_frames
from spymaster_tests.streams import DAY, day_ns, random_stream, to_sentinel_form

OPEN = day_ns(DAY) + 52_200 * 10**9


def engine(**options: object) -> BookEngine:
    return BookEngine(tick_size_int=TICK, instrument_id=17077, **options)  # pyright: ignore[reportArgumentType]


def columns_of(book_engine: BookEngine) -> dict[str, dict[str, np.ndarray]]:
    blocks = book_engine.take()
    return {
        table: {name: np.concatenate([block[table][name] for block in blocks]) for name in blocks[0][table]}
        for table in blocks[0]
    }


def run_columns(records: np.ndarray, **options: object) -> dict[str, dict[str, np.ndarray]]:
    book_engine = engine(**options)
    book_engine.feed(records)
    book_engine.finish()
    return columns_of(book_engine)


def assert_same(one: dict[str, dict[str, np.ndarray]], other: dict[str, dict[str, np.ndarray]]) -> None:
    for table, columns in one.items():
        for name, values in columns.items():
            assert values.tobytes() == other[table][name].tobytes(), f"{table}.{name}"


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_output_does_not_depend_on_how_records_are_cut_into_chunks(size: int) -> None:
    records = random_stream(3, 4000, start_ns=OPEN - 30 * 10**9)
    whole, counters = engine_tables(chunked(records, 65_536))
    cut, cut_counters = engine_tables(chunked(records, size))
    assert counters == cut_counters
    for name, frame in whole.items():
        assert frame.equals(cut[name]), name
        assert frame.hash_rows().equals(cut[name].hash_rows()), name


def test_output_does_not_depend_on_blocks() -> None:
    """Blocks of a few windows and a few events hold the same rows as one large block."""
    records = random_stream(4, 4000, start_ns=OPEN - 30 * 10**9)
    small = EngineConfig(block_windows=3, block_rows=10, event_rows=5)
    assert_same(run_columns(records), run_columns(records, config=small))


@pytest.mark.parametrize("seed", [21, 22])
def test_output_does_not_depend_on_where_the_array_grid_lies(seed: int) -> None:
    """A grid hardly wider than the surface: most levels spill, and the origin moves whenever spot does."""
    records = random_stream(seed, 6000, start_ns=OPEN - 30 * 10**9, weights={"far_add": 8, "clear": 0, "snapshot": 0})
    tight = EngineConfig(grid_ticks=20, width=192)
    book_engine = engine(config=tight)
    book_engine.feed(records)
    book_engine.finish()
    assert book_engine.diagnostics["spilled_levels"] > 50
    assert book_engine.diagnostics["recentred"] > 0
    assert_same(run_columns(records, config=EngineConfig(grid_ticks=20)), columns_of(book_engine))


def test_arrays_grow_with_the_book() -> None:
    """More live orders than slots: the same book as the dictionaries of the oracle."""
    n = 40_000
    records = random_stream(1, 10, snapshot=None)[:1].repeat(n)
    records["action"], records["side"], records["flags"] = ord("A"), ord("B"), 0x80
    records["order_id"] = np.arange(1, n + 1)
    records["price"] = 4_800_000_000_000 - (np.arange(n) % 300) * TICK
    records["size"] = 1 + np.arange(n) % 7
    records["ts_event"] = OPEN + np.arange(n)
    book_engine = engine()
    book_engine.feed(records)
    book_engine.finish()
    ladder = book_engine.ladder()
    expected = (
        pl.DataFrame({"price_int": records["price"], "qty": records["size"].astype(np.int64)})
        .group_by("price_int")
        .agg(pl.col("qty").sum(), orders=pl.len().cast(pl.Int64))
        .sort("price_int", descending=True)
    )
    assert pl.DataFrame(ladder).drop("side").equals(expected)
    orders = book_engine.resting_orders()
    assert len(orders["order_id"]) == n
    assert sorted(orders["order_id"].tolist()) == records["order_id"].tolist()


def test_the_day_before_changes_nothing() -> None:
    """Two consecutive files: the second one's snapshot replaces the book, and snapshots start no clock."""
    records = random_stream(9, 1500, start_ns=OPEN)
    head = records[: int((records["flags"] & 0x20 != 0).argmin())]
    yesterday = head.copy()
    yesterday["ts_recv"] -= 86_400 * 10**9
    yesterday["order_id"] += 10**9  # orders that are gone today
    both = engine()
    both.feed(np.concatenate([yesterday, head]))
    both.start_file()
    both.feed(records)
    both.finish()
    assert_same(run_columns(records), columns_of(both))


def test_the_real_day_before_changes_nothing(real_data) -> None:
    import databento as db

    days = [
        db.DBNStore.from_file(real_data / f"esh4-glbx-mdp3-202312{day}.mbo.dbn.zst").to_ndarray().view(MBO_DTYPE).copy()
        for day in (24, 25)
    ]
    both = engine()
    both.feed(days[0])
    assert len(both.resting_orders()["order_id"]) == 8725
    both.start_file()
    both.feed(days[1])
    both.finish()
    assert_same(run_columns(days[1]), columns_of(both))
    assert len(both.resting_orders()["order_id"]) == 11_217


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**31),
    form=st.sampled_from([None, "plain_terminated", "plain_unterminated", "clear_terminated"]),
    odd=st.sampled_from(["clear", "snapshot", "far_add", "duplicate_add", "partial_cancel", "iceberg", "stop_cascade"]),
    size=st.integers(1, 400),
)
@example(seed=232, form=None, odd="clear", size=1)  # levels from modifies, before the first add
def test_invariants_hold_on_any_stream(seed: int, form, odd: str, size: int) -> None:
    """Conservation with the start carried forward, resting within depth, derivatives, and both closing forms."""
    records = random_stream(seed, 400, start_ns=OPEN - 5 * 10**9, snapshot=form, weights={odd: 8})
    tables, _ = engine_tables(chunked(records, size))
    sentinel, _ = engine_tables(to_sentinel_form(records))
    assert all(frame.equals(sentinel[name]) for name, frame in tables.items())
    wall = tables["wall_surface_1s"]
    if wall.is_empty():
        return
    flows = pl.col("depth_qty_start") + pl.col("add_qty") - pl.col("pull_qty_total") - pl.col("fill_qty")
    assert wall.filter(flows != pl.col("depth_qty_end")).is_empty()
    assert wall.filter(pl.col("depth_qty_rest") > pl.col("depth_qty_end")).is_empty()
    assert wall.filter(pl.col("pull_qty_rest") > pl.col("pull_qty_total")).is_empty()
    assert wall.filter(pl.col("refill_qty") > pl.col("add_qty")).is_empty()
    assert wall.filter(pl.min_horizontal("depth_qty_start", "depth_qty_rest", "order_count_end") < 0).is_empty()
    carried = (
        dense_frame(wall, tables["book_snapshot_1s"], tick_size_int=TICK)
        .sort("price_int", "side", "window_end")
        .with_columns(before=pl.col("depth_qty_end").shift(1).over("price_int", "side"))
        .with_columns(gap=pl.col("window_end").diff().over("price_int", "side"))
        .filter(pl.col("gap") == pl.duration(seconds=1))
    )
    assert carried.filter(pl.col("before") != pl.col("depth_qty_start")).is_empty()
    assert carried.filter(pl.col("d1_depth_qty") != pl.col("depth_qty_end") - pl.col("depth_qty_start")).is_empty()


def test_dense_form_of_what_is_stored_equals_the_dense_oracle() -> None:
    """The sparse rows outside regular hours say everything: filled in, they are the oracle's dense wall."""
    records = random_stream(31, 2500, start_ns=OPEN - 200 * 10**9, mean_gap_ns=120_000_000)
    tables, _ = engine_tables(records)
    from spymaster.market.calendar import rth_window

    expected = oracle_tables(records, instrument_id=17077, tick_size_int=TICK, rth=rth_window(DAY, "ES"))
    filled = dense_frame(tables["wall_surface_1s"], tables["book_snapshot_1s"], tick_size_int=TICK)
    compare_frames(filled, expected["wall_surface_1s"], ["window_end", "price_int", "side"])


def one_add() -> np.ndarray:
    record = random_stream(1, 10, snapshot=None)[:1].copy()
    record["action"], record["side"], record["flags"], record["order_id"] = ord("A"), ord("B"), 0x80, 5
    record["price"], record["size"], record["ts_event"] = 4_800_000_000_000, 3, OPEN
    return record


@pytest.mark.parametrize(
    ("field", "value", "error", "named"),
    [
        ("price", 4_800_100_000_000, OffTickPriceError, "4800100000000"),
        ("size", 2**31, OversizeOrderError, "2147483648"),
        ("action", ord("Z"), BookError, "0x5a"),
        ("side", ord("N"), BookError, "0x4e"),
        ("ts_event", OPEN - 1, TimeOrderError, str(OPEN - 1)),
    ],
)
def test_impossible_records_are_named(field: str, value: int, error: type[BookError], named: str) -> None:
    records = np.concatenate([one_add(), one_add()])
    records["order_id"][1] = 6
    records[field][1] = value
    book_engine = BookEngine(tick_size_int=TICK, instrument_id=17077, source="es.dbn")
    with pytest.raises(error, match=r"es\.dbn: record 1 .*") as caught:
        book_engine.feed(records)
    assert named in str(caught.value)


def test_only_what_is_wanted_is_emitted() -> None:
    records = random_stream(2, 500, start_ns=OPEN)
    everything = run_columns(records)
    for table in EMITTABLE:
        assert_same(run_columns(records, emit=frozenset({table})), {table: everything[table]})
    with pytest.raises(ValueError, match="order_event"):
        engine(emit=frozenset({"order_event"}))


def test_a_file_without_live_records_has_no_windows() -> None:
    records = random_stream(2, 500, start_ns=OPEN)
    head = records[: int((records["flags"] & 0x20 != 0).argmin())]
    book_engine = engine()
    book_engine.feed(head)
    book_engine.finish()
    assert book_engine.take() == []
    assert len(book_engine.resting_orders()["order_id"]) == len(head)
    assert book_engine.counters["snapshots"] == 1
