"""Gamma exposure of a whole day: processor seconds and memory of the pass over a chain of 3,000 options.

python -m benchmarks.gex [--messages N] [--repeats N] [--json]

`--messages` is the number of quote rows; the default is a full day of 86,400 seconds, fewer rows make a shorter day.
The chain has five expiries of 300 strikes, calls and puts; quotes follow a smile that is known, with noise. Every
expiry has new quotes in every second, and they are too wide to become stale, so that each smile is drawn each second
through nearly all of its strikes: more than a real day asks for. What the generator costs is taken out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from benchmarks.harness import Case, Report, measure, parser, process_memory, publish, rate_rows
from spymaster.options.chain import Chain
from spymaster.options.gex import GexPass
from spymaster.options.greeks import gamma
from spymaster.options.open_interest import InterestSteps
from spymaster.settings import OptionSettings
from spymaster.tables.option_definition import OptionDefinition
from spymaster.tables.types import TIMESTAMP

DT = date(2026, 1, 6)
MIDNIGHT = int(datetime(DT.year, DT.month, DT.day, tzinfo=UTC).timestamp()) * 1_000_000_000
SECOND = 1_000_000_000
YEAR = 365 * 86_400
STRIKES, EXPIRIES = 300, 5
SPOT = 6_800.0
TICK = 250_000_000
PUBLISHED_NS = 3 * 3_600 * SECOND
"""Time of the date at which open interest becomes known."""
PER_SECOND = 120
"""Rows of quotes per second: 10 million a day."""
WIDTH = 200
"""Least ticks between bid and ask."""


def chain() -> Chain:
    """Five expiries, the first on the date at 21:00 UTC."""
    rows = []
    for e in range(EXPIRIES):
        expiration = datetime(DT.year, DT.month, DT.day, 21, tzinfo=UTC) + timedelta(days=e)
        for k in range(STRIKES):
            strike = int(SPOT) + 5 * (k - STRIKES // 2)
            for call in (1, 0):
                rows.append((10 * len(rows) + 7, "CP"[1 - call], strike * 1_000_000_000, expiration))
    n = len(rows)
    frame = pl.DataFrame(
        {
            "instrument_id": [row[0] for row in rows],
            "right": [row[1] for row in rows],
            "strike_price_int": [row[2] for row in rows],
            "expiration": [row[3] for row in rows],
            "ts_recv": pl.Series([MIDNIGHT] * n).cast(TIMESTAMP),
            "underlying": ["ESH6"] * n,
            "tick_size_int": [50_000_000] * n,
            "multiplier": [50.0] * n,
            "is_user_defined": [False] * n,
            "is_deleted": [False] * n,
        }
    )
    schema = OptionDefinition.schema()
    return Chain.universe(frame.cast({name: schema[name] for name in frame.columns}), DT, "ESH6", OptionSettings())


def open_interest(chain: Chain, rng: np.random.Generator) -> np.ndarray:
    """Lots of every option: calls above, puts below the money, most at round strikes."""
    strike = chain.strike_price_int / 1e9
    away = strike / SPOT - 1 - np.where(chain.is_call, 0.012, -0.015)
    round_ = np.where(strike % 100 == 0, 5, np.where(strike % 50 == 0, 3, np.where(strike % 25 == 0, 2, 1)))
    return (3_000 * np.exp(-0.5 * (away / 0.012) ** 2 + 0.5 * rng.standard_normal(len(strike))) * round_).astype(int)


class Day:
    """A generated day: forwards and snapshot in memory, quotes in batches; `spent` is what making them cost."""

    def __init__(self, seconds: int, per_second: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.chain, self.per_second = chain(), per_second
        self.ns = MIDNIGHT + (1 + np.arange(seconds)) * SECOND
        self.spot = SPOT + np.cumsum(rng.choice([-0.25, 0.0, 0.25], seconds))
        self.seed, self.spent = seed, 0.0
        left = np.maximum((self.chain.expirations[None] - self.ns[:, None]) / SECOND, 60) / YEAR
        self.years = left
        self.forwards = pl.DataFrame(
            {
                "window_end": pl.Series(np.repeat(self.ns, EXPIRIES)).cast(TIMESTAMP),
                "expiration": pl.Series(np.tile(self.chain.expirations, seconds)).cast(TIMESTAMP),
                "underlying": pl.Series(["ESH6"]).new_from_index(0, seconds * EXPIRIES),
                "years": left.ravel(),
                "forward": np.repeat(self.spot, EXPIRIES),
            }
        )
        self.snapshot = pl.DataFrame(
            {
                "window_end": pl.Series(self.ns).cast(TIMESTAMP),
                "spot_ref_price_int": np.rint(self.spot * 1e9).astype(np.int64),
                "window_valid": [True] * seconds,
            }
        )
        known = np.full(len(self.chain), MIDNIGHT + PUBLISHED_NS)
        self.interest = InterestSteps(known, self.chain.instrument_id.copy(), open_interest(self.chain, rng))

    def quotes(self, seconds: int = 900) -> Iterator[pl.DataFrame]:
        """Rows of random options, nearer to the money more often."""
        rng, chain = np.random.default_rng(self.seed + 1), self.chain
        strikes = chain.strike_price_int / 1e9
        away = np.exp(-np.abs(strikes - SPOT) / 150)
        for start in range(0, len(self.ns), seconds):
            began = time.process_time()
            at = np.arange(start, min(start + seconds, len(self.ns)))
            cell = np.unique(
                np.repeat(at, self.per_second) * len(chain)
                + rng.choice(len(chain), len(at) * self.per_second, p=away / away.sum())
            )
            second, series = np.divmod(cell, len(chain))
            years, forward = self.years[second, chain.expiry[series]], self.spot[second]
            strike = strikes[series]
            x = np.log(strike / forward) / (0.14 * np.sqrt(years))
            iv = np.clip(0.14 - 0.01 * x + 0.003 * x * x, 0.05, 1.0) * (1 + 0.002 * rng.standard_normal(len(x)))
            mid = rng.integers(3, 400, len(x))
            bought = rng.integers(0, 3, len(x)).astype(np.int32)
            frame = pl.DataFrame(
                {
                    "window_end": pl.Series(self.ns[second]).cast(TIMESTAMP),
                    "instrument_id": chain.instrument_id[series].astype(np.uint32),
                    "bid_price_int": (mid * 50_000_000).astype(np.int64),
                    "ask_price_int": ((mid + WIDTH) * 50_000_000).astype(np.int64),
                    "buy_volume": bought,
                    "sell_volume": rng.integers(0, 3, len(x)).astype(np.int32),
                    "iv": iv.astype(np.float32),
                    "delta": np.full(len(x), 0.4, np.float32),
                    "gamma": gamma(forward, strike, years, iv).astype(np.float32),
                }
            ).sort("window_end", "instrument_id")
            self.spent += time.process_time() - began
            yield frame

    def gex(self) -> GexPass:
        """The pass over the day."""
        return GexPass(
            self.quotes(), self.forwards, self.snapshot,
            chain=self.chain, interest=self.interest, underlying="ESH6", tick_size_int=TICK,
        )  # fmt: skip

    def run(self) -> dict[str, int]:
        """The whole pass; counts of rows."""
        gex = self.gex()
        rows: dict[str, int] = {}
        for frames in gex:
            for name, frame in frames.items():
                rows[name] = rows.get(name, 0) + frame.height
        return rows | gex.counters


def main() -> None:
    """Run and print."""
    arguments = parser(__doc__ or "", messages=86_400 * PER_SECOND, repeats=1).parse_args()
    seconds = max(arguments.messages // PER_SECOND, 60)
    Day(120, PER_SECOND, arguments.seed).run()
    day = Day(seconds, PER_SECOND, arguments.seed)
    process_memory(reset=True)
    before, _ = process_memory()
    timings = measure([Case("pass", seconds, day.run, "both tables")], arguments.repeats, warm_up=False)
    _, peak = process_memory()
    cpu = min(timings[0].cpu_seconds) - day.spent / arguments.repeats
    day.spent = 0.0
    counted = day.run() if seconds <= 3_600 else {}
    report = Report(
        "gamma exposure",
        rate_rows(timings, "pass", "seconds"),
        {"series": f"{len(day.chain):,}", "processor seconds of the pass": round(cpu, 2), **counted},
    )
    report.add_target("processor seconds of a day", cpu * 86_400 / seconds, 60, at_least=False)
    report.add_target("peak memory above the day's frames, GB", (peak - before) / 2**30, 0.8, at_least=False)
    publish(report, as_json=arguments.json)


if __name__ == "__main__":
    main()
