"""Scores that are too good: an honest find passes the gates, and a leak does not, wherever it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spymaster.research import leak_gates
from spymaster.research.evaluation import Evaluation, Numbers, evaluate, verdict_rows
from spymaster.research.leak_gates import labels_of_another_session
from spymaster.research.ledger import luck
from spymaster.research.model_rules import ModelRules
from spymaster.research.retrieval import Rules
from spymaster.research.samples import BREAK, REJECT, Samples, join
from spymaster.research.trial_rows import Place
from spymaster.settings import OutcomeModelSettings, RetrievalSettings
from spymaster.tables.trials_ledger import TrialsLedger
from spymaster_tests.research.made_samples import made_samples

RULES = ModelRules.of(OutcomeModelSettings(), "demo")
RETRIEVAL = Rules.of(RetrievalSettings(), "demo")
NUMBERS = Numbers(draws=200, permutations=99, placebo_draws=5)
PLACE = Place("touch", 120, 0)
NOBODY = np.empty(0, dtype=np.int64)


def panel(*, real: float, placebo: float | None, sessions: int = 24) -> Samples:
    """Samples whose outcomes lean on a feature at real levels, and at placebos."""
    parts = [made_samples(sessions=sessions, per_session=40, signal=real)]
    if placebo is not None:
        other = made_samples(sessions=sessions, per_session=40, signal=placebo, seed=1)
        names = np.array([f"{name}:placebo" for name in other.episode_id], dtype=object)
        parts.append(replace(other, is_placebo=np.ones(len(other), dtype=bool), episode_id=names, match_set_id=names))
    return join(parts)


def answers(samples: Samples, algo: str) -> tuple[Evaluation, dict[str, str]]:
    """What was found with one model, and for each head the verdict and its note."""
    found = evaluate({PLACE: samples}, RULES, RETRIEVAL, NUMBERS, held=NOBODY, algos=("bar", algo))
    verdict_rows(found, {PLACE: samples}, luck(TrialsLedger.empty()), "real")
    return found, {row["head"]: f"{row['verdict']}: {row['note']}" for row in found.rows.of("verdict")}


def test_an_honest_find_passes():
    found, said = answers(panel(real=6.0, placebo=0.0), "logit")
    side = PLACE.of(head="side", algo="logit")
    assert found.outer[side].auc.value > 0.65
    assert found.shifted[side].auc.low <= 0.5 <= found.shifted[side].auc.high
    assert said["side"].startswith("weak: lacks gain on the hold-out")
    rows = {row["metric"]: row for row in found.rows.of("leak") if row["head"] == "side"}
    assert rows.keys() == {"shifted_auc", "shifted_auc_over_bar"}
    assert rows["shifted_auc"]["value"] == found.shifted[side].auc.value
    assert rows["shifted_auc"]["n_sessions"] == len(found.shifted[side].days)


def test_what_is_not_too_good_is_not_asked():
    found, said = answers(panel(real=0.0, placebo=0.0), "logit")
    assert not found.shifted
    assert not list(found.rows.of("leak"))
    assert said["side"].startswith("none: ")


def test_what_is_known_at_any_price_is_suspected():
    _, said = answers(panel(real=6.0, placebo=6.0), "logit")
    assert said["side"] == "leak_suspected: too good to be true, and placebos are foretold as well"


def test_without_placebos_the_suspicion_stands():
    _, said = answers(panel(real=6.0, placebo=None), "logit")
    assert said["side"] == "leak_suspected: too good to be true, and unknown at placebos"


def test_neighbours_that_know_the_outcome_are_suspected(monkeypatch: pytest.MonkeyPatch):
    """A retrieval that finds the very setup it is asked about: it would know any label."""

    def knowing(samples: Samples, _: Rules) -> Samples:
        shares = np.full((len(samples), 3), 0.2)
        shares[np.arange(len(samples)), samples.outcome] = 0.6
        return replace(samples, knn=np.where(samples.is_placebo[:, None], 1.0 / 3.0, shares))

    monkeypatch.setattr(leak_gates, "with_neighbours", knowing)
    found, said = answers(knowing(panel(real=0.0, placebo=0.0), RETRIEVAL), "knn")
    assert found.shifted[PLACE.of(head="side", algo="knn")].auc.value == 1.0
    assert said["side"].endswith("with labels of another session something is left")


def test_labels_are_those_of_the_session_before():
    samples = made_samples(sessions=4, per_session=5)
    short = samples.select(np.flatnonzero((samples.session != samples.sessions[1]) | (np.arange(len(samples)) % 5 < 3)))
    moved = labels_of_another_session(short)
    counts = {int(day): int((moved.session == day).sum()) for day in moved.sessions}
    assert list(counts.values()) == [3, 3, 5]
    before = short.outcome[short.session == short.sessions[2]]
    assert moved.outcome[moved.session == short.sessions[3]].tolist() == before.tolist()
    assert labels_of_another_session(short, 3).outcome.tolist() == short.outcome[:5].tolist()


def test_the_gate_does_not_see_the_holdout():
    """Outcomes of held-out sessions are turned about: what the gate says stays."""
    samples = panel(real=6.0, placebo=0.0)
    held = samples.sessions[-4:]
    late = np.isin(samples.session, held)
    turned = replace(samples, outcome=np.where(late, BREAK + REJECT - samples.outcome, samples.outcome).astype(np.int8))
    told = [
        evaluate({PLACE: one}, RULES, RETRIEVAL, NUMBERS, held=held, algos=("bar", "logit"), open_holdout=True)
        for one in (samples, turned)
    ]
    rows = [str(list(one.rows.of("leak"))) for one in told]
    assert rows[0] == rows[1]
    assert "shifted_auc" in rows[0]
