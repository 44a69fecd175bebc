"""Repeatable performance measurements, with peers: `spymaster bench NAME`, or `python -m benchmarks.NAME`."""

from __future__ import annotations

BENCHMARKS = {
    "book": "order-book engine and surfaces against mbo-queue, nautilus_trader and plain Python",
    "decode": "reading a compressed MBO file against the zstd floor and Databento's readers",
    "bronze": "writing bronze.future_mbo: bytes per row, rows per second",
    "pipeline": "file to surfaces and to all Silver tables, two processes over one, peak memory",
    "pressure": "the pressure surface of a session, its usual values and its option flow: processor seconds",
    "chain": "the books of an option chain: quotes and flow of thousands of instruments, in memory and from a file",
    "option_quotes": "option quotes of a day, Bronze to frames and to disk: messages and rows per second, peak memory",
    "gex": "gamma exposure of a chain of 3,000 options: processor seconds and memory of a day",
    "volatility": "Black-76 volatilities and gammas per second, and their error against forty digits",
    "neighbours": "exact nearest neighbours among 500,000 setup vectors: processor time of a question",
    "sim": "the simulator's targets over several seeds, its speed, and whether `walk` mode can be foretold",
    "research": "gates of the research in full size: nothing is found where nothing is, what is planted is; long",
    "evidence": "gates of the search for automation: p-values, findings by chance, planted agents; long, resumable",
    "evaluation": "from records to verdicts: planted turns are supported, a background is not; long, resumable",
    "evidence_day": "the search for automation on a whole day: processor seconds and memory by stage; long, resumable",
    "joining": "is what machines do before rejections told from what people do: one question, several lakes; long",
    "ws_load": "the sidecar under load: lag of many replays, a client that stalls, seeks, a cold load, holes",
    "dagster_overhead": "wall time of a Dagster run beyond the work it does",
}
"""Module name to what it measures; each is a program with `--json`."""

LONG = ("research", "evaluation", "joining", "evidence_day", "evidence")
"""Those that run only when they are named."""
