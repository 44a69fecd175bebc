"""Scores of models on setups that they have not learned from, every one beside the bar that it has to beat.

All models of a head are scored on the same setups: those of folds in which each of them could be fitted. Differences
are paired, setup by setup, and their intervals are by whole sessions.

An AUC compares setups by their ranks within their own fold. Folds have models of their own, whose general level follows
the outcomes of the folds before: after a fold with many breaks all later ones are given more, so that compared across
folds a model that knows base rates only has an AUC below 0.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from spymaster.research import scores
from spymaster.research.day_blocks import (
    LEAST_SESSIONS,
    Interval,
    auc_draws,
    interval,
    mean_interval,
    session_draws,
    session_index,
    session_means,
    skill_interval,
)
from spymaster.research.ledger import NULL_VALUES, ledger_metric
from spymaster.research.model_rules import ModelRules
from spymaster.research.nulls import bar_strata, beyond_bar, permuted_auc_chance, shuffled_labels, strata
from spymaster.research.out_of_sample import out_of_sample
from spymaster.research.reliability import Reliability, reliability
from spymaster.research.samples import HEADS, Samples
from spymaster.research.trial_rows import Place, Rows
from spymaster.research.walk_forward import Fold

BAR: Final = "bar"
"""What a model has to beat: baselines B1, B2 and B3 together."""
WEAK_LEVEL: Final = 0.90


@dataclass(frozen=True)
class Forecast:
    """What was foretold of tested setups, in order of the decisions, and what came. Arrays have one entry per setup."""

    y: np.ndarray
    """bool[n]."""
    session: np.ndarray
    """int64[n], days since the epoch."""
    direction: np.ndarray
    """int8[n]."""
    fold: np.ndarray
    """int64[n], number of the fold that tried it."""
    p: Mapping[str, np.ndarray]
    """float64[n] by model."""

    def __len__(self) -> int:
        return len(self.y)

    @property
    def days(self) -> np.ndarray:
        """int64[s], the sessions."""
        return np.unique(self.session)

    def ranked(self, algo: str) -> np.ndarray:
        """float64[n], 0 to 1: share of the setups of the same fold that were given less, equal ones counting a half."""
        found = np.empty(len(self))
        for number in np.unique(self.fold):
            own = self.fold == number
            found[own] = (scores.mid_ranks(self.p[algo][own]) - 0.5) / own.sum()
        return found


@dataclass(frozen=True)
class Score:
    """How a model did, beyond the rows of the report: what verdict, ledger and charts go by."""

    place: Place
    auc: Interval
    auc_over_bar: Interval
    """AUC less the bar's, drawn together."""
    gain: Interval
    """Log loss of the bar less that of the model, nats per setup, 95 %."""
    weak_gain: Interval
    """The same, 90 %."""
    p_perm: float
    """Chance under shuffled labels: of the AUC, or where the bar knows the distance of barriers (`resolve`) of what is
    said beyond it."""
    session_scores: np.ndarray
    """float64[s]: the gain, by session."""
    days: np.ndarray
    table: Reliability | None
    n: int
    events: int

    @property
    def told(self) -> Interval:
        """The score that trials are compared by."""
        return self.auc if self.place.head == "side" else self.auc_over_bar

    @property
    def beyond_chance(self) -> Interval:
        """The same less what it is where nothing is known: 0.5 of an AUC, 0 of one less the bar's."""
        told, null = self.told, NULL_VALUES[ledger_metric(self.place.head)]
        return Interval(told.value - null, told.low - null, told.high - null, told.error)


def forecasts(
    samples: Samples, folds: Sequence[Fold], rules: ModelRules, algos: Sequence[str], heads: Sequence[str] = HEADS
) -> dict[str, Forecast]:  # fmt: skip
    """Forecasts of the tested samples by head: those that every model that could be fitted at all speaks of.

    A model that no fold could fit is left out and does not silence the others; without the bar there is nothing.
    """
    result = {}
    for head in heads if folds else ():
        told = out_of_sample(head, algos, samples, folds, rules)
        usable = [algo for algo in algos if np.isfinite(told.p[algo]).any()]
        if BAR not in usable:
            continue
        rows = np.flatnonzero(told.tested(*usable) & (told.fold >= 0))
        if len(rows):
            result[head] = Forecast(
                y=samples.label(head)[rows],
                session=samples.session[rows],
                direction=samples.direction[rows],
                fold=told.fold[rows],
                p={algo: told.p[algo][rows] for algo in usable},
            )
    return result


def score_forecast(
    forecast: Forecast, place: Place, *, draws: int, permutations: int, rows: Rows, section: str = "score",
    seed: int = 0,
) -> dict[str, Score]:  # fmt: skip
    """Scores by model, and their rows. place: of the panel, subset and head."""
    if not len(forecast):
        return {}
    index, n = session_index(forecast.session)
    taken = session_draws(n, draws, seed=seed)
    over_bar = place.head == "resolve"
    bar = forecast.p[BAR]
    stratum = bar_strata(forecast.session, bar) if over_bar else strata(forecast.session, forecast.direction)
    shuffled = shuffled_labels(forecast.y, stratum, permutations, seed=seed)
    of_bar = _losses(forecast, BAR)
    bar_auc = auc_draws(forecast.y, forecast.ranked(BAR), index, taken)
    found = {}
    for algo, p in forecast.p.items():
        here = place.of(algo=algo)
        losses, errors = _losses(forecast, algo)
        gains = of_bar[0] - losses
        ranked = forecast.ranked(algo)
        own_auc = auc_draws(forecast.y, ranked, index, taken)
        table = reliability(p, forecast.y)
        one = Score(
            place=here,
            auc=interval(*own_auc),
            auc_over_bar=interval(own_auc[0] - bar_auc[0], own_auc[1] - bar_auc[1]),
            gain=mean_interval(gains, index, taken),
            weak_gain=mean_interval(gains, index, taken, WEAK_LEVEL),
            p_perm=permuted_auc_chance(forecast.y, beyond_bar(p, bar) if over_bar else ranked, shuffled),
            session_scores=session_means(gains, index, n),
            days=forecast.days,
            table=table,
            n=len(forecast),
            events=int(forecast.y.sum()),
        )
        found[algo] = one
        size = (one.n, n)
        rows.add(section, here, "log_loss", mean_interval(losses, index, taken), size=size)
        rows.add(section, here, "brier", mean_interval(errors, index, taken), size=size)
        rows.add(section, here, "bss", skill_interval(errors, of_bar[1], index, taken), size=size)
        rows.add(section, here, "auc", one.auc, size=size, p_perm=one.p_perm,
                 note="p: of what is said beyond the bar" if over_bar else "")  # fmt: skip
        rows.add(section, here, "ece", table.ece if table else float("nan"), size=size)
        rows.add(section, here, "resolution", scores.resolution(table), size=size)
        if algo != BAR:
            gain_section = "gain" if section == "score" else section
            rows.add(gain_section, here, "log_loss_gain", one.gain, size=size)
            rows.add(gain_section, here, "log_loss_gain_90", one.weak_gain, size=size)
            rows.add(gain_section, here, "auc_over_bar", one.auc_over_bar, size=size)
    return found


def add_reliability(one: Score, rows: Rows) -> None:
    """Rows of the bins of one model: what was stated, and what happened."""
    if one.table is None:
        return
    for k, (n, stated, happened) in enumerate(zip(one.table.count, one.table.p_mean, one.table.share, strict=True)):
        size = (int(n), len(one.days))
        rows.add("reliability", one.place, f"stated_{k + 1:02d}", float(stated), size=size)
        rows.add("reliability", one.place, f"happened_{k + 1:02d}", float(happened), size=size)


def gain_difference(real: Forecast, placebo: Forecast, algo: str, draws: int, *, seed: int = 0) -> Interval:
    """Log-loss gain of a model at real levels less that at placebos, over the sessions of both, drawn together."""
    if not len(real) or not len(placebo):
        return interval(float("nan"), np.empty(0))
    known = np.union1d(real.days, placebo.days)
    if min(len(real.days), len(placebo.days)) < LEAST_SESSIONS:
        return interval(float("nan"), np.empty(0))
    taken = session_draws(len(known), draws, seed=seed).astype(np.float64)
    told = []
    for one in (real, placebo):
        gains = _losses(one, BAR)[0] - _losses(one, algo)[0]
        index = np.searchsorted(known, one.session)
        sums, count = (np.bincount(index, weights=w, minlength=len(known)) for w in (gains, np.ones(len(gains))))
        with np.errstate(divide="ignore", invalid="ignore"):
            told.append((gains.mean(), (taken @ sums) / (taken @ count)))
    return interval(float(told[0][0] - told[1][0]), told[0][1] - told[1][1])


def _losses(forecast: Forecast, algo: str) -> tuple[np.ndarray, np.ndarray]:
    p = forecast.p[algo]
    return scores.log_losses(forecast.y, p), scores.squared_errors(forecast.y, p)
