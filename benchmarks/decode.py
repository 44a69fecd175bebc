"""Decoding a compressed MBO file: Spymaster's reader against the zstd floor and Databento's own readers.

python -m benchmarks.decode [--messages N] [--repeats N] [--json]
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness import Case, Report, measure, parser, publish, rate_rows, stream_file, work_folder
from spymaster.feed.reader import MboFile

BUFFER = 3_670_016
"""Bytes of 65,536 records."""


def zstd_floor(path: Path) -> int:
    """Decompress into a reused buffer and look at nothing: no reader of the file can be faster."""
    import zstandard

    buffer = bytearray(BUFFER)
    total = 0
    with path.open("rb") as file:
        stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        while count := stream.readinto(buffer):
            total += count
    return total


def spymaster_reader(path: Path) -> int:
    """Every record decoded and checked."""
    return sum(len(chunk) for chunk in MboFile.open(path).chunks())


def databento_arrays(path: Path) -> int:
    """Databento's arrays, a million records at a time."""
    import databento

    arrays = databento.DBNStore.from_file(path).to_ndarray(count=1_000_000)
    return sum(len(array) for array in arrays)


def databento_frame(path: Path) -> int:
    """Databento's DataFrame."""
    import databento

    return len(databento.DBNStore.from_file(path).to_df())


def main() -> None:
    """Run and print."""
    options = parser(__doc__ or "", messages=5_000_000, repeats=5)
    arguments = options.parse_args()
    with work_folder(arguments.folder) as folder:
        path = stream_file(folder, arguments.messages, arguments.seed)
        short = stream_file(folder, min(arguments.messages, 500_000), arguments.seed)
        total, few = spymaster_reader(path), spymaster_reader(short)
        full = measure(
            [
                Case("spymaster reader", total, lambda: spymaster_reader(path), "checked records, reused buffer"),
                Case("zstd floor", total, lambda: zstd_floor(path), "decompression alone"),
                Case("databento to_ndarray", total, lambda: databento_arrays(path), "in chunks of 1 M"),
            ],
            arguments.repeats,
        )
        small = measure(
            [
                Case("spymaster reader (short file)", few, lambda: spymaster_reader(short)),
                Case("databento to_df", few, lambda: databento_frame(short)),
            ],
            max(1, arguments.repeats // 2),
        )
        rows = rate_rows(full, "spymaster reader", "records")
        rows += rate_rows(small, "spymaster reader (short file)", "records")
        facts = {"file": f"{total:,} records, {path.stat().st_size / total:.1f} bytes each compressed"}
    report = Report("decode", rows, facts)
    rates = {timing.name: timing.rate for timing in full}
    report.add_target("of the zstd floor", rates["spymaster reader"] / rates["zstd floor"], 0.6)
    publish(report, as_json=arguments.json)


if __name__ == "__main__":
    main()
