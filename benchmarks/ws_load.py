"""The sidecar under load: lag of many replays, one client that stalls, no hole at full speed, seeks, a cold load.

    python -m benchmarks.ws_load [--lake ROOT] [--seconds T] [--json]
    python -m benchmarks.ws_load --clients N --speed S --seconds T [--stalled K]

Without `--clients` every scenario of the targets runs, one after the other, against one server process. Server and
clients are kept on different processors where there are two. Lags depend on what else the machine does, so each row
says what share of a processor the server used, and how much of it for each window. Exit code 1: a hole in a stream;
with `--strict` any target missed.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import http.client
import json
import multiprocessing
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Report, parser, publish, work_folder
from benchmarks.stream import StreamConfig, write_stream
from benchmarks.ws_client import Plan, open_stream, run_clients, subscribe
from spymaster.serving import codec
from spymaster.serving.codec import Kind

TOKEN = "a-token-of-the-load-script"
SURFACES = ("snap", "wall", "vacuum", "pressure", "bands", "moves", "gex", "ladder", "reading")
CHUNK_S = 3600
DAY = dt.date(2026, 1, 6)


class Server:
    """A sidecar in a process of its own, and what it uses."""

    def __init__(self, lake: Path) -> None:
        environment = {**os.environ, "SPYMASTER_SERVING__TOKEN": TOKEN}
        command = [sys.executable, "-m", "spymaster.cli.main", "serve", "--lake", str(lake), "--port", "0", "--json"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self._process.stdout is not None
        lines = [self._process.stdout.readline()]
        while lines[-1] and lines[-1] != "}\n":
            lines.append(self._process.stdout.readline())
        self.url = json.loads("".join(lines))["url"]
        pin(self._process.pid, server=True)

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(30)

    def get(self, path: str) -> bytes:
        """The body of an answer."""
        host = self.url.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=120)
        connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}: {body[:200]!r}")
        return body

    def loop_lags(self) -> dict[float, float]:
        """How often the event loop was late by at most so many seconds, so far."""
        lines = self.get("/metrics").decode().splitlines()
        found = [line for line in lines if line.startswith("spymaster_loop_lag_seconds_bucket")]
        return {float(line.split('"')[1]): float(line.split()[-1]) for line in found}

    def cpu_s(self) -> float:
        """Processor seconds used so far; 0 where /proc is not there."""
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return 0.0

    def rss_mb(self) -> float:
        """Resident memory now; 0 where /proc is not there."""
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024
        return 0.0


def pin(pid: int, *, server: bool) -> None:
    """Keep the server on the first processor and everything else on the others, where there are others."""
    if hasattr(os, "sched_setaffinity"):
        own = sorted(os.sched_getaffinity(0))
        if len(own) > 1:
            os.sched_setaffinity(pid, own[:1] if server else own[1:])


def load(server: Server, plan: Plan, name: str, processes: int = 2) -> dict[str, Any]:
    """Run a plan's clients in processes of their own; one row of figures."""
    context = multiprocessing.get_context("spawn")
    workers = []
    for number in range(processes):
        share = plan.clients // processes + (number < plan.clients % processes)
        if not share:
            continue
        ours, theirs = context.Pipe(duplex=False)
        part = replace(plan, clients=share, stalled=plan.stalled if number == 0 else 0)
        worker = context.Process(target=run_clients, args=(part, theirs))
        worker.start()
        assert worker.pid is not None
        pin(worker.pid, server=False)
        theirs.close()
        workers.append((worker, ours))
    cpu = server.cpu_s()
    time.sleep(min(5.0, plan.seconds / 2))
    rss = server.rss_mb()
    seen = [one for _, pipe in workers for one in pipe.recv()]
    used, windows = server.cpu_s() - cpu, sum(one["windows"] for one in seen)
    for worker, _ in workers:
        worker.join()
    lags = np.array([lag for one in seen for lag in one["lags_ms"]] or [np.nan])
    p50, p95, p99 = (round(float(np.percentile(lags, share)), 2) for share in (50, 95, 99))
    return {
        "case": name,
        "clients": plan.clients,
        "speed": plan.speed,
        "windows": windows,
        "holes": sum(one["holes"] for one in seen),
        "ended": sum(bool(one["ended"]) for one in seen),
        "throttled": sum(one["throttled"] for one in seen),
        "lag p50 ms": p50,
        "p95": p95,
        "p99": p99,
        "max": round(float(lags.max()), 1),
        "MB/s": round(sum(one["bytes"] for one in seen) / plan.seconds / 1e6, 2),
        "server cpu": round(used / plan.seconds, 3),
        "cpu ms/window": round(1e3 * used / max(1, windows), 3),
        "rss MB": round(server.rss_mb(), 1),
        "rss drift": round(server.rss_mb() - rss, 1),
    }


def seeks(server: Server, plan: Plan, count: int) -> list[float]:
    """Milliseconds from a seek to the first window of its second, in a loaded hour."""

    async def play() -> list[float]:
        chance, took = random.Random(1), []
        async with open_stream(plan) as socket:
            await subscribe(socket, plan, 0, play=False)
            while '"state"' not in str(await socket.recv()):
                pass
            for number in range(count):
                sec = chance.randrange(CHUNK_S - 60)
                begun = time.monotonic()
                await socket.send(json.dumps({"type": "seek", "id": 2, "sec": sec, "bootstrap": 0}))
                await socket.send(json.dumps({"type": "play", "id": 3}))
                while True:
                    message = await socket.recv()
                    if isinstance(message, bytes):
                        frame = codec.parse(message)
                        if frame.kind is not Kind.SCHEMA and frame.sec == sec and frame.epoch == number + 2:
                            break
                took.append((time.monotonic() - begun) * 1e3)
                await socket.send(json.dumps({"type": "pause", "id": 4}))
                await asyncio.sleep(0.2)  # below the rate at which control messages count as a flood
        return took

    return asyncio.run(play())


def encoding_ms(lake: Path, plan: Plan) -> float:
    """99th percentile of the processor time of encoding one window of surfaces 1 to 9."""
    from spymaster.lake import Lake
    from spymaster.serving.catalog import Catalog, SessionKey
    from spymaster.serving.store import SessionStore
    from spymaster.settings import get_settings

    settings = get_settings(lake_root=str(lake))
    store = SessionStore(Catalog(Lake.open(settings=settings)), settings)
    session = store.session(SessionKey.parse(plan.symbol, plan.dt))
    took = []
    for window in session.iter_batches(0, min(1000, session.seconds), plan.surfaces):
        begun = time.thread_time()
        codec.body(window.segment(name) for name in codec.in_order(window.batches))
        took.append(time.thread_time() - begun)
    return float(np.percentile(took, 99)) * 1e3


def cold_load(server: Server, plan: Plan, seconds: int) -> tuple[dict[str, Any], float]:
    """20 clients play while two hours are loaded: their row, and the 99th percentile of how late the event loop was."""
    from threading import Thread

    before = server.loop_lags()

    def read() -> None:
        time.sleep(2.0)
        for first in range(CHUNK_S, seconds, CHUNK_S):
            server.get(f"/v1/sessions/{plan.symbol}/{plan.dt}/tiles/snap?from={first}&to={first + 10}")

    reader = Thread(target=read)
    reader.start()
    row = load(server, plan, "20 clients, cold load beside them")
    reader.join()
    counts = {bound: count - before[bound] for bound, count in server.loop_lags().items()}
    enough = 0.99 * counts[float("inf")]
    return row, 1e3 * next(bound for bound, count in sorted(counts.items()) if count >= enough)


def sessions(server: Server) -> tuple[str, str, int]:
    """Symbol, date and length of the newest market session."""
    newest = json.loads(server.get("/v1/sessions?limit=1000"))["sessions"][-1]
    manifest = json.loads(server.get(f"/v1/sessions/{newest['symbol']}/{newest['dt']}"))
    return newest["symbol"], newest["dt"], manifest["seconds"]


def made_lake(folder: Path, messages: int, seed: int) -> Path:
    """A lake with three hours of generated regular trading, by the library's own code."""
    from benchmarks.pipeline import durable

    path, root = folder / "three-hours.mbo.dbn.zst", folder / "lake"
    if not root.is_dir():
        write_stream(path, StreamConfig(messages=messages, seed=seed, day=DAY, start_hour=14.5, end_hour=17.5))
        durable(str(path), str(root))
    return root


@contextlib.contextmanager
def serving(lake: Path) -> Iterator[Server]:
    """A server over a lake."""
    server = Server(lake)
    try:
        yield server
    finally:
        server.close()


def main() -> None:
    """See the module."""
    options = parser(__doc__ or "", messages=400_000)
    options.add_argument("--lake", type=Path, default=None, help="a lake; three generated hours if not given")
    options.add_argument("--clients", type=int, default=None, help="one scenario of your own")
    options.add_argument("--speed", type=float, default=1.0)
    options.add_argument("--seconds", type=float, default=20.0, help="length of each scenario")
    options.add_argument("--stalled", type=int, default=0, help="clients that read nothing")
    options.add_argument("--strict", action="store_true", help="exit code 1 if any target is missed")
    chosen = options.parse_args()
    pin(0, server=False)
    with work_folder(chosen.folder) as folder:
        lake = chosen.lake or made_lake(folder, chosen.messages, chosen.seed)
        with serving(lake) as server:
            symbol, date, seconds = sessions(server)
            server.get(f"/v1/sessions/{symbol}/{date}/tiles/snap?from=0&to=10")
            starts = tuple(range(0, max(1, min(seconds, CHUNK_S) - 60), 7))
            plan = Plan(server.url, TOKEN, symbol, date, SURFACES, 200, 1.0, chosen.seconds, starts)
            report = Report("ws_load", [], {"session": f"{symbol} {date}, {seconds} s", "scenario s": chosen.seconds})
            if chosen.clients is not None:
                own = replace(plan, clients=chosen.clients, speed=chosen.speed, stalled=chosen.stalled)
                report.rows.append(load(server, own, "as asked"))
                report.add_target("holes", float(report.rows[0]["holes"]), 0.0, at_least=False)
            else:
                targets(report, server, plan, lake, seconds)
    holes = sum(row["holes"] + row["ended"] for row in report.rows)
    publish(report, as_json=chosen.json)
    missed = [name for name, target in report.targets.items() if not target["met"]]
    if holes or (chosen.strict and missed):
        sys.exit(f"holes or clients that ended early: {holes}; targets missed: {', '.join(missed) or 'none'}")


def targets(report: Report, server: Server, plan: Plan, lake: Path, seconds: int) -> None:
    """Every scenario."""
    row, lag = cold_load(server, replace(plan, clients=20), seconds)  # first: the later hours must not be there yet
    report.rows.append(row)
    many = load(server, plan, "200 private replays at 1x")
    beside = load(server, replace(plan, stalled=1), "the same, one more reads nothing")
    fast = load(server, replace(plan, clients=10, speed=100.0, starts=(0,)), "100x", processes=1)
    report.rows += [many, beside, fast]
    took = seeks(server, plan, 40)
    report.add_target("S1 p99 lag of 200 replays, ms", many["p99"], 100.0, at_least=False)
    report.add_target("S2 p99 with one stalled, less without, ms", beside["p99"] - many["p99"], 10.0, at_least=False)
    report.add_target("S2 memory drift, MB", beside["rss drift"], 50.0, at_least=False)
    report.add_target("S3 holes at 100x", float(fast["holes"]), 0.0, at_least=False)
    report.add_target("S4 p99 of encoding a window, processor ms", encoding_ms(lake, plan), 1.0, at_least=False)
    report.add_target("S5 p95 from seek to window, ms", float(np.percentile(took, 95)), 100.0, at_least=False)
    report.add_target("S6 p99 of how late the event loop is, ms", float(lag), 20.0, at_least=False)


if __name__ == "__main__":
    main()
