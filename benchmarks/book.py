"""The order-book engine with its surfaces against its peers, in turns on the same records.

    python -m benchmarks.book [--messages N] [--peer-messages N] [--repeats N] [--json]

Fast cases get the whole generated day; slow peers get a part of regular trading hours at the density of that day
(`--peer-messages` records), together with another run of the engine on just that, so that every ratio compares equal
work at equal load.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks import peers
from benchmarks.harness import Case, Report, measure, parser, publish, rate_rows, work_folder
from benchmarks.stream import StreamConfig, generate
from spymaster.book.engine import SNAPSHOT, WALL, BookEngine, EngineConfig
from spymaster.market.calendar import rth_window
from spymaster.market.dbn import SIM_DATASET, write_dbn

CHUNK = 65_536
SURFACES = frozenset({SNAPSHOT, WALL})
MBO_QUEUE_REFERENCE = 12.5e6
"""Records per second of mbo-queue on the quiet core (Zen 5) that the absolute targets were measured on."""


def run_engine(records: np.ndarray, config: StreamConfig, *, grid_ticks: int, emit: frozenset[str]) -> BookEngine:
    """The engine over records in memory, blocks drained and dropped."""
    engine = BookEngine(
        tick_size_int=config.tick_size_int,
        instrument_id=config.instrument_id,
        rth=rth_window(config.day, "ES"),
        config=EngineConfig(grid_ticks=grid_ticks),
        emit=emit,
    )
    for start in range(0, len(records), CHUNK):
        for _ in engine.process(records[start : start + CHUNK]):
            pass
    for _ in engine.finish_blocks():
        pass
    return engine


def run_file(path: Path, config: StreamConfig, *, grid_ticks: int) -> BookEngine:
    """The engine over a compressed file."""
    from spymaster.feed.reader import MboFile

    engine = BookEngine(
        tick_size_int=config.tick_size_int,
        instrument_id=config.instrument_id,
        rth=rth_window(config.day, "ES"),
        config=EngineConfig(grid_ticks=grid_ticks),
        emit=SURFACES,
    )
    for chunk in MboFile.open(path).chunks(CHUNK):
        for _ in engine.process(chunk):
            pass
    for _ in engine.finish_blocks():
        pass
    return engine


def nautilus_cases(path: Path, messages: int, kind: str, *, legacy: bool) -> list[Case]:
    """nautilus_trader with one kind of objects: from the file, and applying objects that are in memory."""
    deltas = peers.nautilus_load(path, legacy=legacy)()
    load_and_apply = peers.nautilus(path, legacy=legacy)
    return [
        Case(f"nautilus {kind}, load+apply", messages, load_and_apply, ".dbn.zst, no surfaces"),
        Case(
            f"nautilus {kind}, apply only", messages, lambda: peers.nautilus_apply(deltas, legacy=legacy), "no decode"
        ),
    ]


def main() -> None:
    """Run and print."""
    options = parser(__doc__ or "", messages=10_900_000)
    options.add_argument("--peer-messages", type=int, default=5_000_000, help="messages given to the slow peers")
    arguments = options.parse_args()
    config = StreamConfig(messages=arguments.messages, seed=arguments.seed)
    records = generate(config)
    tick = config.tick_size_int

    def engine_case(name: str, part: np.ndarray, grid: int, emit: frozenset[str], note: str) -> Case:
        return Case(name, len(part), lambda: run_engine(part, config, grid_ticks=grid, emit=emit), note)

    cases = [
        engine_case("spymaster +-200", records, 200, SURFACES, "FIFO book, snapshot and wall surface"),
        engine_case("spymaster +-600, all tables", records, 600, SURFACES | {"trade", "bbo_change"}, "the default"),
        engine_case("spymaster, book only", records, 200, frozenset(), "FIFO book, nothing emitted"),
    ]
    if peers.has_mbo_queue():
        cases.append(Case("mbo-queue, queues only", len(records), peers.mbo_queue(records, tick, label_ticks=-1),
                          "C++; columns prepared beforehand"))  # fmt: skip
        cases.append(Case("mbo-queue, default", len(records), peers.mbo_queue(records, tick, label_ticks=5),
                          "C++; with labels of resting orders"))  # fmt: skip
    full = measure(cases, arguments.repeats)

    peer_messages = min(arguments.peer_messages, arguments.messages)
    per_hour = len(records) * 0.84 / 6.5
    part_config = StreamConfig(messages=peer_messages, seed=arguments.seed, start_hour=15.0,
                               end_hour=15.0 + peer_messages / per_hour)  # fmt: skip
    part = generate(part_config)
    with work_folder(arguments.folder) as folder:
        path = folder / f"rth-{len(part)}-{arguments.seed}.mbo.dbn.zst"
        write_dbn(path, part, dataset=SIM_DATASET, symbols={config.raw_symbol: config.instrument_id},
                  start_ns=config.start_ns, end_ns=config.start_ns + 86_400 * 10**9)  # fmt: skip
        cases = [
            engine_case("spymaster +-200 (part of RTH)", part, 200, SURFACES, "in memory"),
            Case("spymaster +-200, from file", len(part), lambda: run_file(path, config, grid_ticks=200), ".dbn.zst"),
            Case("python dictionaries, level 3", len(part), peers.dict_book(part, queues=True), "queues, best prices"),
            Case("python dictionaries, depth", len(part), peers.dict_book(part, queues=False), "orders and depth only"),
        ]
        if peers.has_nautilus():
            for legacy, kind in ((True, "Cython"), (False, "Rust")):
                cases += nautilus_cases(path, len(part), kind, legacy=legacy)
        small = measure(cases, min(3, arguments.repeats))

    rows = rate_rows(full, "spymaster +-200", "messages")
    rows += rate_rows(small, "spymaster +-200 (part of RTH)", "messages")
    facts = {
        "stream": f"{len(records):,} records, seed {arguments.seed}",
        "slow peers get": f"{len(part):,} records of RTH",
    }
    missing = [name for name, there in (("mbo-queue", peers.has_mbo_queue()), ("nautilus_trader", peers.has_nautilus()))
               if not there]  # fmt: skip
    if missing:
        facts["not installed"] = f"{', '.join(missing)}: run with `uv run --group bench`"
    report = Report("order book and surfaces", rows, facts)
    by_name = {timing.name: timing for timing in (*full, *small)}
    report.add_target("engine +-200, M msg/s", by_name["spymaster +-200"].rate / 1e6, 25)

    def ratio(target: str, ours: str, theirs: list[str], bound: float) -> None:
        """Against the fastest of the peers; of the fastest repetitions on both sides as a fact beside it."""
        found = [by_name[name] for name in theirs if name in by_name]
        if found:
            report.add_target(target, by_name[ours].rate / max(peer.rate for peer in found), bound)
            best = by_name[ours].best_rate / max(peer.best_rate for peer in found)
            report.facts[f"{target}, fastest repetitions"] = round(best, 2)

    ratio("times mbo-queue (its faster mode)", "spymaster +-200", ["mbo-queue, queues only", "mbo-queue, default"], 2)
    loads = ["nautilus Cython, load+apply", "nautilus Rust, load+apply"]
    part_case = "spymaster +-200 (part of RTH)"
    ratio("times nautilus load+apply (its faster mode)", part_case, loads, 15)
    ratio("times python dictionaries of level 3", part_case, ["python dictionaries, level 3"], 20)
    depth_only = by_name[part_case].rate / by_name["python dictionaries, depth"].rate
    report.facts["times python dictionaries that keep depth alone"] = round(depth_only, 2)
    report.add_target("file -> surfaces +-200, M msg/s", by_name["spymaster +-200, from file"].rate / 1e6, 8)
    if "mbo-queue, queues only" in by_name:
        share = by_name["mbo-queue, queues only"].rate / MBO_QUEUE_REFERENCE
        report.facts["this core, by mbo-queue, to the one the targets were set on"] = round(share, 2)
        report.facts["engine +-200 at that core's speed, M msg/s"] = round(
            by_name["spymaster +-200"].rate / share / 1e6, 1
        )
    publish(report, as_json=arguments.json)


if __name__ == "__main__":
    main()
