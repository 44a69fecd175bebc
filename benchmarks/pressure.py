"""Pressure of a session of regular hours: usual values, the surface in memory and on disk, and the flow of options.

    python -m benchmarks.pressure [--messages N] [--repeats N] [--json]

A generated stream fills 09:30 to 16:00 of New York; option quotes are random rows, a hundred a second, of which one in
ten trades. The targets are processor time for the 23,400 seconds of a session, which other work of the machine leaves
alone.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.harness import Case, Report, Timing, measure, parser, publish, rate_rows, work_folder
from benchmarks.pipeline import DAY
from benchmarks.stream import StreamConfig, write_stream
from spymaster.feed.reader import MboFile
from spymaster.lake import Lake
from spymaster.market.instruments import instrument
from spymaster.surfaces import calibration, pressure
from spymaster.surfaces.futures import FuturesPass
from spymaster.surfaces.option_flow import DEFINITION_COLUMNS, QUOTE_COLUMNS, OptionFlow, option_flow
from spymaster.surfaces.pressure_pool import PressurePool
from spymaster.tables import table
from spymaster.tables.pressure_surface_1s import PressureSurface1s

ES = instrument("ES")
OPEN_HOUR, CLOSE_HOUR = 14.5, 21.0
SESSION_S = 23_400
OPTIONS, QUOTES_PER_SECOND = 600, 100


def session_lake(folder: Path, messages: int, seed: int) -> Lake:
    """A lake with wall and snapshot of the generated session."""
    path = folder / f"generated-rth-{messages}-{seed}.mbo.dbn.zst"
    if not path.is_file():
        write_stream(path, StreamConfig(messages=messages, seed=seed, start_hour=OPEN_HOUR, end_hour=CLOSE_HOUR))
    file = MboFile.open(path)
    ((instrument_id, contract),) = file.metadata.symbols.items()
    names = ("wall_surface_1s", "book_snapshot_1s")
    made = FuturesPass(file.chunks(), contract=contract, instrument_id=instrument_id, instrument=ES,
                       tick_size_int=ES.tick_size_int, dt=DAY, tables=names)  # fmt: skip
    lake = Lake.open(folder / "lake", create=True, kind="simulated")
    with ExitStack() as stack:
        writers = {name: stack.enter_context(lake.writer(table(f"silver.{name}"), "ES", DAY)) for name in names}
        for block in made:
            for name, frame in block.items():
                writers[name].write(frame)
        for writer in writers.values():
            writer.commit(provenance="simulated")
    return lake


def random_options(snapshot: pl.DataFrame, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Quotes (`QUOTE_COLUMNS`) and definitions (`DEFINITION_COLUMNS`) around the middle of the session's spots."""
    rng = np.random.default_rng(seed)
    middle = round(float(np.median(snapshot["spot_ref_price_int"].drop_nulls().to_numpy())) / 5e9) * 5
    definitions = pl.DataFrame(
        {
            "instrument_id": np.arange(OPTIONS, dtype=np.uint32),
            "ts_recv": np.zeros(OPTIONS, dtype=np.int64),
            "right": np.where(np.arange(OPTIONS) % 2 == 0, "C", "P"),
            "strike_price_int": (middle + 5 * (np.arange(OPTIONS) // 2 - OPTIONS // 4)) * 1_000_000_000,
            "is_deleted": np.zeros(OPTIONS, dtype=bool),
        }
    ).with_columns(pl.col("ts_recv").cast(pl.Datetime("ns", "UTC")))
    n = snapshot.height * QUOTES_PER_SECOND
    trades = rng.random(n) < 0.1
    quotes = pl.DataFrame(
        {
            "window_end": np.repeat(snapshot["window_end"].to_physical().to_numpy(), QUOTES_PER_SECOND),
            "instrument_id": rng.integers(0, OPTIONS, n).astype(np.uint32),
            "buy_volume": (trades * rng.integers(0, 9, n)).astype(np.int32),
            "sell_volume": (trades * rng.integers(0, 9, n)).astype(np.int32),
            "delta": rng.uniform(-1, 1, n).astype(np.float32),
        }
    ).with_columns(
        pl.col("window_end").cast(pl.Datetime("ns", "UTC")),
        delta=pl.when(pl.Series(rng.random(n) < 0.8)).then("delta"),
    )
    return quotes.select(QUOTE_COLUMNS), definitions.select(DEFINITION_COLUMNS)


def main() -> None:
    """Run and print."""
    arguments = parser(__doc__ or "", messages=5_000_000, repeats=3).parse_args()
    with work_folder(arguments.folder) as folder, tempfile.TemporaryDirectory(dir=folder) as scratch:
        lake = session_lake(Path(scratch), arguments.messages, arguments.seed)
        wall, snapshot = (
            lake.partition(f"silver.{name}", "ES", DAY) for name in ("wall_surface_1s", "book_snapshot_1s")
        )
        shots = snapshot.read(pressure.SNAPSHOT_COLUMNS)
        buckets = pressure.session_buckets(wall, ES, lake.settings)
        quotes, definitions = random_options(shots, arguments.seed)

        def flow() -> OptionFlow:
            return option_flow(quotes.iter_slices(262_144), definitions, bucket_price_int=buckets.price_int)

        options = flow()

        def pool(with_pressure: bool) -> calibration.SessionPool:
            counted = PressurePool(buckets, decay_s=15.0, options=options) if with_pressure else None
            batches = wall.batches(calibration.WALL_COLUMNS)
            return calibration.session_pool(batches, eps_qty=ES.eps_qty, pressure=counted)

        usual = calibration.calibration_frame({DAY: pool(True)}, DAY)

        def surface() -> Iterator[pl.DataFrame]:
            batches = wall.batches(pressure.WALL_COLUMNS)
            return iter(pressure.PressurePass(batches, shots, usual, buckets=buckets, options=options))

        def stored() -> None:
            with lake.writer(PressureSurface1s, "ES", DAY) as writer:
                for frame in surface():
                    writer.write(frame)
                writer.commit(inputs=[wall, snapshot])

        seconds = shots.height
        timings = measure(
            [
                Case("calibration without pressure", seconds, lambda: pool(False)),
                Case("calibration with pressure", seconds, lambda: pool(True)),
                Case("option flow", seconds, flow, f"{quotes.height:,} quotes"),
                Case("surface in memory", seconds, lambda: sum(frame.height for frame in surface())),
                Case("surface stored", seconds, stored, "validated, on disk"),
            ],
            arguments.repeats,
        )
        partition = lake.partition(PressureSurface1s, "ES", DAY)
        rows, wall_rows, size = partition.rows, wall.rows, partition.path.stat().st_size

    without, pooled, _, _, on_disk = (_session_cpu(timing) for timing in timings)
    report = Report(
        "pressure of a session",
        rate_rows(timings, "surface stored", "seconds"),
        {
            "wall rows": f"{wall_rows:,}",
            "rows": f"{rows:,}, {size / 1e6:.1f} MB, {size / max(1, rows):.1f} B each",
        },
    )
    report.add_target("surface stored, CPU s per session", on_disk, 3, at_least=False)
    report.add_target("pressure in the calibration, CPU s per session", pooled - without, 3, at_least=False)
    publish(report, as_json=arguments.json)


def _session_cpu(timing: Timing) -> float:
    """Processor seconds of a case for a session of regular hours."""
    return statistics.median(timing.cpu_seconds) * SESSION_S / timing.work


if __name__ == "__main__":
    main()
