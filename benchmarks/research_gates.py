"""Gates of the research: what must not be found where nothing is, and what must be found where something was planted.

G1  a random walk: nothing foretells the side; labels anchored on the level seem to be foretold, which is why they carry
    an offset or are for the eye only
G4  labels of another session: nothing is left
G6  a planted rejection is found, and what only looks like it is told apart
G7  background: a walk, and a market whose queues carry what the bar knows already

Each gate returns plain numbers: `spymaster_tests/research/test_gates.py` asserts the fast size of each, and
`benchmarks/research.py` runs the full one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from benchmarks.research_days import Research, Shape, research
from spymaster.research.day_blocks import LEVEL, Interval, auc_interval, mean_interval, session_draws, session_index
from spymaster.research.knn import with_neighbours
from spymaster.research.logistic import fit_logistic, log_odds, sigmoid
from spymaster.research.model_rules import ModelRules
from spymaster.research.out_of_sample import out_of_sample
from spymaster.research.panels import Panel
from spymaster.research.retrieval import Rules
from spymaster.research.sample_tables import load_samples
from spymaster.research.samples import BREAK, REJECT, Samples
from spymaster.research.scores import auc, log_losses
from spymaster.research.walk_forward import Fold
from spymaster.settings import Settings, get_settings
from spymaster.simulator.meetings import MeetingFile, load_meetings

ALGOS = ("bar", "logit", "gbm", "knn", "stack")
PANELS = (*(Panel("s1", "touch", horizon) for horizon in (30, 120, 360)), Panel("c120", "candle", 360))
TOUCHES = Panel("s1", "touch", 120)
DRAWS = 2_000


@dataclass(frozen=True)
class Size:
    """How many sessions are learned from and tried, and their shape."""

    train: int
    test: int
    shape: Shape = field(default_factory=Shape)
    profile: str = "demo"
    level: float = LEVEL
    """Of the intervals."""

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
    chosen = samples.select(rows)
    return Foretold(chosen, chosen.label(head), {algo: p[rows] for algo, p in told.p.items()})


# G1: the random walk


def random_walk(made: Research, size: Size, settings: Settings | None = None) -> dict[str, Any]:
    """Does any model of any panel see the side of a driftless walk? Levels and placebos are the same there."""
    chosen = settings or get_settings()
    found: dict[str, Any] = {}
    for panel in PANELS:
        samples = samples_of(made, panel, chosen, profile=size.profile)
        told = foretell(samples, size, chosen) if samples is not None else None
        if told is None:
            continue
        for algo, interval in told.aucs(size.level).items():
            found[f"{panel.kind}:{panel.horizon_s}:{algo}"] = asdict(interval)
    holds = [one["low"] <= 0.5 <= one["high"] for one in found.values() if np.isfinite(one["low"])]
    return {"auc": found, "configurations": len(holds), "holding": float(np.mean(holds)) if holds else float("nan")}


def level_anchored(made: Research) -> dict[str, Any]:
    """Barriers around the level: what the distance to it alone seems to foretell, without and with the offset of B1.

    Candles, whose distance to the level varies. `auc` is that of the signed distance; `gain` that of a regression on
    the distance with the offset over the offset alone.
    """
    parts = []
    for tables in made.dates:
        episodes = tables.episodes.scan(["episode_id", "kind", "direction", "session_date", "level_price_int",
                                         "p0_mid2_int"])  # fmt: skip
        outcomes = tables.outcomes.scan(
            ["episode_id", "valid", "sigma_h_ticks", "lv_outcome", "lv_b1_break", "lv_b1_reject"]
        )
        parts.append(
            episodes.filter(pl.col("kind").cast(pl.String) == "candle")
            .join(outcomes.filter("valid"), on="episode_id")
            .filter(pl.col("lv_outcome").cast(pl.String) != "chop")
            .collect()
        )
    rows = pl.concat(parts)
    away = (rows["p0_mid2_int"] / 2 - rows["level_price_int"]) * rows["direction"]
    distance = (away / 250_000_000 / rows["sigma_h_ticks"].clip(0.5)).to_numpy()
    y = (rows["lv_outcome"].cast(pl.String) == "break").to_numpy()
    session, n = session_index(rows["session_date"].to_physical().to_numpy())
    draws = session_draws(n, DRAWS)
    share = (rows["lv_b1_break"] / (rows["lv_b1_break"] + rows["lv_b1_reject"])).to_numpy()
    offset = log_odds(share)
    first = session < n // 2
    learned = fit_logistic(distance[first, None], y[first], offset[first], 0.1)
    after = ~first
    p = sigmoid(learned.scores(distance[after, None], offset[after]))
    gain = log_losses(y[after], share[after]) - log_losses(y[after], p)
    return {
        "n": len(y),
        "auc": asdict(auc_interval(y, distance, session, draws)),
        "gain": asdict(mean_interval(gain, session[after] - n // 2, session_draws(n - n // 2, DRAWS))),
    }


# G4: labels of another session


def shifted(samples: Samples) -> Samples:
    """Outcomes of the session before, setup by setup, as far as it has as many; the first session is left out."""
    outcome = samples.outcome.copy()
    keep = np.zeros(len(samples), dtype=bool)
    rows = [np.flatnonzero(samples.session == day) for day in samples.sessions]
    for before, own in pairwise(rows):
        n = min(len(before), len(own))
        outcome[own[:n]] = samples.outcome[before[:n]]
        keep[own[:n]] = True
    return replace(samples, outcome=outcome).select(keep)


def label_shift(samples: Samples, size: Size, settings: Settings | None = None) -> dict[str, Any]:
    """What models see of labels that belong to another session."""
    chosen = settings or get_settings()
    told = foretell(shifted(samples), replace(size, train=size.train - 1), chosen)
    assert told is not None, "labels of another session: nothing could be learned from them"
    return {"auc": {algo: asdict(interval) for algo, interval in told.aucs(size.level).items()}, "n": len(told.y)}


# G6: the planted rejection, and what looks like it


def planted_rejection(made: Research, size: Size, settings: Settings | None = None) -> tuple[dict[str, Any], Samples]:
    """AUC of the side by model, at real levels of sessions with meetings; and the samples."""
    chosen = settings or get_settings()
    samples = samples_of(made, TOUCHES, chosen, profile=size.profile, real=True, neighbours=25)
    assert samples is not None, "no touch of a planted level"
    told = foretell(samples, size, chosen)
    assert told is not None, "nothing could be learned from planted touches"
    figures = {algo: {**asdict(interval), "auc": auc(told.y, told.p[algo])} for algo, interval in told.aucs().items()}
    return {
        "auc": figures,
        "n": len(told.y),
        "train": int(np.isin(samples.session, samples.sessions[: size.train]).sum()),
    }, samples


def decoys(made: Research, days: int, size: Size, settings: Settings | None = None) -> dict[str, Any]:
    """Mean probability of reject by variant, on the last `days` sessions; models learn from those before.

    By truth: which meeting a touch belongs to. Of models: the stack.
    """
    chosen = settings or get_settings()
    samples = samples_of(made, TOUCHES, chosen, profile=size.profile, real=True, neighbours=25)
    assert samples is not None, "no touch of a planted level"
    told = foretell(
        samples, replace(size, train=len(made.dates) - days), chosen, algos=("bar", "logit", "gbm", "knn", "stack")
    )
    assert told is not None, "nothing could be learned from planted touches"
    names = variants(made, told.samples)
    p_reject = 1.0 - told.p["stack"]
    by_name = {name: float(p_reject[names == name].mean()) for name in sorted(set(names)) if name}
    return {"p_reject": by_name, "n": {name: int((names == name).sum()) for name in by_name}}


def variants(made: Research, samples: Samples) -> np.ndarray:
    """object[n]: variant of the meeting that each touch is; empty for a touch that was not planted."""
    found = np.full(len(samples), "", dtype=object)
    for one in made.meetings:
        for k in range(len(samples)):
            near = np.flatnonzero(np.abs(one.touch - samples.ts_decision[k]) <= 1_000_000)
            if len(near):
                found[k] = one.variant[int(near[0])]
    return found


# G7: background


def background(made: Research, size: Size, settings: Settings | None = None) -> dict[str, Any]:
    """Gain over the bar of every model and panel, both heads, where nothing was planted."""
    chosen = settings or get_settings()
    found: dict[str, Any] = {}
    for panel in PANELS:
        samples = samples_of(made, panel, chosen, profile=size.profile)
        for head in ("resolve", "side"):
            told = foretell(samples, size, chosen, head) if samples is not None else None
            for algo, interval in (told.gains(size.level) if told else {}).items():
                found[f"{panel.kind}:{panel.horizon_s}:{head}:{algo}"] = asdict(interval)
    no_gain = [one["low"] <= 0.0 for one in found.values() if np.isfinite(one["low"])]
    return {
        "gain": found, "configurations": len(no_gain), "without": float(np.mean(no_gain)) if no_gain else float("nan")
    }  # fmt: skip


def files(size: Size, name: str = "g6") -> list[MeetingFile | None]:
    """The same file of meetings for every session."""
    return [load_meetings(name)] * size.sessions


def sides(samples: Samples) -> dict[str, int]:
    """How many ended which way."""
    return {"break": int((samples.outcome == BREAK).sum()), "reject": int((samples.outcome == REJECT).sum())}
