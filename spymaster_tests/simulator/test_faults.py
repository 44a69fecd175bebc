"""Faults made on purpose: each is in the file as it was logged, nothing else is, and feed and book cope as they say."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from spymaster.book.engine import SNAPSHOT, BookEngine, EngineConfig
from spymaster.book.errors import OffTickPriceError
from spymaster.feed.errors import TruncatedFileError
from spymaster.feed.reader import MboFile
from spymaster.market.dbn import SIM_DATASET, UNDEF_PRICE, write_dbn
from spymaster.simulator.errors import SimulatorConfigError
from spymaster.simulator.fault_plan import FaultFile, load_faults
from spymaster.simulator.faults import LoggedFault
from spymaster.simulator.handover import Feed
from spymaster.simulator.layout import FRONT, INSTRUMENTS
from spymaster.simulator.request import Request, plan
from spymaster.simulator.schedule import DAY_SECONDS, SECOND_NS, midnight_ns
from spymaster.simulator.simulate import simulate
from spymaster_tests.simulator.days import TUESDAY, SmallDay, small_day, usual_day
from spymaster_tests.simulator.test_book_oracle import assert_books_agree

AT = "10:03:00"
EVERY_KIND = set(FaultFile.model_fields)


def faulty(kind: str, feed: Feed | None = None, **parameters: object) -> tuple[SmallDay, LoggedFault]:
    """The usual day with one fault in it."""
    day = small_day(feed=feed, faults=FaultFile.model_validate({kind: [{"at": AT, **parameters}]}))
    (logged,) = day.faults.log
    assert logged.fault.section.kind == kind
    return day, logged


def through_feed(day: SmallDay, folder: Path) -> np.ndarray:
    """The day's records as the project's reader gives them."""
    contracts = day.market.contracts
    path = write_dbn(
        folder / "sim-20260106.mbo.dbn", day.records, dataset=SIM_DATASET,
        symbols={contract.symbol: contract.instrument_id for contract in contracts},
        start_ns=midnight_ns(TUESDAY), end_ns=midnight_ns(TUESDAY) + DAY_SECONDS * SECOND_NS, compression=None,
    )  # fmt: skip
    return np.concatenate([chunk.copy() for chunk in MboFile.open(path).chunks()])


def engine_over(day: SmallDay, records: np.ndarray | None = None) -> tuple[BookEngine, dict[str, np.ndarray]]:
    """The project's book of the first contract after the whole file, and its snapshots by second."""
    contract, row = day.market.contracts[FRONT], day.market.state["inst"][FRONT]
    engine = BookEngine(
        tick_size_int=int(row["tick_size"]), instrument_id=contract.instrument_id,
        config=EngineConfig(grid_ticks=40), emit=frozenset({SNAPSHOT}),
    )  # fmt: skip
    engine.feed(day.records if records is None else records)
    engine.finish()
    blocks = [block[SNAPSHOT] for block in engine.take()]
    return engine, {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def test_pauses_and_faults_leave_the_market_alone() -> None:
    usual = usual_day()
    day, logged = faulty("unknown_id")
    assert np.delete(day.records, logged.record_index).tobytes() == usual.records.tobytes()
    for name in ("seconds", "tags", "quotes"):
        assert day.truth(name).tolist() == usual.truth(name).tolist()


def test_gap_drops_records_and_the_book_counts_what_it_misses() -> None:
    day, logged = faulty("sequence_gap", records=200)
    usual = usual_day().records
    assert logged.records == 200
    lost = slice(logged.record_index, logged.record_index + 200)
    assert usual["ts_event"][lost][0] >= logged.fault.start_ns
    assert np.delete(usual, np.r_[lost]).tobytes() == day.records.tobytes()
    engine, _ = engine_over(day)
    assert engine.counters["unknown_cancel"] + engine.counters["modify_as_add"] > 0


def test_doubled_events_are_told_twice_and_are_no_error(tmp_path: Path) -> None:
    day, logged = faulty("duplicate_events", events=30)
    usual = usual_day().records
    first, n = logged.record_index, logged.records
    once = usual[first : first + n]
    events = np.split(once, np.flatnonzero(np.diff(once["ts_event"].astype(np.int64))) + 1)
    assert len(events) == 30
    twice = np.concatenate([part for event in events for part in (event, event)])
    assert np.concatenate([usual[:first], twice, usual[first + n :]]).tobytes() == day.records.tobytes()
    engine, _ = engine_over(day, through_feed(day, tmp_path))
    assert engine.counters["duplicate_add"] > 0
    assert engine.counters["unknown_cancel"] > 0


def test_new_snapshot_in_mid_day_is_the_book_as_it_is() -> None:
    day, logged = faulty("mid_day_snapshot")
    inserted = day.records[logged.record_index : logged.record_index + logged.records]
    assert (inserted["flags"] & 0x20 > 0).all()
    assert (inserted["action"] == ord("R")).sum() == INSTRUMENTS
    assert (inserted["ts_recv"] == logged.fault.start_ns).all()
    for inst in range(INSTRUMENTS):
        assert assert_books_agree(day, inst) == 600
    engine, _ = engine_over(day)
    assert engine.counters["snapshots"] == 2


def test_book_is_not_valid_while_the_publisher_doubts_it() -> None:
    day, logged = faulty("maybe_bad_book", seconds=5)
    doubted = day.records["flags"] & 0x04 > 0
    assert doubted.sum() == logged.records > 20
    assert np.flatnonzero(doubted)[0] == logged.record_index
    ts = day.records["ts_event"][doubted].astype(np.int64)
    assert ts.min() >= logged.fault.start_ns
    assert ts.max() < logged.fault.end_ns
    engine, seconds = engine_over(day)
    mine = day.records["instrument_id"] == day.market.contracts[FRONT].instrument_id
    assert engine.counters["bad_book_flags"] == (doubted & mine).sum()
    invalid = seconds["window_end"][seconds["book_valid"] == 0]
    assert set(invalid) >= {logged.fault.start_ns + k * SECOND_NS for k in range(1, 6)}
    assert (invalid <= logged.fault.end_ns + SECOND_NS).all()
    assert assert_books_agree(day, FRONT) == 600


@pytest.mark.parametrize(("kind", "flag", "step"), [("bad_ts_recv", 0x08, -1_000), ("clock_step", 0, 3_000)])
def test_wrong_capture_times_change_no_book(kind: str, flag: int, step: int, tmp_path: Path) -> None:
    day, logged = faulty(kind, None, **({"step_ms": step} if kind == "clock_step" else {}))
    usual, here = usual_day().records, slice(logged.record_index, logged.record_index + logged.records)
    moved = day.records["ts_recv"].astype(np.int64) - usual["ts_recv"].astype(np.int64)
    assert (moved[here] == step * 1_000_000).all()
    assert (day.records["flags"][here] & ~usual["flags"][here] == flag).all()
    assert np.count_nonzero(moved) == logged.records > 20
    assert (np.diff(day.live["ts_recv"].astype(np.int64)) < 0).any()
    through_feed(day, tmp_path)
    assert assert_books_agree(day, FRONT) == 600


@pytest.mark.parametrize("action", ["C", "T"])
def test_missing_price_of_a_cancel_or_print_is_no_harm_to_the_book(action: str) -> None:
    day, logged = faulty("undefined_price", action=action)
    record = day.live[day.live["price"] == UNDEF_PRICE]
    assert len(record) == 1
    assert day.records[logged.record_index] == record[0]
    assert record["action"] == ord(action)
    if action == "C":
        assert assert_books_agree(day, FRONT) == 600


def test_missing_price_of_an_add_is_refused_and_named() -> None:
    day, logged = faulty("undefined_price", action="A")
    with pytest.raises(OffTickPriceError, match=f"record {logged.record_index} "):
        engine_over(day)


@pytest.mark.parametrize(("action", "counter"), [("C", "unknown_cancel"), ("M", "modify_as_add")])
@pytest.mark.parametrize("feed", [Feed(), Feed(sentinel=True)], ids=["last", "sentinel"])
def test_unknown_orders_are_counted(action: str, counter: str, feed: Feed) -> None:
    day, logged = faulty("unknown_id", feed, action=action)
    record = day.records[logged.record_index]
    assert record["action"] == ord(action)
    assert np.count_nonzero(day.records["order_id"] == record["order_id"]) == 1
    assert logged.records == (2 if feed.sentinel else 1)
    assert day.records["flags"][logged.record_index + logged.records - 1] & 0x80
    engine, _ = engine_over(day)
    assert engine.counters[counter] == 1


def test_add_under_a_live_id_replaces_the_order() -> None:
    day, logged = faulty("reused_id")
    record = day.records[logged.record_index]
    before = day.records[: logged.record_index]
    assert record["action"] == ord("A")
    assert record["order_id"] in before["order_id"][before["action"] == ord("A")]
    engine, _ = engine_over(day, day.records[: logged.record_index + 1].copy())
    assert engine.counters["duplicate_add"] == 1
    orders = engine.resting_orders()
    assert orders["price_int"][orders["order_id"] == record["order_id"]].tolist() == [record["price"]]


def test_partial_cancel_leaves_the_rest_of_the_order() -> None:
    day, logged = faulty("partial_cancel")
    record = day.records[logged.record_index]
    sizes = []
    for end in (logged.record_index, logged.record_index + 1):
        orders = engine_over(day, day.records[:end].copy())[0].resting_orders()
        sizes.append(int(orders["qty"][orders["order_id"] == record["order_id"]][0]))
    assert record["size"] == 1
    assert sizes[0] - sizes[1] == 1
    assert sizes[1] > 0


def test_crossed_book_is_reported_and_neither_repaired_nor_fatal() -> None:
    day, logged = faulty("crossed_book", ticks=5, seconds=2)
    record = day.records[logged.record_index]
    pair = day.records[day.records["order_id"] == record["order_id"]]
    assert pair["action"].tobytes() == b"AC"
    assert np.diff(pair["ts_event"].astype(np.int64)).tolist() == [2 * SECOND_NS]
    engine, _ = engine_over(day, day.records[: logged.record_index + 1].copy())
    ladder = engine.ladder(1)
    bid, ask = (int(ladder["price_int"][ladder["side"] == side][0]) for side in "BA")
    assert bid - ask == 5 * int(day.market.state["inst"][FRONT]["tick_size"])
    whole, _ = engine_over(day)
    assert whole.counters["crossed_events"] > 10
    orders, market = whole.resting_orders(), day.market.resting(FRONT)
    assert sorted(orders["order_id"].tolist()) == sorted(market.order_id.tolist())


def test_file_without_a_snapshot_is_never_valid() -> None:
    day, logged = faulty("no_snapshot")
    usual = usual_day().records
    assert logged.record_index == 0
    assert usual[logged.records :].tobytes() == day.records.tobytes()
    assert day.records["ts_event"][0] >= logged.fault.start_ns
    assert not (day.records["flags"] & 0x20).any()
    engine, seconds = engine_over(day)
    assert (seconds["book_valid"] == 0).all()
    assert engine.counters["unknown_cancel"] > 0


@pytest.mark.parametrize("compression", ["zstd", None])
def test_truncated_file_ends_inside_a_record_and_is_refused(compression, tmp_path: Path) -> None:
    faults = tmp_path / "faults.toml"
    faults.write_text('[[truncated_file]]\nat = 10:00:00\n[[unknown_id]]\nat = "09:30:00"\n')
    request = Request(preset="ci", messages=4_000, options=False, faults=str(faults), compression=compression)
    run = simulate(plan(request), tmp_path / "lake")
    table = pl.read_parquet(
        run.folder / "table=truth_fault" / "dt=2026-01-06" / "part-00000.parquet", hive_partitioning=False
    )
    assert table["kind"].to_list() == ["unknown_id", "truncated_file"]
    assert table["ts"].dt.hour().to_list() == [14, 15]
    (name,) = [name for name in run.days[0].files if ".mbo." in name]
    good: list[np.ndarray] = []
    chunks = (chunk.copy() for chunk in MboFile.open(tmp_path / "lake" / name).chunks())
    with pytest.raises(TruncatedFileError) as raised:
        good.extend(chunks)
    records = np.concatenate(good)
    assert len(records) == raised.value.record == table["record_index"][1]
    assert records["order_id"][table["record_index"][0]] == 6_300_000_000_001


def test_without_faults_the_table_is_empty(tmp_path: Path) -> None:
    run = simulate(plan(Request(preset="ci", messages=2_000, options=False)), tmp_path)
    (path,) = run.folder.glob("table=truth_fault/dt=*/*.parquet")
    assert pl.read_parquet(path).height == 0


def test_every_kind_of_fault_has_its_test() -> None:
    source = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*faults.py"))
    assert {kind for kind in EVERY_KIND if f'"{kind}"' in source or f"[[{kind}]]" in source} == EVERY_KIND


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[[dragon]]\nat = 10:00:00\n", "dragon"),
        ("[[unknown_id]]\nat = 10:00:00.5\n", "whole second"),
        ("[[sequence_gap]]\nat = 10:00:00\nrecords = 501\n", "records"),
    ],
)
def test_wrong_files_of_faults_are_errors(text: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(text)
    with pytest.raises(SimulatorConfigError, match=what):
        load_faults(str(path))


def test_fault_outside_trading_is_an_error_and_one_of_another_date_is_not(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text("[[unknown_id]]\nat = 12:00:00\n")
    with pytest.raises(SimulatorConfigError, match="does not trade then"):
        plan(Request(preset="ci", faults=str(path)))
    path.write_text("[[unknown_id]]\nat = 10:00:00\ndt = 2026-01-05\n")
    days = plan(Request(preset="ci", dates=(date(2026, 1, 5), TUESDAY), faults=str(path))).days
    assert [len(day.faults) for day in days] == [1, 0]
    with pytest.raises(SimulatorConfigError, match="unknown faults"):
        load_faults("all")
