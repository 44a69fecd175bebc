"""The books of an option chain: messages per second through one core, in memory and from a compressed file.

python -m benchmarks.chain [--messages N] [--repeats N] [--json]

The chain is a simulated one: seven expiries of ES over regular hours. So that it has more than 3,000 instruments, as
the largest files do, every record is followed by its twin, of another instrument and another order. `--messages` is
that of both; the future that the options follow is simulated beside them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.harness import Case, Report, measure, parser, peak_memory, publish, rate_rows, work_folder
from spymaster.book.chain.engine import ChainEngine
from spymaster.feed.reader import MboFile
from spymaster.simulator.options.chain import CHAIN_SIZES
from spymaster.simulator.request import PRESETS, Request, plan
from spymaster.simulator.simulate import simulate

PRESET = "full_day"
CHUNK = 32_768
IN_MEMORY = 5_000_000
"""Most messages held for the run without a file."""
_TWIN_ID, _TWIN_ORDER = np.uint32(1 << 30), np.uint64(1 << 50)


def chain_file(folder: Path, messages: int, seed: int) -> Path:
    """The MBO file of a simulated chain of about so many messages."""
    future = PRESETS[PRESET].messages * messages // CHAIN_SIZES[PRESET].messages
    run = simulate(plan(Request(preset=PRESET, seed=seed, messages=future, scenario="background")), folder)
    (name,) = (name for name in run.days[0].option_files if ".mbo." in name)
    (path,) = folder.rglob(f"product_type=future_option/**/{Path(name).name}")
    return path


def listed(path: Path) -> np.ndarray:
    """Instrument ids of a file and of the twins. Raises ValueError where a twin would be one of the file's own."""
    ids = np.array(sorted(MboFile.open(path).metadata.symbols), np.uint32)
    both = np.unique(np.concatenate([ids, ids ^ _TWIN_ID]))
    if len(both) != 2 * len(ids):
        raise ValueError("a twin has the id of an instrument of the file")
    return both


def twins(chunks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Every record and its twin."""
    for chunk in chunks:
        both = np.repeat(chunk, 2)
        both["instrument_id"][1::2] ^= _TWIN_ID
        both["order_id"][1::2] += _TWIN_ORDER
        yield both


def records(path: Path) -> Iterator[np.ndarray]:
    """The file's records with their twins, in chunks."""
    return twins(MboFile.open(path).chunks(CHUNK))


def blocks(chunks: Iterable[np.ndarray], ids: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    """All rows of the chain's quotes, block by block."""
    engine = ChainEngine(ids)
    for chunk in chunks:
        yield from engine.process(chunk)
    yield from engine.finish()


def rows_of(chunks: Iterable[np.ndarray], ids: np.ndarray) -> int:
    """All rows of the chain's quotes, counted and dropped."""
    return sum(len(block["window_end"]) for block in blocks(chunks, ids))


def warm() -> None:
    """Compile the kernels."""
    from spymaster.market.dbn import MBO_DTYPE

    rows_of([np.zeros(1, MBO_DTYPE)], np.array([1]))


def whole_day(path: str) -> int:
    """Rows of a file with twins."""
    return rows_of(records(Path(path)), listed(Path(path)))


def main() -> None:
    """Run and print."""
    arguments = parser(__doc__ or "", messages=20_000_000, repeats=3).parse_args()
    with work_folder(arguments.folder) as folder, tempfile.TemporaryDirectory(dir=folder) as scratch:
        path = chain_file(Path(scratch), arguments.messages // 2, arguments.seed)
        ids = listed(path)
        held, total = [], 0
        for chunk in records(path):
            total += len(chunk)
            if total <= IN_MEMORY:
                held.append(chunk)
        kept = sum(map(len, held))
        timings = measure(
            [
                Case("in memory", kept, lambda: rows_of(held, ids), "best quotes and flow by second"),
                Case("from file", total, lambda: whole_day(str(path)), ".dbn.zst, twins made on the way"),
            ],
            arguments.repeats,
        )
        memory = peak_memory("benchmarks.chain", "whole_day", str(path), prepare="warm")
    report = Report(
        "option chain",
        rate_rows(timings, "in memory", "messages"),
        {"messages": f"{total:,}", "instruments": f"{len(ids):,}", "rows": f"{memory['result']:,}"},
    )
    report.add_target("in memory, M messages/s", timings[0].rate / 1e6, 10)
    report.add_target("peak memory of the file, GB", (memory["peak"] - memory["before"]) / 1e9, 1.0, at_least=False)
    publish(report, as_json=arguments.json)


if __name__ == "__main__":
    main()
