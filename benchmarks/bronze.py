"""Writing `bronze.future_mbo` and `bronze.option_mbo`: bytes per row and rows per second, and reading them back.

python -m benchmarks.bronze [--messages N] [--repeats N] [--json]

Futures are a generated day of `--messages`, options the chain of a simulated one of a fifth of them.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

import polars as pl

from benchmarks.chain import chain_file
from benchmarks.harness import Case, Report, measure, parser, publish, rate_rows, stream_file, work_folder
from spymaster.feed.bronze import future_mbo_frames, option_mbo_frames
from spymaster.feed.reader import MboFile
from spymaster.feed.records import option_records, records
from spymaster.lake import Lake, Partition
from spymaster.tables.future_mbo import FutureMbo
from spymaster.tables.model import TableModel
from spymaster.tables.option_mbo import OptionMbo

DAY = dt.date(2026, 1, 6)
LEAST_OPTION_MESSAGES = 20_000


def write_partition(path: Path, root: Path) -> None:
    """File to durable Bronze partition."""
    lake = Lake.open(root, create=True)
    file = MboFile.open(path)
    with lake.writer(FutureMbo, "ES", DAY) as writer:
        for frame in future_mbo_frames(file):
            writer.write(frame)
        writer.commit(dataset=file.metadata.dataset)


def write_frames(model: type[TableModel], frames: list[pl.DataFrame], root: Path, dataset: str) -> None:
    """Frames in memory to durable Bronze partition: validation, encoding, disk."""
    lake = Lake.open(root, create=True)
    with lake.writer(model, "ES", DAY) as writer:
        for frame in frames:
            writer.write(frame)
        writer.commit(dataset=dataset)


def write_options(path: Path, root: Path) -> Partition:
    """File of a chain to durable Bronze partition."""
    lake = Lake.open(root, create=True)
    file = MboFile.open(path)
    with lake.writer(OptionMbo, "ES", DAY) as writer:
        for frame in option_mbo_frames(file):
            writer.write(frame)
        writer.commit(dataset=file.metadata.dataset)
    return lake.partition(OptionMbo, "ES", DAY)


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
        frames, dataset = list(future_mbo_frames(file)), file.metadata.dataset
        rows = partition.rows
        chain = chain_file(Path(scratch), max(arguments.messages // 5, LEAST_OPTION_MESSAGES), arguments.seed)
        options = write_options(chain, root)
        option_frames = list(option_mbo_frames(MboFile.open(chain)))
        timings = measure(
            [
                Case("file -> Bronze", rows, lambda: write_partition(path, root), "decode, validate, encode, fsync"),
                Case("frames -> Bronze", rows, lambda: write_frames(FutureMbo, frames, root, dataset),
                     "validate, encode, fsync"),
                Case("Bronze -> records", rows, lambda: sum(len(part) for part in records(partition, contract)),
                     "a contract-day as MBO records"),
                Case("options -> Bronze", options.rows, lambda: write_options(chain, root), "from the file, as it is"),
                Case("option frames -> Bronze", options.rows,
                     lambda: write_frames(OptionMbo, option_frames, root, dataset), "validate, encode, fsync"),
                Case("Bronze -> options", options.rows, lambda: sum(map(len, option_records(options))),
                     "all instruments in file order"),
            ],
            arguments.repeats,
        )  # fmt: skip
        size, option_size = (part.path.stat().st_size / part.rows for part in (partition, options))
        instruments = len(MboFile.open(chain).metadata.symbols)
    report = Report(
        "bronze.future_mbo, bronze.option_mbo",
        rate_rows(timings, "frames -> Bronze", "rows"),
        {
            "rows": f"{rows:,}",
            "bytes per row": round(size, 2),
            "rows of options": f"{options.rows:,} of {instruments:,} instruments",
            "bytes per row of options": round(option_size, 2),
        },
    )
    report.add_target("bytes per row", size, 16, at_least=False)
    report.add_target("write, M rows/s", timings[1].rate / 1e6, 4)
    report.add_target("options, bytes per row", option_size, 16, at_least=False)
    publish(report, as_json=arguments.json)


if __name__ == "__main__":
    main()
