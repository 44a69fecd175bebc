"""A whole day: file to surfaces in memory, file to all tables on disk, two processes over one, peak memory.

    python -m benchmarks.pipeline [--messages N] [--repeats N] [--json]

Everything goes through the library (no Dagster), one process, as a partition run does: Bronze is written and read back,
the surfaces stream through the lake's writers, a one-session calibration (counted anew every time) feeds vacuum and
bands. Pressure, which joins them to options, has a benchmark of its own. What ends on disk is measured on a busy day of
nearly twice the messages: 20 million by default.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.book import run_file
from benchmarks.harness import (
    Case,
    Report,
    Timing,
    measure,
    parser,
    peak_memory,
    process_memory,
    publish,
    rate_rows,
    stream_file,
    work_folder,
)
from benchmarks.stream import StreamConfig, write_stream
from spymaster.feed.bronze import future_mbo_frames
from spymaster.feed.reader import MboFile
from spymaster.feed.records import records
from spymaster.lake import Lake
from spymaster.market.instruments import instrument
from spymaster.surfaces import bands, calibration, pressure, vacuum
from spymaster.surfaces.futures import TABLES, FuturesPass
from spymaster.surfaces.pressure_pool import PressurePool
from spymaster.tables import table
from spymaster.tables.future_mbo import FutureMbo
from spymaster.tables.physics_bands_1s import PhysicsBands1s
from spymaster.tables.physics_norm_calibration import PhysicsNormCalibration
from spymaster.tables.vacuum_surface_1s import VacuumSurface1s

DAY = dt.date(2026, 1, 6)
BUSY = 20_000_000 / 10_900_000
"""Messages of a busy day over those of the median one."""


def surfaces_in_memory(path: Path) -> int:
    """Compressed file to typed frames of the engine pass, dropped as they come; returns wall rows."""
    file = MboFile.open(path)
    ((instrument_id, contract),) = file.metadata.symbols.items()
    es = instrument("ES")
    frames = FuturesPass(file.chunks(), contract=contract, instrument_id=instrument_id, instrument=es,
                         tick_size_int=es.tick_size_int, dt=DAY)  # fmt: skip
    return sum(block["wall_surface_1s"].height for block in frames)


def durable(path: str, root: str, measure_memory: str = "") -> dict[str, float]:
    """Compressed file to every Bronze, Silver and Gold table that the book feeds; seconds per stage.

    With `measure_memory`, peak resident bytes of each stage instead.
    """
    laps: dict[str, float] = {}
    clock = time.perf_counter()

    def lap(stage: str) -> None:
        nonlocal clock
        laps[stage] = time.perf_counter() - clock
        if measure_memory:
            laps[stage] = process_memory(reset=True)[1]
        clock = time.perf_counter()

    lake = Lake.open(root, create=True, kind="simulated")
    file = MboFile.open(Path(path))
    ((instrument_id, contract),) = file.metadata.symbols.items()
    es = instrument("ES")
    with lake.writer(FutureMbo, "ES", DAY) as writer:
        for frame in future_mbo_frames(file):
            writer.write(frame)
        writer.commit(dataset=file.metadata.dataset)
    lap("bronze")

    mbo = lake.partition(FutureMbo, "ES", DAY)
    run = FuturesPass(records(mbo, contract), contract=contract, instrument_id=instrument_id, instrument=es,
                      tick_size_int=es.tick_size_int, dt=DAY)  # fmt: skip
    writers = {name: lake.writer(table(f"silver.{name}"), "ES", DAY).__enter__() for name in TABLES}
    try:
        for block in run:
            for name, frame in block.items():
                writers[name].write(frame)
        for writer in writers.values():
            writer.commit(inputs=[mbo], counters=run.counters)
    finally:
        for writer in writers.values():
            writer.__exit__(None, None, None)
    lap("engine pass")

    wall = lake.partition("silver.wall_surface_1s", "ES", DAY)
    snapshot = lake.partition("silver.book_snapshot_1s", "ES", DAY)
    with lake.writer(PhysicsNormCalibration, "ES", DAY) as writer:
        buckets = pressure.session_buckets(wall, es, lake.settings)
        counted = PressurePool(buckets, decay_s=lake.settings.pressure.decay_s)
        pool = calibration.session_pool(wall.batches(calibration.WALL_COLUMNS), eps_qty=es.eps_qty, pressure=counted)
        writer.write(calibration.calibration_frame({DAY: pool}, DAY))
        writer.commit(inputs=[wall])
    lap("calibration")
    norms = lake.partition(PhysicsNormCalibration, "ES", DAY).read()
    with lake.writer(VacuumSurface1s, "ES", DAY) as writer:
        for frame in vacuum.vacuum_frames(wall.batches(vacuum.WALL_COLUMNS), norms, eps_qty=es.eps_qty):
            writer.write(frame)
        writer.commit(inputs=[wall])
    lap("vacuum")
    with lake.writer(PhysicsBands1s, "ES", DAY) as writer:
        batches, shots = wall.batches(bands.WALL_COLUMNS), snapshot.read(bands.SNAPSHOT_COLUMNS)
        for frame in bands.physics_bands(batches, shots, norms, eps_qty=es.eps_qty):
            writer.write(frame)
        writer.commit(inputs=[wall, snapshot])
    lap("bands")
    return laps


def warm_up() -> None:
    """Compile every kernel and load every library on a minute of data."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.mbo.dbn.zst"
        write_stream(path, StreamConfig(messages=3_000, start_hour=15.0, end_hour=15.03))
        durable(str(path), str(Path(folder) / "lake"))


def together(path: Path, folder: Path, processes: int) -> float:
    """Seconds until `processes` warm processes have each made the whole day, each in a lake of its own."""
    code = (
        "import sys; from benchmarks import pipeline; pipeline.warm_up()\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        f"pipeline.durable({str(path)!r}, sys.argv[1])\n"
    )
    roots = [tempfile.mkdtemp(dir=folder) for _ in range(processes)]
    children = [
        subprocess.Popen([sys.executable, "-c", code, root], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for root in roots
    ]
    for child in children:
        assert child.stdout is not None
        if child.stdout.readline().strip() != "ready":
            raise RuntimeError("a worker failed to warm up")
    started = time.perf_counter()
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    codes = [child.wait() for child in children]
    if any(codes):
        raise RuntimeError(f"workers ended with {codes}")
    return time.perf_counter() - started


def table_sizes(root: Path) -> dict[str, str]:
    """Rows and bytes per row of every partition of a lake."""
    lake = Lake.open(root)
    found = {}
    for name in (*(f"silver.{short}" for short in TABLES), "bronze.future_mbo", "silver.vacuum_surface_1s",
                 "silver.physics_bands_1s"):  # fmt: skip
        partition = lake.partition(name, "ES", DAY)
        found[name] = f"{partition.rows:,} rows, {partition.path.stat().st_size / max(1, partition.rows):.1f} B each"
    return found


def main() -> None:
    """Run and print."""
    options = parser(__doc__ or "", messages=10_900_000, repeats=3)
    arguments = options.parse_args()
    with work_folder(arguments.folder) as folder, tempfile.TemporaryDirectory(dir=folder) as scratch:
        path = stream_file(folder, arguments.messages, arguments.seed)
        busy = stream_file(folder, round(arguments.messages * BUSY), arguments.seed)
        short = stream_file(folder, max(1, arguments.messages // 4), arguments.seed)
        total, total_busy = (sum(len(chunk) for chunk in MboFile.open(file).chunks()) for file in (path, busy))
        config = StreamConfig(messages=arguments.messages, seed=arguments.seed)
        warm_up()
        run_file(short, config, grid_ticks=200)
        root = Path(scratch) / "lake"
        stages: list[dict[str, float]] = []
        engine, frames, disk = measure(
            [
                Case("file -> book and wall +-200", total, lambda: run_file(path, config, grid_ticks=200),
                     "kernel columns"),
                Case("file -> surfaces in memory", total, lambda: surfaces_in_memory(path), "+-600, 5 tables, frames"),
                Case("file -> all tables durable", total_busy, lambda: stages.append(durable(str(busy), str(root))),
                     "9 tables, busy day"),
            ],
            arguments.repeats,
            warm_up=False,
        )  # fmt: skip
        scaling: dict[int, Timing] = {n: Timing(f"{n} process(es)", n * total, "") for n in (1, 2)}
        for _ in range(arguments.repeats):
            for n, timing in scaling.items():
                timing.seconds.append(together(path, Path(scratch), n))
        long_run, short_run = (
            peak_memory(
                "benchmarks.pipeline", "durable", str(file), f"{scratch}/peak-{file.stem}", "yes", prepare="warm_up"
            )
            for file in (busy, short)
        )
        peaks = {stage: round((peak - long_run["before"]) / 1e9, 3) for stage, peak in long_run["result"].items()}
        above, above_short = (
            max(*run["result"].values(), run["peak"]) / 1e9 - run["before"] / 1e9 for run in (long_run, short_run)
        )
        sizes = table_sizes(root)

    rows = rate_rows([engine, frames, disk, *scaling.values()], disk.name, "messages")
    best = min(stages, key=lambda stage: sum(stage.values()))
    report = Report(
        "whole day",
        rows,
        {
            "messages": f"{total:,}; of the busy day {total_busy:,}",
            "stages (busy day, best run), s": json.dumps({name: round(value, 2) for name, value in best.items()}),
            **sizes,
            "peak memory above imports, GB": f"{above:.3f} (an eighth of the messages: {above_short:.3f})",
            "by stage, GB": json.dumps(peaks),
        },
    )
    report.add_target("file -> surfaces +-200, M msg/s", engine.rate / 1e6, 8)
    report.add_target("two processes over one", scaling[2].rate / scaling[1].rate, 1.8)
    report.add_target("20 M messages durable, s", disk.median * 20e6 / total_busy, 12, at_least=False)
    report.add_target("peak memory, GB", above, 0.8, at_least=False)
    publish(report, as_json=arguments.json)


if __name__ == "__main__":
    main()
