"""What models foretell of simulated sessions after learning from others: what the gates of the research share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.research_days import Research, Shape, research
from spymaster.research.day_blocks import LEVEL, Interval, auc_interval, mean_interval, session_draws, session_index
from spymaster.research.knn import with_neighbours
from spymaster.research.model_rules import ModelRules
from spymaster.research.out_of_sample import out_of_sample
from spymaster.research.panels import Panel
from spymaster.research.retrieval import Rules
from spymaster.research.sample_tables import load_samples
from spymaster.research.samples import Samples
from spymaster.research.scores import log_losses
from spymaster.research.walk_forward import Fold
from spymaster.settings import Settings
from spymaster.simulator.meetings import MeetingFile

ALGOS = ("bar", "logit", "gbm", "knn", "stack")
PANELS = (*(Panel("s1", "touch", horizon) for horizon in (30, 120, 360)), Panel("c120", "candle", 360))
DRAWS = 2_000
NEAR = 0.05
"""Where nothing is to be known, a probability is this near to the base rate."""


@dataclass(frozen=True)
class Size:
    """How many sessions are learned from and tried, and their shape."""

    train: int
    test: int
    shape: Shape = field(default_factory=Shape)
    profile: str = "demo"
    level: float = LEVEL
    """Of the intervals."""
    neighbours: int = 25
    """Of a planted touch: a few sessions have too few touches for the usual 50."""

    @property
    def sessions(self) -> int:
        """Of both."""
        return self.train + self.test


CLOSE = 4
"""Ticks between levels where nothing is planted: more touches in as much time."""


@dataclass(frozen=True)
class Foretold:
    """Probabilities of one head for tried samples, by model."""

    samples: Samples
    y: np.ndarray
    p: dict[str, np.ndarray]
    base: float
    """Share of true labels among samples that were learned from."""

    @property
    def constant(self) -> list[str]:
        """Models that say the same of every sample: their AUC is 0.5 whatever is true, and no evidence of anything."""
        return [algo for algo, p in self.p.items() if np.ptp(p) < 1e-9]

    def aucs(self, level: float = LEVEL) -> dict[str, Interval]:
        """AUC by model, with intervals by whole sessions."""
        index, n = session_index(self.samples.session)
        draws = session_draws(n, DRAWS)
        return {algo: auc_interval(self.y, p, index, draws, level) for algo, p in self.p.items()}

    def gains(self, level: float = LEVEL) -> dict[str, Interval]:
        """Log-loss gain over the bar by model."""
        index, n = session_index(self.samples.session)
        draws = session_draws(n, DRAWS)
        of_bar = log_losses(self.y, self.p["bar"])
        return {
            algo: mean_interval(of_bar - log_losses(self.y, p), index, draws, level)
            for algo, p in self.p.items() if algo != "bar"
        }  # fmt: skip

    def near_base(self) -> dict[str, float]:
        """Share of samples that a model says about the base rate of, by model; the bar is none."""
        return {algo: float((np.abs(p - self.base) <= NEAR).mean()) for algo, p in self.p.items() if algo != "bar"}

    def pool(self) -> dict[str, Any]:
        """What `pooled_aucs` needs, as plain data: labels, sessions, and by model the rank of p among these samples.

        Models of constant p are left out.
        """
        index, _ = session_index(self.samples.session)
        kept = {algo: p for algo, p in self.p.items() if algo not in self.constant}
        return {
            "y": self.y.astype(int).tolist(), "session": index.tolist(),
            "rank": {algo: np.round(_mid_ranks(p), 6).tolist() for algo, p in kept.items()},
        }  # fmt: skip


def _mid_ranks(p: np.ndarray) -> np.ndarray:
    """float64[n]: share of the numbers below each, and half of those equal to it."""
    _, of_value, count = np.unique(p, return_inverse=True, return_counts=True)
    return ((np.cumsum(count) - count / 2.0) / len(p))[of_value]


def pooled_aucs(pools: Sequence[Mapping[str, Any]], level: float = LEVEL) -> dict[str, Interval]:
    """AUC by model of several runs together, each with sessions and models of its own.

    A run has models of its own, so that it is ranks within a run that are compared. Runs in which a model says the same
    of every sample are left out for it.
    """
    found = {}
    for algo in sorted({algo for pool in pools for algo in pool["rank"]}):
        own = [pool for pool in pools if algo in pool["rank"]]
        y = np.concatenate([np.array(pool["y"], dtype=bool) for pool in own])
        rank = np.concatenate([pool["rank"][algo] for pool in own])
        run = np.repeat(np.arange(len(own)), [len(pool["y"]) for pool in own])
        session = np.concatenate([np.array(pool["session"], dtype=np.int64) for pool in own])
        index, n = session_index(run * 10_000 + session)
        found[algo] = auc_interval(y, rank, index, session_draws(n, DRAWS), level)
    return found


def simulated(
    seeds: Sequence[int], size: Size, meetings: Sequence[MeetingFile | None], *, walk: bool = True
) -> Research:
    """Sessions with their tables."""
    return research(seeds, size.shape, meetings, walk=walk)


def samples_of(made: Research, panel: Panel, settings: Settings, *, profile: str = "demo", real: bool | None = None,
               neighbours: int | None = None) -> Samples | None:  # fmt: skip
    """Samples of a panel with neighbours from each other; `real` picks levels (or placebos) only."""
    loaded = load_samples(made.dates, panel, 0, k_barrier=settings.setups.k_barrier)
    if loaded is None:
        return None
    chosen = loaded if real is None else loaded.select(loaded.is_placebo != real)
    rules = Rules.of(settings.retrieval, profile, neighbours)
    return with_neighbours(chosen, rules)


def foretell(
    samples: Samples, size: Size, settings: Settings, head: str = "side", algos: Sequence[str] = ALGOS
) -> Foretold | None:
    """Learn from the first sessions and foretell the last ones; None where a model could not be fitted.

    One fit: sessions of a simulation are alike, and fits are what costs.
    """
    rules = ModelRules.of(settings.outcome_model, size.profile)
    days = samples.sessions
    known, tried = days[: size.train], days[size.train :]
    fold = Fold(
        0, "outer", np.flatnonzero(np.isin(samples.session, known)), np.flatnonzero(np.isin(samples.session, tried)),
        known, tried,
    )  # fmt: skip
    told = out_of_sample(head, algos, samples, [fold], rules)
    rows = np.flatnonzero(told.tested(*algos) & (told.fold >= 0))
    if not len(rows):
        return None
    chosen, learned = samples.select(rows), samples.select(fold.train[samples.scored(head)[fold.train]])
    p = {algo: p[rows] for algo, p in told.p.items()}
    return Foretold(chosen, chosen.label(head), p, float(learned.label(head).mean()))
