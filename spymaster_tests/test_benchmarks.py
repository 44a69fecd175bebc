"""The benchmarks run, and the stream behind them is consistent, reproducible, and has the message mix of a real day."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import BENCHMARKS
from benchmarks.dict_book import DictBook, QueueBook
from benchmarks.stream import Stream, StreamConfig, generate, write_stream
from spymaster.book.engine import BookEngine
from spymaster.cli.main import main
from spymaster.market.dbn import (
    ACTION_FILL,
    ACTION_TRADE,
    F_LAST,
    F_SNAPSHOT,
    MBO_DTYPE,
    SIDE_ASK,
    SIDE_BID,
    SIM_DATASET,
)

MESSAGES = 60_000


@pytest.fixture(scope="module")
def records() -> np.ndarray:
    return generate(StreamConfig(messages=MESSAGES, seed=5))


def test_every_record_fits_the_book_and_the_book_never_crosses(records: np.ndarray) -> None:
    book = DictBook()
    ends = np.flatnonzero(records["flags"] & F_LAST) + 1
    start = 0
    for end in ends[:: len(ends) // 500]:
        book.apply(records[start:end])
        start = end
        bid, ask = book.best()
        assert bid < ask
    book.apply(records[start:])
    assert (book.unknown_cancels, book.unknown_modifies, book.unknown_fills) == (0, 0, 0)
    assert (book.duplicate_adds, book.oversized) == (0, 0)
    assert 10_000 < len(book.orders) < 12_000


def test_both_dictionary_books_hold_the_same_and_know_the_top(records: np.ndarray) -> None:
    depth, queues = DictBook(), QueueBook()
    depth.apply(records)
    queues.apply(records)
    assert depth.orders == queues.orders
    assert depth.best() == queues.best() == queues.top
    levels = {SIDE_BID: queues.bids, SIDE_ASK: queues.asks}
    assert depth.levels == {
        side: {price: sum(queue.values()) for price, queue in prices.items()} for side, prices in levels.items()
    }
    assert queues.changes > 100


def test_fills_name_the_front_of_their_queue(records: np.ndarray) -> None:
    """The generator and the engine agree on who keeps priority."""
    engine = BookEngine(tick_size_int=250_000_000, instrument_id=int(records["instrument_id"][-1]))
    engine.feed(records.copy())
    assert engine.counters["fifo_known_fills"] > 1000
    assert engine.fifo_consistency == 1.0


def test_message_mix_is_that_of_real_files(records: np.ndarray) -> None:
    live = records[(records["flags"] & F_SNAPSHOT) == 0]
    share = {chr(a): float((live["action"] == a).mean()) for a in np.unique(live["action"])}
    expected = {"A": 0.40, "C": 0.40, "M": 0.09, "F": 0.07, "T": 0.03}
    assert share.keys() == expected.keys()
    assert all(abs(share[action] - part) < 0.015 for action, part in expected.items())


def test_events_close_with_f_last_and_share_one_time(records: np.ndarray) -> None:
    live = records[(records["flags"] & F_SNAPSHOT) == 0]
    last = (live["flags"] & F_LAST) != 0
    assert last[-1]
    event = np.concatenate(([0], np.cumsum(last)[:-1]))
    assert (np.diff(live["ts_event"].astype(np.int64)) >= 0).all()
    changes = np.diff(live["ts_event"].astype(np.int64)) != 0
    assert not (changes & (np.diff(event) == 0)).any()
    first_of_event = np.concatenate(([True], last[:-1]))
    assert first_of_event[live["action"] == ACTION_TRADE].all()
    assert not first_of_event[live["action"] == ACTION_FILL].any()


def test_stream_depends_on_the_seed_and_not_on_the_chunk_size(records: np.ndarray) -> None:
    stream = Stream(StreamConfig(messages=MESSAGES, seed=5))
    parts = [stream.snapshot(), *(chunk.copy() for chunk in stream.chunks(records=613))]
    assert np.array_equal(np.concatenate(parts), records)
    assert not np.array_equal(generate(StreamConfig(messages=MESSAGES, seed=6))[: len(records)], records)


def test_written_file_is_marked_as_simulated_and_reads_back(tmp_path: Path, records: np.ndarray) -> None:
    import databento

    path = tmp_path / "day.mbo.dbn.zst"
    assert write_stream(path, StreamConfig(messages=MESSAGES, seed=5)) == len(records)
    store = databento.DBNStore.from_file(path)
    assert store.metadata.dataset == SIM_DATASET
    back = store.to_ndarray()
    assert back.tobytes() == records.tobytes()
    assert records.dtype == MBO_DTYPE


SLOW = (
    "book",
    "bronze",
    "chain",
    "pressure",
    "pipeline",
    "sim",
    "dagster_overhead",
    "option_quotes",
    "research",
    "evidence",
    "evaluation",
    "joining",
    "evidence_day",
    "ws_load",
)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in BENCHMARKS]
)
def test_benchmark_prints_its_figures_as_json(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    main_exit_code(["bench", name, "--messages", "20000", "--repeats", "1", "--json"])
    answer = json.loads(capfd.readouterr().out)
    assert answer["failed"] == {}
    figures = answer["figures"][name]
    assert figures["targets"]
    assert all(isinstance(target["value"], float) for target in figures["targets"].values())
    assert figures["rows"]
    assert figures["machine"]["versions"]["numpy"] == np.__version__


def main_exit_code(arguments: list[str]) -> int:
    """Exit code of the command line."""
    try:
        main(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_unknown_benchmark_is_refused_with_the_known_ones(capfd: pytest.CaptureFixture[str]) -> None:
    assert main_exit_code(["bench", "nothing"]) == 1
    message = capfd.readouterr().err
    assert "unknown benchmark: nothing" in message
    assert "dagster_overhead" in message
