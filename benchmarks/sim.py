"""The simulator: does it meet its targets over several seeds, how fast is it, and is `walk` mode unpredictable?

`python -m benchmarks.sim --presets ci,demo --accept REASON` records that the distributions of these presets are
accepted as they are now, and why (`spymaster/config/sim/accepted`).
"""

from __future__ import annotations

import datetime
import statistics
import tempfile
import time
import traceback
from collections import defaultdict
from datetime import time as time_of

import numpy as np

from benchmarks import harness
from benchmarks.scene_conditions import require_morning, two_dates
from spymaster.market.instruments import instrument
from spymaster.simulator.acceptance.accepted import accept, accepted_path, distances, pooled_laws, read_accepted
from spymaster.simulator.acceptance.portrait import Portrait, portrait
from spymaster.simulator.acceptance.targets import STANDARD_ERRORS, Target, targets
from spymaster.simulator.layout import FRONT
from spymaster.simulator.market import MarketDay
from spymaster.simulator.request import PRESETS, Plan, Request, plan
from spymaster.simulator.simulate import Run, code_hash, simulate

SECONDS = {"ci": 2.0, "demo": 20.0, "rth": 25.0, "full_day": 15.0}
"""Budgets of the futures of a preset: files and truth, compiled."""
CHAINS = ("ci", "demo")
"""Presets whose options are judged too."""
MESSAGES_PER_SECOND = 1.5e6
JUMPS = 100_000
_WALK_MESSAGES = 600_000


def main() -> None:
    """Command line."""
    parser = harness.parser(__doc__ or "", messages=0)
    parser.add_argument("--presets", default="demo,full_day", help=f"of {', '.join(PRESETS)}, with commas")
    parser.add_argument("--jumps", type=int, default=JUMPS, help="jumps of the walk to look at, 0 none")
    parser.add_argument("--accept", metavar="REASON", default=None, help="record the distributions as accepted")
    options = parser.parse_args()
    seeds = list(range(1, options.repeats + 1))
    report = harness.Report("sim", [], {"seeds": seeds, "messages": options.messages or "as the preset has"})
    MarketDayOnly(1, 2_000).generate()  # compiles
    for preset in options.presets.split(","):
        accept_as = options.accept if not options.messages else None
        _measure_preset(report, preset, seeds, options.messages or None, accept_as)
        if preset in CHAINS and not options.messages:
            _measure_chain(report, preset, seeds)
    _measure_generation(report, options.messages or PRESETS["demo"].messages)
    if options.jumps:
        jumps = options.jumps if not options.messages else min(options.jumps, 4_000)
        _measure_walk(report, jumps)
    if not options.messages:
        _measure_scene(report, seeds)
    harness.publish(report, as_json=options.json)


class MarketDayOnly:
    """The main date of `ci`, in memory: no files, no measures."""

    def __init__(self, seed: int, messages: int, *, walk: bool = False, hours: bool = False) -> None:
        mode = "walk" if walk else "emergent"
        request = Request(preset="full_day" if hours else "ci", seed=seed, messages=messages, price_mode=mode)
        self.plan: Plan = plan(request)
        self.day = self.plan.days[-1]
        self.market = MarketDay(
            dt=self.day.dt, instrument=instrument("ES"), contracts=self.day.contracts, profile=self.plan.profile,
            parts=self.day.parts, messages=messages, seed=seed, walk=walk,
        )  # fmt: skip

    def generate(self) -> int:
        """Live records."""
        for _ in self.market.records():
            pass
        return int(self.market.state["messages"])


def _measure_preset(
    report: harness.Report, preset: str, seeds: list[int], messages: int | None, reason: str | None
) -> None:
    by_target: dict[tuple[int, str, float, float], list[Target]] = defaultdict(list)
    portraits: list[Portrait] = []
    took = []
    for seed in seeds:
        request = Request(preset=preset, seed=seed, options=False, messages=messages, scenario="background")
        with tempfile.TemporaryDirectory(prefix="spymaster-bench-") as folder:
            started = time.process_time()
            run = simulate(plan(request), folder)
            took.append(time.process_time() - started)
        for one in _targets(run):
            by_target[(one.number, one.metric, one.low, one.high)].append(one)
        day = run.days[-1]
        portraits.append(portrait(day.tally, f"seed {seed}", "simulated"))
    missed = 0
    for (number, metric, low, high), found in by_target.items():
        values = [one.value for one in found if one.value is not None]
        if not values:
            continue
        spread = _error_of_mean(values, [one.error or 0.0 for one in found])
        together = Target(number, metric, statistics.fmean(values), low, high, error=spread)
        misses = sum(one.verdict == "miss" for one in found)
        missed += misses
        report.rows.append(
            {
                "preset": preset, "#": number, "figure": metric, "mean of seeds": float(f"{together.value:.4g}"),
                "standard error": None if spread is None else float(f"{spread:.2g}"), "from": low, "to": high,
                "together": together.verdict, "seeds missed": misses,
            }
        )  # fmt: skip
    report.add_target(f"{preset}: targets missed by a seed", float(missed), 0.0, at_least=False)
    report.add_target(f"{preset}: CPU seconds, median", statistics.median(took), SECONDS[preset], at_least=False)
    path = accepted_path("es", preset, "emergent")
    if reason is not None:
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        accept(path, portraits, seeds, reason=reason, date=today, code_hash=code_hash())
    known = read_accepted(path)
    if known is not None and messages is None:
        found = distances(pooled_laws(portraits), known, several=True)
        report.facts[f"{preset}, KS to the accepted"] = {one.law: one.ks for one in found if one.ks > 0.02}
        drifted = sum(one.drifted for one in found)
        report.add_target(f"{preset}: distributions that drifted", float(drifted), 0.0, at_least=False)


def _measure_chain(report: harness.Report, preset: str, seeds: list[int]) -> None:
    """Row 21, of every date, on a chain that follows the preset's own futures."""
    found: dict[tuple[str, float, float], list[Target]] = defaultdict(list)
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="spymaster-bench-") as folder:
            run = simulate(plan(Request(preset=preset, seed=seed, scenario="background")), folder)
        for day in run.days:
            assert day.options is not None
            for one in day.options.targets:
                found[one.metric, one.low, one.high].append(one)
    missed = 0
    for (metric, low, high), every in found.items():
        misses = sum(one.verdict == "miss" for one in every)
        missed += misses
        values = [one.value for one in every if one.value is not None]
        report.rows.append(
            {
                "preset": f"{preset}, options", "#": 21, "figure": metric,
                "mean of seeds": float(f"{statistics.fmean(values):.4g}") if values else None,
                "standard error": None, "from": low, "to": high,
                "together": "n/a" if not values else "miss" if misses else "pass", "seeds missed": misses,
            }
        )  # fmt: skip
    report.add_target(f"{preset}: targets of options missed by a date", float(missed), 0.0, at_least=False)


def _error_of_mean(values: list[float], errors: list[float]) -> float | None:
    """Standard error of the mean of seeds: from their spread, which few seeds tell badly, or their own errors."""
    own = statistics.fmean(error**2 for error in errors) ** 0.5
    between = statistics.stdev(values) if len(values) > 1 else 0.0
    return max(own, between) / len(values) ** 0.5 or None


def _targets(run: Run) -> list[Target]:
    """Targets of the main date."""
    day, request = run.days[-1], run.plan.request
    return targets(day.tally, day.plan.messages, run.plan.base_profile, request.price_mode)


def _measure_scene(report: harness.Report, seeds: list[int]) -> None:
    """Whether the scene of the demo holds on the tables, from 08:00 to 11:00 of its main date."""
    broken = 0
    for seed in seeds:
        try:
            require_morning(*two_dates((time_of(9), time_of(11)), (time_of(8), time_of(11)), seed=seed))
        except AssertionError:
            broken += 1
            report.facts[f"scene of seed {seed} breaks"] = (
                traceback.format_exc(limit=-1).strip().splitlines()[-2].strip()
            )
    report.add_target("pm_high: seeds whose scene does not hold", float(broken), 0.0, at_least=False)


def _measure_generation(report: harness.Report, messages: int) -> None:
    rates = []
    for seed in (1, 2, 3):
        only = MarketDayOnly(seed, messages)
        started = time.process_time()
        made = only.generate()
        rates.append(made / (time.process_time() - started))
    report.add_target(
        "generation without files, messages per CPU second", statistics.median(rates), MESSAGES_PER_SECOND
    )


def _measure_walk(report: harness.Report, wanted: int) -> None:
    """Area under the curve of each book feature against the sign of the next jump of the efficient price."""
    features: list[np.ndarray] = []
    signs: list[np.ndarray] = []
    seed = 0
    while sum(map(len, signs)) < wanted:
        seed += 1
        only = MarketDayOnly(seed, _WALK_MESSAGES if wanted == JUMPS else 60_000, walk=True, hours=True)
        only.generate()
        found, sign = _before_jumps(only.market)
        features.append(found)
        signs.append(sign)
    x, up = np.concatenate(features), np.concatenate(signs) > 0
    report.facts["jumps of the walk"] = len(up)
    worst = 0.0
    for k, name in enumerate(FEATURES):
        area, error = area_under_curve(x[:, k], up)
        worst = max(worst, abs(area - 0.5) / error)
        report.rows.append({"preset": "walk", "#": "S12", "figure": f"AUC of {name}", "mean of seeds": round(area, 5),
                            "standard error": round(error, 5)})  # fmt: skip
    report.add_target("walk: largest distance of an AUC from 0.5, standard errors", worst, STANDARD_ERRORS,
                      at_least=False)  # fmt: skip


FEATURES = (
    "imbalance of the best queues", "imbalance of five levels", "imbalance of numbers of orders",
    "order flow of the last second", "order flow of the last ten seconds", "last move",
)  # fmt: skip


def _before_jumps(market: MarketDay) -> tuple[np.ndarray, np.ndarray]:
    """Features at the last whole second before each second with a net jump, (n, features), and the jump's sign."""
    truth = market.truth
    rows, levels = np.concatenate(truth.seconds), np.concatenate(truth.levels)
    levels, ends = levels[rows["inst"] == FRONT].astype(np.float64), rows["end"][rows["inst"] == FRONT]
    latent = np.concatenate(truth.latent)
    whole = (levels[:, :, 2, :5] > 0).all(axis=(1, 2))
    walk = latent["walk"][np.searchsorted(latent["end"], ends)]
    best, counts = levels[:, :, 1], levels[:, :, 2]
    price = levels[:, :, 0, 0]
    flow = (price[1:, 0] >= price[:-1, 0]) * best[1:, 0, 0] - (price[1:, 0] <= price[:-1, 0]) * best[:-1, 0, 0]
    flow -= (price[1:, 1] <= price[:-1, 1]) * best[1:, 1, 0] - (price[1:, 1] >= price[:-1, 1]) * best[:-1, 1, 0]
    flow = np.append(0.0, flow)
    ten = np.convolve(flow, np.ones(10))[: len(flow)]
    jump = np.append(np.diff(walk), 0)
    following = np.append(np.diff(ends) == 1_000_000_000, False)
    columns = np.column_stack(
        [
            _imbalance(best[:, 0, 0], best[:, 1, 0]),
            _imbalance(best[:, 0, :5].sum(axis=1), best[:, 1, :5].sum(axis=1)),
            _imbalance(counts[:, 0, 0], counts[:, 1, 0]),
            flow,
            ten,
            np.append(0.0, np.diff(price.mean(axis=1))),
        ]
    )
    chosen = whole & following & (jump != 0)
    return columns[chosen], np.sign(jump[chosen])


def _imbalance(bid: np.ndarray, ask: np.ndarray) -> np.ndarray:
    return (bid - ask) / np.maximum(bid + ask, 1)


def area_under_curve(values: np.ndarray, positive: np.ndarray) -> tuple[float, float]:
    """Area under the ROC curve, ties counted half, and its standard error under independence (Mann & Whitney 1947)."""
    _, at, many = np.unique(values, return_inverse=True, return_counts=True)
    rank = (np.cumsum(many) - (many - 1) / 2)[at]
    n, m = int(positive.sum()), int((~positive).sum())
    area = (rank[positive].sum() - n * (n + 1) / 2) / (n * m)
    ties = float((many.astype(np.float64) ** 3 - many).sum())
    whole = n + m
    error = ((whole + 1 - ties / (whole * (whole - 1))) / (12 * n * m)) ** 0.5
    return float(area), float(error)


if __name__ == "__main__":
    main()
