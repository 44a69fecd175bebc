"""Writing `bronze.future_mbo`: bytes per row and rows per second, and reading a contract-day back as records.

python -m benchmarks.bronze [--messages N] [--repeats N] [--json]
"""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

import polars as pl

from benchmarks.harness import Case, Report, measure, parser, publish, rate_rows, stream_file, work_folder
from spymaster.feed.bronze import future_mbo_frames
from spymaster.feed.reader import MboFile
from spymaster.feed.records import records
from spymaster.lake import Lake
from spymaster.tables.future_mbo import FutureMbo

DAY = dt.date(2026, 1, 6)


def write_partition(path: Path, root: Path) -> None:
    """File to durable Bronze partition."""
    lake = Lake.open(root, create=True)
    file = MboFile.open(path)
    with lake.writer(FutureMbo, "ES", DAY) as writer:
        for frame in future_mbo_frames(file):
            writer.write(frame)
        writer.commit(dataset=file.metadata.dataset)


def write_frames(frames: list[pl.DataFrame], root: Path, dataset: str) -> None:
    """Frames in memory to durable Bronze partition: validation, encoding, disk."""
    lake = Lake.open(root, create=True)
    with lake.writer(FutureMbo, "ES", DAY) as writer:
        for frame in frames:
            writer.write(frame)
        writer.commit(dataset=dataset)


def main() -> None:
    """Run and print."""
    arguments = parser(__doc__ or "", messages=5_000_000, repeats=3).parse_args()
    with work_folder(arguments.folder) as folder, tempfile.TemporaryDirectory(dir=folder) as scratch:
        path = stream_file(folder, arguments.messages, arguments.seed)
        root = Path(scratch) / "lake"
        write_partition(path, root)
        lake = Lake.open(root)
        partition = lake.partition(FutureMbo, "ES", DAY)
        file = MboFile.open(path)
        (contract,) = file.metadata.symbols.values()
        frames = list(future_mbo_frames(file))
        rows = partition.rows
        timings = measure(
            [
                Case("file -> Bronze", rows, lambda: write_partition(path, root), "decode, validate, encode, fsync"),
                Case("frames -> Bronze", rows, lambda: write_frames(frames, root, file.metadata.dataset),
                     "validate, encode, fsync"),
                Case("Bronze -> records", rows, lambda: sum(len(part) for part in records(partition, contract)),
                     "a contract-day as MBO records"),
            ],
            arguments.repeats,
        )  # fmt: skip
        size = partition.path.stat().st_size / rows
    report = Report(
        "bronze.future_mbo",
        rate_rows(timings, "frames -> Bronze", "rows"),
        {"rows": f"{rows:,}", "bytes per row": round(size, 2)},
    )
    report.add_target("bytes per row", size, 16, at_least=False)
    report.add_target("write, M rows/s", timings[1].rate / 1e6, 4)
    publish(report, as_json=arguments.json)


if __name__ == "__main__":
    main()
