"""The evaluation of one lake: panels in, rows of the report and trials for the ledger out.

    samples by panel --walk-forward--> forecasts of every model --scores--> rows, trials
                    \\--> states, registered tests, real levels against placebos
    ledger with these trials --> luck --> verdicts

Nothing here reads or writes: samples come as arrays, and the ledger is entered by the caller between `evaluate` and
`verdict_rows`, so that no score is shown that is not in it. The hold-out is the same sessions for all panels, and is
taken away before anything is looked at unless it is opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from spymaster.research import hypotheses, leak_gates, scores
from spymaster.research.day_blocks import Interval, mean_interval, ratio_interval, session_draws, session_index
from spymaster.research.ledger import Luck, Trial, ledger_metric
from spymaster.research.model_rules import ModelRules, configuration
from spymaster.research.models import ALGOS, BASELINES, MODELS
from spymaster.research.nulls import (
    agreement_chance,
    random_agreement,
    rank_agreement,
    rank_trend,
    shuffled_labels,
    strata,
)
from spymaster.research.retrieval import Rules
from spymaster.research.samples import CHOP, REJECT, Samples
from spymaster.research.trial_rows import Place, Rows
from spymaster.research.verdicts import Evidence, too_good, verdict
from spymaster.research.walk_forward import Fold, holdout_folds, holdout_sessions, outer_folds
from spymaster.research.walk_scores import (
    BAR,
    Forecast,
    Score,
    add_reliability,
    forecasts,
    gain_difference,
    score_forecast,
)
from spymaster.tables.setup_outcome import OUTCOMES

SUBSETS: Final = ("real", "placebo")


@dataclass(frozen=True)
class Numbers:
    """How much of everything: draws of sessions, shuffles of labels, and from which z a condition holds."""

    draws: int = 2_000
    permutations: int = 999
    placebo_draws: int = 200
    theta: float = 0.5


@dataclass(frozen=True)
class Asked:
    """What retrieval said of setups: their outcomes, those of their neighbours, their sessions and directions."""

    outcome: np.ndarray
    """int64[n], position in `OUTCOMES`."""
    neighbours: np.ndarray
    """int64[n, k], nearest first; -1 where there is none."""
    session: np.ndarray
    """int64[n]."""
    direction: np.ndarray
    """int8[n]."""

    def select(self, chosen: np.ndarray) -> Asked:
        """Those of a mask (bool[n])."""
        return Asked(self.outcome[chosen], self.neighbours[chosen], self.session[chosen], self.direction[chosen])


@dataclass
class Evaluation:
    """What was found. `outer` and `holdout` are scores at real levels, by place; `held` the hold-out's days."""

    rows: Rows = field(default_factory=Rows)
    trials: list[Trial] = field(default_factory=list)
    outer: dict[Place, Score] = field(default_factory=dict)
    holdout: dict[Place, Score] = field(default_factory=dict)
    placebo: dict[Place, Score] = field(default_factory=dict)
    """Scores by walk-forward at placebos, by the place of the real levels."""
    shifted: dict[Place, Score] = field(default_factory=dict)
    """Scores where labels are of another session, of what is too good to be true."""
    placebo_gain: dict[Place, Interval] = field(default_factory=dict)
    held: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))


def evaluate(
    panels: Mapping[Place, Samples], rules: ModelRules, retrieval: Rules, numbers: Numbers, *, held: np.ndarray,
    asked: Mapping[Place, Asked] | None = None, algos: Sequence[str] = ALGOS, open_holdout: bool = False,
    common: Mapping[str, Any] | None = None,
) -> Evaluation:  # fmt: skip
    """Everything but the verdicts. panels: samples, placebos among them, by kind, horizon and lead.

    held: int64[h], sessions of the hold-out (`held_out`); nothing of them is in what is found unless `open_holdout`, by
    which they are scored, too. asked: what retrieval said of setups of a panel, where it was asked.
    common: what the configurations of all trials name besides panel, head, algorithm and rules.
    """
    found = Evaluation(held=held)
    shared = {**(common or {}), "algos": list(algos), "draws": numbers.draws}
    for place, samples in (panels if open_holdout else outside(panels, held)).items():
        _describe(found.rows, place, samples, numbers)
        share = float(np.isin(samples.sessions, held).mean())
        plan = replace(rules.plan, holdout_share=share)
        steps = {"outer": outer_folds(samples, plan), "holdout": holdout_folds(samples, plan) if open_holdout else []}
        told: dict[str, dict[str, Forecast]] = {}
        for subset in SUBSETS:
            chosen = samples.is_placebo == (subset == "placebo")
            for stage in ("outer", "holdout") if subset == "real" else ("outer",):
                seen = forecasts(samples, _only(steps[stage], chosen), rules, algos)
                if stage == "outer":
                    told[subset] = seen
                for head, forecast in seen.items():
                    _score(found, forecast, place.of(head=head, subset=subset), stage, samples.family, rules, numbers,
                           shared)  # fmt: skip
        _against_placebos(found, place, told, numbers)
        own = samples.select(~samples.is_placebo & ~np.isin(samples.session, held))
        _leak_gates(found, place, own, rules, retrieval, numbers)
    for place, one in (asked or {}).items():
        shown = one if open_holdout else one.select(~np.isin(one.session, held))
        if len(shown.session):
            _neighbours(found.rows, place, shown, numbers)
    return found


def held_out(panels: Mapping[Place, Samples], share: float) -> np.ndarray:
    """int64[h], the last `share` of the sessions that any panel has: the hold-out of all of them."""
    every = [samples.sessions for samples in panels.values()]
    return holdout_sessions(np.unique(np.concatenate(every)) if every else np.empty(0, dtype=np.int64), share)


def outside(panels: Mapping[Place, Samples], held: np.ndarray) -> dict[Place, Samples]:
    """Panels without the sessions of the hold-out; one that has no others is left out."""
    kept = {place: samples.select(~np.isin(samples.session, held)) for place, samples in panels.items()}
    return {place: samples for place, samples in kept.items() if len(samples)}


def _only(folds: Sequence[Fold], chosen: np.ndarray) -> list[Fold]:
    """Folds of the chosen samples (bool[n]); those with nothing to learn from, or to try, are left out."""
    cut = [replace(one, train=one.train[chosen[one.train]], test=one.test[chosen[one.test]]) for one in folds]
    return [one for one in cut if len(one.train) and len(one.test)]


def _score(
    found: Evaluation, forecast: Forecast, place: Place, stage: str, family: str, rules: ModelRules, numbers: Numbers,
    shared: Mapping[str, Any],
) -> None:  # fmt: skip
    scored = score_forecast(
        forecast, place, draws=numbers.draws, permutations=numbers.permutations, rows=found.rows,
        section="score" if stage == "outer" else "holdout",
    )  # fmt: skip
    panel: dict[str, Any] = {name: getattr(place, name) for name in ("kind", "horizon_s", "lead_s", "head")} | {
        "family": family
    }
    for algo, one in scored.items():
        found.trials.append(
            Trial(
                place=vars(one.place),
                parameters={**configuration(**panel, algo=algo, rules=rules), **shared},
                stage=stage,
                baseline=algo in BASELINES,
                metric=ledger_metric(place.head),
                value=one.told.value,
                error=one.told.error,
                days=one.days,
                session_scores=one.session_scores,
            )
        )
    if place.subset != "real":
        found.placebo |= {one.place.of(subset="real"): one for one in scored.values()}
        return
    held = found.outer if stage == "outer" else found.holdout
    held |= {one.place: one for one in scored.values()}
    if stage == "outer":
        for algo in scored.keys() & {BAR, *MODELS}:
            add_reliability(scored[algo], found.rows)


def _describe(rows: Rows, place: Place, samples: Samples, numbers: Numbers) -> None:
    """What there is, whatever can be foretold: sizes, base rates, states, registered tests, real against placebo."""
    for subset in ("real", "placebo"):
        own = samples.select(samples.is_placebo == (subset == "placebo"))
        if not len(own):
            continue
        here = place.of(subset=subset)
        index, n = session_index(own.session)
        draws = session_draws(n, numbers.draws)
        size = (len(own), n)
        for code, name in enumerate(OUTCOMES):
            share = mean_interval((own.outcome == code).astype(np.float64), index, draws)
            rows.add("sample", here, f"share_{name}", share, size=size)
        ones = int((own.outcome == REJECT).sum())
        other = int(own.resolved.sum()) - ones
        rows.add("sample", here.of(head="side"), "detectable_auc", scores.detectable_auc(ones, other), size=size)
        _states(rows, here, own, index, draws, numbers)
        _hypotheses(rows, here, own, index, draws, numbers)
    index, n = session_index(samples.session)
    difference, sets = hypotheses.matched_difference(
        samples.outcome == REJECT, samples.is_placebo, samples.match_set_id, index, session_draws(n, numbers.draws)
    )
    if sets:
        rows.add("levels", place.of(subset="real-placebo"), "share_reject", difference, size=(sets, n))


def _states(rows: Rows, place: Place, own: Samples, index: np.ndarray, draws: np.ndarray, numbers: Numbers) -> None:
    state = hypotheses.state_codes(own.matrix(hypotheses.CONDITIONS), numbers.theta)
    for row in hypotheses.state_table(state, own.outcome, len(OUTCOMES), index, draws):
        for name, share in zip(OUTCOMES, row.shares, strict=True):
            metric = f"{hypotheses.state_label(row.code)}_share_{name}"
            rows.add("states", place, metric, share, size=(row.n, row.sessions))


def _hypotheses(rows: Rows, place: Place, own: Samples, index: np.ndarray, draws: np.ndarray, numbers: Numbers) -> None:
    size = (len(own), draws.shape[1])
    rejected = own.outcome == REJECT
    names = (*hypotheses.CONDITIONS, "soft_and")
    full = hypotheses.coefficients(own.matrix(names), names, rejected, index, draws)
    if full is not None:
        rows.add("hypothesis", place, "h1_soft_and", full.intervals[-1], size=size, p_perm=full.not_above[-1],
                 note="log odds of reject, per deviation, beyond the four conditions")  # fmt: skip
    chop = own.outcome == CHOP
    state = hypotheses.state_codes(own.matrix(hypotheses.CONDITIONS), numbers.theta)
    shuffled = shuffled_labels(chop, strata(own.session, own.direction), numbers.permutations)
    rows.add("hypothesis", place, "h2_chop_by_state", hypotheses.spread_of_shares(state, chop), size=size,
             p_perm=hypotheses.spread_chance(state, chop, shuffled),
             note="chi-square of the share of chop over the states")  # fmt: skip
    plain = hypotheses.coefficients(
        own.matrix(hypotheses.CONDITIONS), hypotheses.CONDITIONS, rejected, index, draws
    )  # fmt: skip
    if plain is not None:
        for name, found in zip(plain.names, plain.intervals, strict=True):
            rows.add("hypothesis", place, f"h3_{name}", found, size=size, note="log odds of reject, per deviation")


def _against_placebos(
    found: Evaluation, place: Place, told: Mapping[str, Mapping[str, Forecast]], numbers: Numbers
) -> None:
    """Does the state of the book foretell more at real levels?"""
    for head in told.get("real", {}).keys() & told.get("placebo", {}).keys():
        real, placebo = told["real"][head], told["placebo"][head]
        for algo in [one for one in MODELS if one in real.p and one in placebo.p]:
            difference = gain_difference(real, placebo, algo, numbers.draws)
            here = place.of(head=head, algo=algo)
            found.placebo_gain[here] = difference
            days = len(np.union1d(real.days, placebo.days))
            found.rows.add("gain", here.of(subset="real-placebo"), "log_loss_gain", difference,
                           size=(len(real) + len(placebo), days))  # fmt: skip


def _leak_gates(
    found: Evaluation, place: Place, own: Samples, rules: ModelRules, retrieval: Rules, numbers: Numbers
) -> None:  # fmt: skip
    """Ask what is too good to be true on labels of another session."""
    suspected: dict[str, list[str]] = {}
    for here, one in found.outer.items():
        if _same_panel(here, place) and here.algo in MODELS and too_good(one.beyond_chance.value):
            suspected.setdefault(here.head, []).append(here.algo)
    if not suspected:
        return
    scored = leak_gates.shifted_scores(own, place, suspected, rules, retrieval, draws=numbers.draws)
    found.shifted |= scored
    for here, one in scored.items():
        size = (one.n, len(one.days))
        found.rows.add("leak", here, "shifted_auc", one.auc, size=size, note="labels of the session before")
        found.rows.add("leak", here, "shifted_auc_over_bar", one.auc_over_bar, size=size,
                       note="labels of the session before")  # fmt: skip


def _neighbours(rows: Rows, place: Place, asked: Asked, numbers: Numbers) -> None:
    """Do the nearest end like the setup that was asked about, more than the further ones, and than any would?"""
    agreement = rank_agreement(asked.outcome, asked.neighbours)
    index, n = session_index(asked.session)
    draws = session_draws(n, numbers.draws)
    here = place.of(algo="knn")
    size = (len(asked.outcome), n)
    for k in range(len(agreement)):
        there = asked.neighbours[:, k] >= 0
        alike = (asked.neighbours[there, k] == asked.outcome[there]).astype(np.float64)
        rows.add("neighbours", here, f"agreement_{k + 1:02d}", mean_interval(alike, index[there], draws), size=size)
    rows.add("neighbours", here, "trend_by_rank", rank_trend(agreement), size=size)
    there = asked.neighbours >= 0
    if there.any():
        alike, count = (asked.neighbours == asked.outcome[:, None]).sum(axis=1), there.sum(axis=1)
        seen = ratio_interval(alike.astype(np.float64), count.astype(np.float64), index, draws)
        p = agreement_chance(
            asked.outcome, asked.neighbours, strata(asked.session, asked.direction), numbers.permutations
        )  # fmt: skip
        rows.add("neighbours", here, "agreement", seen, size=size, p_perm=p,
                 note="p: outcomes of the setups shuffled within session and direction")  # fmt: skip
    drawn = random_agreement(asked.outcome, asked.session, asked.neighbours.shape[1], numbers.placebo_draws)
    known = np.isfinite(drawn)
    if known.any():
        spread = mean_interval(drawn[known], index[known], draws)
        rows.add("neighbours", here, "agreement_random", spread, size=(int(known.sum()), len(np.unique(index[known]))),
                 note="neighbours drawn at random")  # fmt: skip


def verdict_rows(found: Evaluation, panels: Iterable[Place], luck: Luck, provenance: str) -> None:
    """Add the verdicts on every idea at real levels, and what the trials come to; the trials are in the ledger by now.

    A panel in which nothing could be tried has one verdict, `insufficient`.
    """
    for place in panels:
        ideas = [one for here, one in found.outer.items() if _same_panel(here, place) and here.algo in MODELS]
        sessions = max((len(one.days) for one in ideas), default=0)
        found.rows.add("trials", place, "effective_trials", float(luck.trials), size=(0, sessions),
                       n_trials=luck.trials)  # fmt: skip
        if not ideas:
            word, note = verdict(None, provenance)
            found.rows.add("verdict", place, "verdict", float("nan"), size=(0, 0), verdict=word, note=note)
        for one in ideas:
            _verdict_row(found, one, luck, provenance)


def _verdict_row(found: Evaluation, one: Score, luck: Luck, provenance: str) -> None:
    held = found.holdout.get(one.place)
    against = found.placebo_gain.get(one.place)
    beyond = one.beyond_chance
    chance = luck.chance(beyond.value / beyond.error if beyond.error > 0 else np.nan)
    shifted, placebo = found.shifted.get(one.place), found.placebo.get(one.place)
    word, note = verdict(
        Evidence(
            sessions=len(one.days),
            beyond_chance=beyond.value,
            shifted_low=shifted.beyond_chance.low if shifted else float("nan"),
            placebo_beyond_chance=placebo.beyond_chance.value if placebo else float("nan"),
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
    size = (one.n, len(one.days))
    found.rows.add("verdict", one.place, "log_loss_gain", one.gain, size=size, p_perm=one.p_perm, p_deflated=chance,
                   n_trials=luck.trials, verdict=word, note=note)  # fmt: skip
    found.rows.add("trials", one.place, "detectable_auc", smallest, size=size, n_trials=luck.trials)


def _same_panel(here: Place, panel: Place) -> bool:
    return (here.kind, here.horizon_s, here.lead_s) == (panel.kind, panel.horizon_s, panel.lead_s)
