"""The evaluation of one lake: panels in, rows of the report and trials for the ledger out.

    samples by panel --walk-forward--> forecasts of every model --scores--> rows, trials
                    \\--> states, registered tests, real levels against placebos
    ledger with these trials --> luck --> verdicts

Nothing here fits or reads: models come as a `Fitter`, samples as arrays, and the ledger is entered by the caller
between `evaluate` and `verdict_rows`, so that no score is shown that is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from spymaster.research import hypotheses, scores
from spymaster.research.day_blocks import Interval, mean_interval, session_draws, session_index
from spymaster.research.ledger import Luck, Trial
from spymaster.research.nulls import shuffled_labels, strata
from spymaster.research.samples import CHOP, HEADS, REJECT, Samples
from spymaster.research.trial_rows import Place, Rows
from spymaster.research.verdicts import Evidence, verdict
from spymaster.research.walk_forward import Fold
from spymaster.research.walk_scores import BAR, Forecast, Score, add_reliability, gain_difference, score_forecast
from spymaster.tables.setup_outcome import OUTCOMES

BASELINES: Final = ("b0", "b1", "b2", "b3", BAR)
IDEAS: Final = ("logit", "gbm", "knn", "stack")
"""Models, as their tables name them: what is to be beaten, and what may beat it."""

Probabilities = Callable[[Samples], np.ndarray]
Fitter = Callable[[str, str, Samples], Probabilities | None]
"""(head, algo, training) -> probabilities of the head's label for other samples; None if it cannot learn from so few."""


@dataclass(frozen=True)
class Numbers:
    """How much of everything: draws of sessions, shuffles of labels, and from which z a condition holds."""

    draws: int = 2_000
    permutations: int = 999
    theta: float = 0.5


@dataclass
class Evaluation:
    """What was found. `scored` are walk-forward and hold-out scores of ideas at real levels, by place."""

    rows: Rows = field(default_factory=Rows)
    trials: list[Trial] = field(default_factory=list)
    outer: dict[Place, Score] = field(default_factory=dict)
    holdout: dict[Place, Score] = field(default_factory=dict)
    placebo_gain: dict[Place, Interval] = field(default_factory=dict)


def evaluate(
    panels: Mapping[Place, Samples], folds: Callable[[Samples], Sequence[Fold]], fit: Fitter, numbers: Numbers, *,
    algos: Sequence[str] = (*BASELINES, *IDEAS), parameters: Mapping[str, Any] | None = None,
    holdout: Callable[[Samples], Sequence[Fold]] | None = None,
) -> Evaluation:  # fmt: skip
    """Everything but the verdicts. panels: samples, placebos among them, by kind, horizon and lead.

    folds, holdout: how their sessions are cut, see `walk_forward`; without `holdout` it stays shut. parameters: what
    else a trial's configuration is, for the ledger.
    """
    found = Evaluation()
    for place, samples in panels.items():
        _describe(found.rows, place, samples, numbers)
        told: dict[str, dict[str, Forecast]] = {}
        for subset in ("real", "placebo"):
            own = samples.select(samples.is_placebo == (subset == "placebo"))
            if not len(own):
                continue
            told[subset] = forecasts(own, folds(own), fit, algos)
            for head, forecast in told[subset].items():
                here = place.of(head=head, subset=subset)
                scored = score_forecast(
                    forecast, here, draws=numbers.draws, permutations=numbers.permutations, rows=found.rows
                )
                _enter(found, scored, "outer", parameters or {})
                if subset == "real":
                    found.outer |= {one.place: one for one in scored.values()}
                    for algo in scored.keys() & {BAR, *IDEAS}:
                        add_reliability(scored[algo], found.rows)
            if subset == "real" and holdout is not None:
                for head, forecast in forecasts(own, holdout(own), fit, algos).items():
                    scored = score_forecast(
                        forecast, place.of(head=head), draws=numbers.draws, permutations=numbers.permutations,
                        rows=found.rows, section="holdout",
                    )  # fmt: skip
                    _enter(found, scored, "holdout", parameters or {})
                    found.holdout |= {one.place: one for one in scored.values()}
        _against_placebos(found, place, told, numbers)
    return found


def forecasts(
    samples: Samples, folds: Iterable[Fold], fit: Fitter, algos: Sequence[str]
) -> dict[str, Forecast]:
    """Forecasts of the tested samples by head; folds in which a model cannot be fitted are left out for all models.

    Models that no fold could fit are left out themselves, so that they do not silence the others; never the bar.
    """
    steps = list(folds)
    result = {}
    for head in HEADS:
        fitted: list[tuple[Samples, dict[str, np.ndarray]]] = []
        for fold in steps:
            train, test = samples.select(fold.train), samples.select(fold.test)
            test = test.select(test.scored(head))
            if len(test):
                made = {algo: model for algo in algos if (model := fit(head, algo, train)) is not None}
                fitted.append((test, {algo: np.asarray(model(test)) for algo, model in made.items()}))
        usable = [algo for algo in algos if any(algo in p for _, p in fitted)]
        whole = [(test, p) for test, p in fitted if all(algo in p for algo in usable)]
        if not whole or BAR not in usable:
            continue
        result[head] = Forecast(
            y=np.concatenate([test.label(head) for test, _ in whole]),
            session=np.concatenate([test.session for test, _ in whole]),
            direction=np.concatenate([test.direction for test, _ in whole]),
            p={algo: np.concatenate([p[algo] for _, p in whole]) for algo in usable},
        )
    return result


def _describe(rows: Rows, place: Place, samples: Samples, numbers: Numbers) -> None:
    """What there is, whatever can be foretold: sizes, base rates, states, registered tests, real against placebo."""
    for subset in ("real", "placebo"):
        own = samples.select(samples.is_placebo == (subset == "placebo"))
        if not len(own):
            continue
        here = place.of(subset=subset)
        index, n = session_index(own.session)
        draws = session_draws(n, numbers.draws)
        size = {"n": len(own), "sessions": n}
        for code, name in enumerate(OUTCOMES):
            share = mean_interval((own.outcome == code).astype(np.float64), index, draws)
            rows.add("sample", here, f"share_{name}", share, **size)
        ones = int((own.outcome == REJECT).sum())
        other = int(own.resolved.sum()) - ones
        rows.add("sample", here.of(head="side"), "detectable_auc", scores.detectable_auc(ones, other), **size)
        _states(rows, here, own, index, draws, numbers)
        _hypotheses(rows, here, own, index, draws, numbers)
    index, n = session_index(samples.session)
    difference, sets = hypotheses.matched_difference(
        samples.outcome == REJECT, samples.is_placebo, samples.match_set_id, index, session_draws(n, numbers.draws)
    )
    if sets:
        rows.add("levels", place.of(subset="real-placebo"), "share_reject", difference, n=sets, sessions=n)


def _states(
    rows: Rows, place: Place, own: Samples, index: np.ndarray, draws: np.ndarray, numbers: Numbers
) -> None:
    state = hypotheses.state_codes(own.matrix(hypotheses.CONDITIONS), numbers.theta)
    for row in hypotheses.state_table(state, own.outcome, len(OUTCOMES), index, draws):
        for name, share in zip(OUTCOMES, row.shares, strict=True):
            metric = f"{hypotheses.state_label(row.code)}_share_{name}"
            rows.add("states", place, metric, share, n=row.n, sessions=row.sessions)


def _hypotheses(
    rows: Rows, place: Place, own: Samples, index: np.ndarray, draws: np.ndarray, numbers: Numbers
) -> None:
    size = {"n": len(own), "sessions": draws.shape[1]}
    rejected = own.outcome == REJECT
    names = (*hypotheses.CONDITIONS, "soft_and")
    full = hypotheses.coefficients(own.matrix(names), names, rejected, index, draws)
    if full is not None:
        rows.add("hypothesis", place, "h1_soft_and", full.intervals[-1], **size, p_perm=full.not_above[-1],
                 note="log odds of reject, per deviation, beyond the four conditions")  # fmt: skip
    chop = own.outcome == CHOP
    state = hypotheses.state_codes(own.matrix(hypotheses.CONDITIONS), numbers.theta)
    shuffled = shuffled_labels(chop, strata(own.session, own.direction), numbers.permutations)
    rows.add("hypothesis", place, "h2_chop_by_state", hypotheses.spread_of_shares(state, chop), **size,
             p_perm=hypotheses.spread_chance(state, chop, shuffled),
             note="chi-square of the share of chop over the states")  # fmt: skip
    plain = hypotheses.coefficients(
        own.matrix(hypotheses.CONDITIONS), hypotheses.CONDITIONS, rejected, index, draws
    )  # fmt: skip
    if plain is not None:
        for name, found in zip(plain.names, plain.intervals, strict=True):
            rows.add("hypothesis", place, f"h3_{name}", found, **size, note="log odds of reject, per deviation")


def _against_placebos(
    found: Evaluation, place: Place, told: Mapping[str, Mapping[str, Forecast]], numbers: Numbers
) -> None:
    """Does the state of the book foretell more at real levels?"""
    for head in told.get("real", {}).keys() & told.get("placebo", {}).keys():
        real, placebo = told["real"][head], told["placebo"][head]
        for algo in [one for one in IDEAS if one in real.p and one in placebo.p]:
            difference = gain_difference(real, placebo, algo, numbers.draws)
            here = place.of(head=head, algo=algo)
            found.placebo_gain[here] = difference
            days = len(np.union1d(real.days, placebo.days))
            found.rows.add("gain", here.of(subset="real-placebo"), "log_loss_gain", difference,
                           n=len(real) + len(placebo), sessions=days)  # fmt: skip


def _enter(found: Evaluation, scored: Mapping[str, Score], stage: str, parameters: Mapping[str, Any]) -> None:
    for algo, one in scored.items():
        found.trials.append(
            Trial(
                place=vars(one.place),
                parameters=dict(parameters),
                stage=stage,
                baseline=algo in BASELINES,
                value=one.auc.value,
                error=one.auc.error,
                days=one.days,
                session_scores=one.session_scores,
            )
        )


def verdict_rows(found: Evaluation, panels: Iterable[Place], luck: Luck, provenance: str) -> None:
    """Add the verdicts on every idea at real levels, and what the trials come to; the trials are in the ledger by now.

    A panel in which nothing could be tried has one verdict, `insufficient`.
    """
    for place in panels:
        ideas = [one for here, one in found.outer.items() if _same_panel(here, place) and here.algo in IDEAS]
        sessions = max((len(one.days) for one in ideas), default=0)
        found.rows.add("trials", place, "effective_trials", float(luck.trials), n=0, sessions=sessions,
                       n_trials=luck.trials)  # fmt: skip
        if not ideas:
            word, note = verdict(None, provenance)
            found.rows.add("verdict", place, "verdict", float("nan"), n=0, sessions=0, verdict=word, note=note)
        for one in ideas:
            _verdict_row(found, one, luck, provenance)


def _verdict_row(found: Evaluation, one: Score, luck: Luck, provenance: str) -> None:
    held = found.holdout.get(one.place)
    against = found.placebo_gain.get(one.place)
    beyond = one.auc_over_bar if one.place.head == "resolve" else one.auc
    z = (beyond.value - (0.0 if one.place.head == "resolve" else 0.5)) / beyond.error if beyond.error > 0 else np.nan
    chance = luck.chance(z)
    word, note = verdict(
        Evidence(
            sessions=len(one.days),
            auc=one.auc.value,
            auc_over_bar=one.auc_over_bar.value,
            head=one.place.head,
            gain_low=one.gain.low,
            weak_gain_low=one.weak_gain.low,
            holdout_gain_low=held.gain.low if held else float("nan"),
            p_perm=one.p_perm,
            p_deflated=chance,
            placebo_gain_known=against is not None and bool(np.isfinite(against.low)),
        ),
        provenance,
    )
    smallest = scores.detectable_auc(one.events, one.n - one.events, error=one.auc.error)
    size = {"n": one.n, "sessions": len(one.days)}
    found.rows.add("verdict", one.place, "log_loss_gain", one.gain, **size, p_perm=one.p_perm, p_deflated=chance,
                   n_trials=luck.trials, verdict=word, note=note)  # fmt: skip
    found.rows.add("trials", one.place, "detectable_auc", smallest, **size, n_trials=luck.trials)


def _same_panel(here: Place, panel: Place) -> bool:
    return (here.kind, here.horizon_s, here.lead_s) == (panel.kind, panel.horizon_s, panel.lead_s)
