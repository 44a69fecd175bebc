"""What every benchmark shares: interleaved repetitions, memory of a child process, machine facts, table and JSON.

Absolute rates drift with the load of the machine, so cases that are compared run in turns inside one process run and
are quoted as ratios of their medians.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

PACKAGES = ("numpy", "numba", "polars", "pyarrow", "zstandard", "databento", "databento-dbn", "dagster",
            "nautilus-trader", "mbo-queue")  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One thing to time: `run` handles `work` units (messages, rows, partitions)."""

    name: str
    work: int
    run: Callable[[], object]
    note: str = ""


@dataclass
class Timing:
    """Seconds of every repetition of a case."""

    name: str
    work: int
    note: str
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    """Processor time of this process, all threads: on a busy machine steadier than wall time."""

    @property
    def median(self) -> float:
        """Median seconds."""
        return statistics.median(self.seconds)

    @property
    def rate(self) -> float:
        """Units per second at the median."""
        return self.work / self.median

    @property
    def best_rate(self) -> float:
        """Units per second of the fastest repetition: what is left when the machine's other work is taken away."""
        return self.work / min(self.seconds)


def measure(cases: Sequence[Case], repeats: int, *, warm_up: bool = True) -> list[Timing]:
    """Time the cases in turns (A B C, A B C, ...) after one untimed round that compiles and warms caches."""
    timings = [Timing(case.name, case.work, case.note) for case in cases]
    if warm_up:
        for case in cases:
            case.run()
    for _ in range(repeats):
        for case, timing in zip(cases, timings, strict=True):
            gc.collect()
            started, cpu = time.perf_counter(), time.process_time()
            result = case.run()
            timing.seconds.append(time.perf_counter() - started)
            timing.cpu_seconds.append(time.process_time() - cpu)
            del result
    return timings


def machine() -> dict[str, Any]:
    """Processor, cores, memory, interpreter and the versions of the packages that matter."""
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gb": round(pages / 2**30, 1),
        "load_1m": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions,
    }


def rate_rows(timings: Sequence[Timing], baseline: str, unit: str) -> list[dict[str, Any]]:
    """One row per case: median seconds, rate, and how many times the rate of this case fits into the baseline's."""
    reference = next(t for t in timings if t.name == baseline)
    return [
        {
            "case": t.name,
            unit: t.work,
            "median_s": round(t.median, 4),
            "spread": f"{min(t.seconds):.3f}-{max(t.seconds):.3f}",
            "cpu_s": round(statistics.median(t.cpu_seconds), 4) if t.cpu_seconds else None,
            f"M {unit}/s": round(t.rate / 1e6, 3),
            "baseline / this": round(reference.rate / t.rate, 2),
            "note": t.note,
        }
        for t in timings
    ]


@dataclass
class Report:
    """A finished benchmark."""

    name: str
    rows: list[dict[str, Any]]
    facts: dict[str, Any] = field(default_factory=dict)
    targets: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Per figure of the performance targets: measured value, bound, whether it is met."""

    def add_target(self, name: str, value: float, bound: float, *, at_least: bool = True) -> None:
        """Compare a measured figure with its bound."""
        met = value >= bound if at_least else value <= bound
        self.targets[name] = {"value": round(value, 4), "at_least" if at_least else "at_most": bound, "met": met}

    def to_json(self) -> dict[str, Any]:
        """Everything, with the machine."""
        return {**asdict(self), "machine": machine()}

    def render(self) -> str:
        """A plain text table."""
        lines = [f"== {self.name} ==", *(f"   {key}: {value}" for key, value in self.facts.items())]
        if self.rows:
            columns = list(dict.fromkeys(key for row in self.rows for key in row))
            cells = [[_text(row.get(column, "")) for column in columns] for row in self.rows]
            widths = [max(len(c), *(len(r[i]) for r in cells)) for i, c in enumerate(columns)]
            lines.append("  ".join(c.ljust(w) for c, w in zip(columns, widths, strict=True)).rstrip())
            lines.append("  ".join("-" * w for w in widths))
            lines += ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in cells]
        for name, target in self.targets.items():
            sign, bound = (">=", target["at_least"]) if "at_least" in target else ("<=", target["at_most"])
            lines.append(f"   {'ok ' if target['met'] else 'LOW'} {name}: {target['value']:,} ({sign} {bound:,})")
        return "\n".join(lines)


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int | float):
        return f"{value:,}"
    return str(value)


def process_memory(*, reset: bool = False) -> tuple[int, int]:
    """Resident bytes of this process now and at most so far (or since the last reset). Linux; (0, 0) elsewhere."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0, 0
    found = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    return found["VmRSS"], found["VmHWM"]


def peak_memory(module: str, function: str, *arguments: str, prepare: str = "") -> dict[str, Any]:
    """Run `module.function(*arguments)` in a fresh interpreter; how far the peak rises above what imports left.

    The child imports the module, calls `module.<prepare>()` if given (compile kernels, load lazily imported
    libraries), resets the kernel's high-water mark, and reads it again after the call. Linux only.
    """
    code = (
        "import gc, importlib, json, time\n"
        "from benchmarks.harness import process_memory\n"
        f"m = importlib.import_module({module!r})\n"
        f"prepare = {prepare!r}\n"
        "if prepare: getattr(m, prepare)()\n"
        "gc.collect()\n"
        "process_memory(reset=True)\n"
        "before, _ = process_memory()\n"
        "t = time.perf_counter()\n"
        f"result = getattr(m, {function!r})(*{list(arguments)!r})\n"
        "s = time.perf_counter() - t\n"
        "print(json.dumps({'before': before, 'peak': process_memory()[1], 'seconds': s, 'result': result}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{module}.{function} failed in the child process:\n{done.stderr}")
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


@contextlib.contextmanager
def work_folder(keep: Path | None = None) -> Iterator[Path]:
    """A folder for files of the run: `keep` (left in place, reused) or a temporary one."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="spymaster-bench-") as folder:
        yield Path(folder)


def parser(description: str, *, messages: int, repeats: int = 5) -> argparse.ArgumentParser:
    """Options common to all benchmarks."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument("--messages", type=int, default=messages, help="live messages of the generated day")
    result.add_argument("--repeats", type=int, default=repeats, help="timed rounds")
    result.add_argument("--seed", type=int, default=1)
    result.add_argument("--folder", type=Path, default=None, help="keep generated files here and reuse them")
    result.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    return result


def publish(report: Report, *, as_json: bool) -> None:
    """Print a report."""
    print(json.dumps(report.to_json(), indent=2, default=str) if as_json else report.render())


def stream_file(folder: Path, messages: int, seed: int) -> Path:
    """The generated day as a .dbn.zst file in `folder`, written once."""
    from benchmarks.stream import StreamConfig, write_stream

    path = folder / f"generated-{messages}-{seed}.mbo.dbn.zst"
    if not path.is_file():
        write_stream(path, StreamConfig(messages=messages, seed=seed))
    return path
