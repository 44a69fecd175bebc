"""From evidence to a verdict: what is asked for, one by one; and what trials take off."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from spymaster.research.errors import LedgerError
from spymaster.research.ledger import EPOCH, Origin, Trial, extended, luck, require_longer, seen_sessions
from spymaster.research.verdicts import Evidence, verdict
from spymaster.tables.trials_ledger import TrialsLedger

GOOD = Evidence(
    sessions=60, beyond_chance=0.07, shifted_low=float("nan"), placebo_beyond_chance=0.01, gain_low=0.002,
    weak_gain_low=0.003, holdout_gain_low=0.001,
    p_perm=0.005, p_deflated=0.02, placebo_gain_known=True,
)  # fmt: skip


def test_everything_asked_for_makes_it_supported_and_on_real_data_only():
    assert verdict(GOOD, "real") == ("supported", "")
    assert verdict(GOOD, "simulated") == ("simulated:supported", "lacks real data")


@pytest.mark.parametrize(
    ("changes", "lacks"),
    [
        ({"gain_low": -0.001}, "gain by walk-forward"),
        ({"holdout_gain_low": float("nan")}, "gain on the hold-out"),
        ({"p_perm": 0.02}, "chance under shuffled labels"),
        ({"p_deflated": 0.06}, "chance after all trials"),
        ({"placebo_gain_known": False}, "comparison with placebos"),
        ({"sessions": 39}, "40 sessions"),
    ],
)
def test_anything_missing_makes_it_weak_and_is_named(changes: dict, lacks: str):
    assert verdict(replace(GOOD, **changes), "real") == ("weak", f"lacks {lacks}")


def test_without_a_gain_or_with_chance_it_is_none():
    assert verdict(replace(GOOD, gain_low=-0.1, weak_gain_low=-0.05), "real")[0] == "none"
    assert verdict(replace(GOOD, p_perm=0.06), "real")[0] == "none"
    assert verdict(replace(GOOD, p_perm=0.06), "simulated")[0] == "simulated:none"


def test_too_good_is_a_leak_until_shown_otherwise():
    tall = replace(GOOD, beyond_chance=0.13)
    assert verdict(tall, "real")[0] == "leak_suspected"
    assert verdict(replace(tall, shifted_low=-0.05), "real")[0] == "supported"
    assert verdict(replace(tall, shifted_low=0.01), "real")[0] == "leak_suspected"
    assert verdict(replace(tall, shifted_low=-0.05, placebo_beyond_chance=0.13), "real")[0] == "leak_suspected"
    assert verdict(replace(tall, shifted_low=-0.05, placebo_beyond_chance=float("nan")), "real")[0] == "leak_suspected"
    assert verdict(None, "simulated")[0] == "simulated:insufficient"


ORIGIN = Origin("code", "data", 1_704_290_000_000_000_000, "simulated")


def trial(algo: str, scores: np.ndarray, *, z: float = 1.0, stage: str = "outer", baseline: bool = False) -> Trial:
    place = {"kind": "touch", "horizon_s": 120, "lead_s": 0, "head": "side", "algo": algo, "subset": "real"}
    return Trial(
        place=place if stage != "holdout_opened" else {}, parameters={"algo": algo}, stage=stage, baseline=baseline,
        value=0.5 + 0.02 * z, error=0.02, days=19_000 + np.arange(len(scores)),
        session_scores=scores if stage != "holdout_opened" else np.empty(0),
    )  # fmt: skip


def test_luck_counts_ideas_that_differ_and_no_baselines():
    rng = np.random.default_rng(1)
    base = rng.normal(size=40)
    trials = [
        trial("bar", rng.normal(size=40), z=9.0, baseline=True), trial("logit", base, z=1.0),
        trial("stack", base + 0.1 * rng.normal(size=40), z=1.5), trial("gbm", rng.normal(size=40), z=-1.0),
    ]  # fmt: skip
    ledger = TrialsLedger.validate(extended(TrialsLedger.empty(), trials, ORIGIN))
    found = luck(ledger)
    assert found.trials == 2
    assert found.variance == pytest.approx(np.var([1.0, 1.5, -1.0], ddof=1))
    assert luck(TrialsLedger.empty()).trials == 1
    # the same trials on other data are the same ideas: their scores go together
    again = extended(ledger, trials, replace(ORIGIN, data_hash="more"))
    assert again.height == 8
    assert luck(again).trials == 2


def test_of_a_configuration_the_last_row_counts(monkeypatch: pytest.MonkeyPatch):
    """Evaluated again on every date, it is one row of the clusters, which take time with the cube of the rows."""
    rng = np.random.default_rng(3)
    ledger, sizes = TrialsLedger.empty(), []
    monkeypatch.setattr(
        "spymaster.research.ledger.effective_trials", lambda scores: sizes.append(scores.shape) or len(scores)
    )
    for more in range(6):
        tried = [trial(algo, rng.normal(size=40 + more), z=z + more) for algo, z in (("logit", 1.0), ("gbm", 2.0))]
        ledger = extended(ledger, tried, replace(ORIGIN, data_hash=f"{more} dates more"))
        assert luck(ledger).trials == 2
    assert sizes[-1] == (2, 45)
    assert luck(ledger).variance == pytest.approx(0.5)
    # other code is another trial
    assert luck(extended(ledger, [trial("gbm", rng.normal(size=40))], replace(ORIGIN, code_hash="other"))).trials == 3


def test_the_more_was_tried_the_less_a_score_is_worth():
    rng = np.random.default_rng(2)
    one = extended(TrialsLedger.empty(), [trial("logit", rng.normal(size=40), z=2.5)], ORIGIN)
    many = extended(one, [trial(f"t{k}", rng.normal(size=40), z=rng.normal()) for k in range(30)], ORIGIN)
    assert luck(one).chance(2.5) < 0.01
    assert luck(many).trials == 31
    assert luck(many).chance(2.5) > 0.1


def test_a_ledger_that_lost_or_changed_an_entry_is_refused():
    ledger = extended(TrialsLedger.empty(), [trial("a", np.zeros(5)), trial("b", np.zeros(5))], ORIGIN)
    assert require_longer(ledger.head(1), ledger).equals(ledger)
    for spoilt in (ledger.head(1), ledger.with_columns(value=pl.lit(0.9)), TrialsLedger.empty()):
        with pytest.raises(LedgerError, match="lose or change"):
            require_longer(ledger, spoilt)


def test_seen_are_sessions_that_were_opened_and_all_up_to_the_last_that_was_scored():
    days = 19_000 + np.arange(-3, 8)
    dates = [EPOCH + timedelta(days=int(day)) for day in days]
    opening = trial("", np.zeros(3), stage="holdout_opened")
    ledger = TrialsLedger.validate(extended(TrialsLedger.empty(), [opening], ORIGIN))
    assert seen_sessions(ledger, days) == dates[3:6]
    assert seen_sessions(ledger, days[6:]) == []
    scored = [trial("bar", np.zeros(2), baseline=True), trial("logit", np.zeros(5)), trial("gbm", np.zeros(0))]
    assert seen_sessions(extended(ledger, scored, ORIGIN), days) == dates[:8]
    assert seen_sessions(TrialsLedger.empty(), days) == []


def test_a_trial_that_is_known_has_one_score():
    first = trial("logit", np.zeros(40))
    ledger = extended(TrialsLedger.empty(), [first], ORIGIN)
    assert extended(ledger, [first, first], ORIGIN).equals(ledger)
    unknown = replace(first, value=float("nan"))
    for other in (replace(first, value=first.value + 1e-9), replace(first, days=first.days + 1), unknown):
        with pytest.raises(LedgerError, match=f"{first.id(ORIGIN)} .*logit.* is entered with 0.52"):
            extended(ledger, [other], ORIGIN)
    told_nothing = extended(TrialsLedger.empty(), [unknown], ORIGIN)
    assert extended(told_nothing, [unknown], ORIGIN).equals(told_nothing)
