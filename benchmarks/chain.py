"""The books of an option chain: messages per second through one core, in memory and from a compressed file.

python -m benchmarks.chain [--messages N] [--repeats N] [--json]

The chain is a simulated one: seven expiries of ES over regular hours. `--messages` is that of the options; the future
that they follow is simulated beside them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.harness import Case, Report, measure, parser, publish, rate_rows, work_folder
from spymaster.book.chain.engine import ChainEngine
from spymaster.feed.reader import MboFile
from spymaster.simulator.options.chain import CHAIN_SIZES
from spymaster.simulator.request import PRESETS, Request, plan
from spymaster.simulator.simulate import simulate

PRESET = "full_day"
CHUNK = 65_536


def chain_file(folder: Path, messages: int, seed: int) -> Path:
    """The MBO file of a simulated chain of about so many messages."""
    future = PRESETS[PRESET].messages * messages // CHAIN_SIZES[PRESET].messages
    run = simulate(plan(Request(preset=PRESET, seed=seed, messages=future, scenario="background")), folder)
    (name,) = (name for name in run.days[0].option_files if ".mbo." in name)
    (path,) = folder.rglob(f"product_type=future_option/**/{Path(name).name}")
    return path


def read_quotes(chunks: list[np.ndarray], ids: np.ndarray) -> int:
    """All rows of the chain's quotes, counted and dropped."""
    engine, rows = ChainEngine(ids), 0
    for chunk in chunks:
        rows += sum(len(block["window_end"]) for block in engine.process(chunk))
    return rows + sum(len(block["window_end"]) for block in engine.finish())


def read_file(path: Path, ids: np.ndarray) -> int:
    """The same from the file."""
    engine, rows = ChainEngine(ids), 0
    for chunk in MboFile.open(path).chunks(CHUNK):
        rows += sum(len(block["window_end"]) for block in engine.process(chunk))
    return rows + sum(len(block["window_end"]) for block in engine.finish())


def main() -> None:
    """Run and print."""
    arguments = parser(__doc__ or "", messages=5_000_000, repeats=5).parse_args()
    with work_folder(arguments.folder) as folder, tempfile.TemporaryDirectory(dir=folder) as scratch:
        path = chain_file(Path(scratch), arguments.messages, arguments.seed)
        chunks = [chunk.copy() for chunk in MboFile.open(path).chunks(CHUNK)]
        ids = np.unique(np.concatenate([np.unique(chunk["instrument_id"]) for chunk in chunks]))
        total = sum(map(len, chunks))
        rows = read_quotes(chunks, ids)
        timings = measure(
            [
                Case("in memory", total, lambda: read_quotes(chunks, ids), "best quotes and flow by second"),
                Case("from file", total, lambda: read_file(path, ids), ".dbn.zst"),
            ],
            arguments.repeats,
        )
    report = Report(
        "option chain",
        rate_rows(timings, "in memory", "messages"),
        {"messages": f"{total:,}", "instruments": f"{len(ids):,}", "rows": f"{rows:,}"},
    )
    report.add_target("in memory, M messages/s", timings[0].rate / 1e6, 10)
    publish(report, as_json=arguments.json)


if __name__ == "__main__":
    main()
