"""What Dagster costs: wall time of `spymaster run` minus the work inside it, for one date and for three.

    python -m benchmarks.dagster_overhead [--messages N] [--repeats N] [--json]

Work is what the materialisations record: reading, computing, validating, writing, and drawing the picture of each table
(listed apart). The rest is starting the processes, loading the definitions, planning, events and integrity checks.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import Report, parser, publish, work_folder
from benchmarks.stream import StreamConfig, write_stream

DAYS = (dt.date(2026, 1, 6), dt.date(2026, 1, 7), dt.date(2026, 1, 8))


def spymaster(lake: Path, *arguments: str) -> tuple[float, dict[str, Any]]:
    """Run a command of the CLI; wall seconds and its JSON answer."""
    # A process that may not keep its bytecode compiles 2,700 modules each time: that is not what is measured here.
    left_out = ("DAGSTER_", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    command = [sys.executable, "-m", "spymaster.cli.main", *arguments, "--lake", str(lake), "--json"]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    seconds = time.perf_counter() - started
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("error:")] or [done.stderr]
        raise RuntimeError(f"{' '.join(arguments)} failed: {errors[-1]}")
    return seconds, json.loads(done.stdout)


def run(lake: Path, first: dt.date, last: dt.date, *options: str) -> tuple[float, float, float, int]:
    """Materialise a range: wall seconds, seconds of work in it, those of them for pictures, partitions made."""
    wall, answer = spymaster(lake, "run", "--symbol", "ES", "--dates", f"{first}:{last}", *options)
    made = [one for one in answer["partitions"] if one["status"] == "made"]
    passes = {(one["date"], one["seconds"]) for one in made}  # tables of one pass record the same seconds
    pictures = sum(one.get("picture_seconds", 0.0) for one in made)
    return wall, sum(seconds for _, seconds in passes) + pictures, pictures, len(made)


def main() -> None:
    """Run and print."""
    arguments = parser(__doc__ or "", messages=20_000, repeats=3).parse_args()
    rows: list[dict[str, Any]] = []
    overheads: dict[str, list[float]] = {}
    with work_folder(arguments.folder) as folder, tempfile.TemporaryDirectory(dir=folder) as scratch:
        files = []
        for number, day in enumerate(DAYS):
            path = Path(scratch) / f"generated-{day:%Y%m%d}.mbo.dbn.zst"
            write_stream(path, StreamConfig(messages=arguments.messages, seed=arguments.seed + number, day=day,
                                            start_hour=15.0, end_hour=15.1))  # fmt: skip
            files.append(str(path))
        lake = Path(scratch) / "lake"
        spymaster(lake, "raw", "add", *files, "--symbol", "ES")
        run(lake, DAYS[0], DAYS[-1])  # compiles the kernels if nobody has yet
        cases = {
            "nothing to do": (DAYS[0], DAYS[-1]),
            "one date": (DAYS[0], DAYS[0], "--overwrite"),
            "three dates in one run": (DAYS[0], DAYS[-1], "--overwrite"),
        }
        results: dict[str, list[tuple[float, float, float, int]]] = {name: [] for name in cases}
        for _ in range(arguments.repeats):
            for name, (first, last, *options) in cases.items():
                results[name].append(run(lake, first, last, *options))
    for name, measured in results.items():
        wall, work, pictures, made = (statistics.median(values) for values in zip(*measured, strict=True))
        overheads[name] = [one[0] - one[1] for one in measured]
        rows.append(
            {"case": name, "partitions made": int(made), "wall_s": round(wall, 2), "work_s": round(work, 2),
             "of it pictures_s": round(pictures, 2),
             "beyond_s": round(statistics.median(overheads[name]), 2)}
        )  # fmt: skip
    one, three = (statistics.median(overheads[name]) for name in ("one date", "three dates in one run"))
    report = Report(
        "Dagster overhead",
        rows,
        {"messages per date": arguments.messages, "per further date in a run, s": round((three - one) / 2, 2)},
    )
    report.add_target("beyond its work, one date, s", one, 6, at_least=False)
    report.add_target("per date in a run of three, s", three / 3, 6, at_least=False)
    publish(report, as_json=arguments.json)


if __name__ == "__main__":
    main()
