"""Option quotes of a day: from Bronze records to the frames of two tables, messages and rows per second, peak memory.

python -m benchmarks.option_quotes [--messages N] [--repeats N] [--json]

The chain is a simulated one: seven expiries of ES over regular hours, all of them priced (`--messages` is that of the
options). What is timed is the whole pass: `bronze.option_mbo` read back, books, forwards, volatilities, typed frames;
and the same with both tables written and made durable.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.harness import Case, Report, measure, parser, peak_memory, publish, rate_rows, work_folder
from spymaster.book.chain.engine import ChainEngine
from spymaster.feed.bronze import open_raw, option_mbo_frames
from spymaster.feed.option_definitions import option_definitions
from spymaster.feed.reader import MboFile
from spymaster.feed.records import option_records
from spymaster.lake import Lake
from spymaster.lake.raw import raw_files
from spymaster.market.dbn import ACTION_ADD, MBO_DTYPE, SIDE_BID
from spymaster.market.instruments import instrument
from spymaster.options.chain import DEFINITION_COLUMNS, Chain
from spymaster.options.quotes import SNAPSHOT_COLUMNS, TABLES, OptionPass
from spymaster.settings import OptionSettings
from spymaster.simulator.layout import FRONT
from spymaster.simulator.options.chain import CHAIN_SIZES
from spymaster.simulator.request import PRESETS, Request, plan
from spymaster.simulator.simulate import simulate
from spymaster.surfaces.futures import SNAPSHOT, FuturesPass
from spymaster.tables import table

ROOT, PRESET = "ES", "full_day"
EVERYTHING = OptionSettings(max_days=400, underlying="all", rate=0.04)
MBO, DEFINITION, SNAPSHOT_TABLE = "bronze.option_mbo", "bronze.option_definition", "silver.book_snapshot_1s"


def build_lake(folder: Path, messages: int, seed: int) -> Lake:
    """A lake with what the pass reads, made once in `folder`."""
    lake = Lake.open(folder, create=True, kind="simulated")
    if lake.partitions(SNAPSHOT_TABLE):
        return lake
    future = PRESETS[PRESET].messages * messages // CHAIN_SIZES[PRESET].messages
    wanted = plan(Request(preset=PRESET, seed=seed, messages=future, scenario="background"))
    simulate(wanted, folder)
    dt = wanted.days[0].dt
    (mbo,) = raw_files(lake, ROOT, "market_by_order_dbn", dt, "future_option")
    (defined,) = raw_files(lake, ROOT, "definition", dt, "future_option")
    (of_future,) = raw_files(lake, ROOT, "market_by_order_dbn", dt, "future")
    file = MboFile.open(of_future.path)
    es = instrument(ROOT)
    front = wanted.days[0].contracts[FRONT]
    made = {
        MBO: option_mbo_frames(open_raw(mbo), counters={}),
        DEFINITION: [option_definitions(ROOT, dt, definitions=defined).frame],
        SNAPSHOT_TABLE: (
            block[SNAPSHOT]
            for block in FuturesPass(
                file.chunks(), contract=front.symbol, instrument_id=front.instrument_id, instrument=es,
                tick_size_int=es.tick_size_int, dt=dt, tables=[SNAPSHOT],
            )
        ),
    }  # fmt: skip
    for name, frames in made.items():
        with lake.writer(name, ROOT, dt) as writer:
            for frame in frames:
                writer.write(frame)
            writer.commit(provenance="simulated", dataset=file.metadata.dataset)
    return lake


@cache
def inputs(folder: str) -> tuple[Lake, Chain, pl.DataFrame, str]:
    """Lake, universe, snapshot and contract of the day in a folder."""
    lake = Lake.open(Path(folder))
    (stored_snapshot,) = lake.partitions(SNAPSHOT_TABLE)
    snapshot = stored_snapshot.read([*SNAPSHOT_COLUMNS, "contract"])
    contract = str(snapshot["contract"][0])
    definitions = lake.partition(DEFINITION, ROOT, stored_snapshot.dt).read(DEFINITION_COLUMNS)
    chain = Chain.universe(definitions, stored_snapshot.dt, contract, EVERYTHING)
    return lake, chain, snapshot, contract


def the_pass(folder: str) -> OptionPass:
    """The pass over the day."""
    lake, chain, snapshot, contract = inputs(folder)
    (mbo,) = lake.partitions(MBO)
    return OptionPass(
        option_records(mbo), chain=chain, snapshot=snapshot, contract=contract, future_tick=0.25, settings=EVERYTHING
    )


def in_memory(folder: str) -> dict[str, int]:
    """Rows of both tables, counted and dropped, and the counters."""
    rows: dict[str, int] = dict.fromkeys(TABLES, 0)
    made = the_pass(folder)
    for frames in made:
        for name, frame in frames.items():
            rows[name] += frame.height
    return rows | made.counters


def stored(folder: str) -> int:
    """Both tables written; returns their bytes."""
    lake, *_ = inputs(folder)
    (mbo,) = lake.partitions(MBO)
    with ExitStack() as stack:
        writers = {name: stack.enter_context(lake.writer(f"silver.{name}", ROOT, mbo.dt)) for name in TABLES}
        for frames in the_pass(folder):
            for name, frame in frames.items():
                writers[name].write(frame)
        for writer in writers.values():
            writer.commit(provenance="simulated", dataset=mbo.manifest.dataset)
    return sum(lake.partition(f"silver.{name}", ROOT, mbo.dt).path.stat().st_size for name in TABLES)


def books_alone(chunks: list[np.ndarray], ids: np.ndarray) -> int:
    """The chain's books without prices, records in memory."""
    engine, rows = ChainEngine(ids), 0
    for chunk in chunks:
        rows += sum(len(block["window_end"]) for block in engine.process(chunk))
    return rows + sum(len(block["window_end"]) for block in engine.finish())


def warm() -> None:
    """Load and compile what a pass needs, by one over an option with one order."""
    end = 1_767_744_000_000_000_000
    row = {"instrument_id": 1, "ts_recv": 0, "right": "C", "strike_price_int": 1, "expiration": end, "underlying": "A",
           "tick_size_int": 1, "multiplier": 1.0, "is_user_defined": False, "is_deleted": False}  # fmt: skip
    chosen = {name: kind for name, kind in table(DEFINITION).schema().items() if name in row}
    chain = Chain.universe(pl.DataFrame([row], schema=chosen), date(2026, 1, 6), "A", EVERYTHING)
    record = np.zeros(1, MBO_DTYPE)
    record["instrument_id"], record["ts_event"], record["action"], record["side"] = 1, end - 10**9, ACTION_ADD, SIDE_BID
    snapshot = table(SNAPSHOT_TABLE).empty().select(SNAPSHOT_COLUMNS)
    for _ in OptionPass([record], chain=chain, snapshot=snapshot, contract="A", future_tick=0.25, settings=EVERYTHING):
        pass


def main() -> None:
    """Run and print."""
    arguments = parser(__doc__ or "", messages=5_000_000, repeats=3).parse_args()
    with work_folder(arguments.folder) as work, tempfile.TemporaryDirectory(dir=work) as scratch:
        folder = str(work / f"options-{arguments.messages}-{arguments.seed}" if arguments.folder else scratch)
        build_lake(Path(folder), arguments.messages, arguments.seed)
        lake, chain, *_ = inputs(folder)
        (mbo,) = lake.partitions(MBO)
        facts = in_memory(folder)
        total = mbo.rows
        first = [chunk for _, chunk in zip(range(30), option_records(mbo), strict=False)]
        few = sum(map(len, first))
        timings = measure(
            [
                Case("whole pass", total, lambda: in_memory(folder), "Bronze to frames"),
                Case("whole pass, stored", total, lambda: stored(folder), "both tables durable"),
                Case("books alone", few, lambda: books_alone(first, np.unique(chain.instrument_id)), "in memory"),
            ],
            arguments.repeats,
        )
        child = peak_memory("benchmarks.option_quotes", "in_memory", folder, prepare="warm")
        beyond = (child["peak"] - child["before"]) / 1e9
    report = Report(
        "option quotes",
        rate_rows(timings, "whole pass", "messages"),
        {
            "messages": f"{total:,}",
            "options": f"{len(np.unique(chain.instrument_id)):,}",
            "expirations": len(chain.expirations),
            "rows of quotes": f"{facts['option_quote_1s']:,}",
            "rows of forwards": f"{facts['option_forward_1s']:,}",
            "priced": f"{facts['priced']:,}",
            "M rows per second of processor": round(facts["option_quote_1s"] / min(timings[0].cpu_seconds) / 1e6, 2),
        },
    )
    report.add_target("whole pass, M messages per second of processor", total / min(timings[0].cpu_seconds) / 1e6, 3)
    report.add_target("books alone, M messages per second of processor", few / min(timings[2].cpu_seconds) / 1e6, 10)
    report.add_target("peak memory beyond imports, GB", beyond, 1.0, at_least=False)
    publish(report, as_json=arguments.json)


if __name__ == "__main__":
    main()
