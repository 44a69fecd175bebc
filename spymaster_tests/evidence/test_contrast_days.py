"""p by dates: exact signs, its level where the sets of a date lean one way together, and what it still finds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import binom

from spymaster.evidence.contrast import PRIMARY, SECONDARY, Answer, MatchedSet, Question, Touches, answer
from spymaster.evidence.contrast_days import ALL_SIGNS_DATES, sign_p
from spymaster.evidence.streams import Streams

INTERACTION = next(one for one in SECONDARY if one.case_def == "reject_minus_break")
DATES, SETS, CONTROLS, STUDIES = 10, 6, 5, 120
STREAMS = Streams(1, "contrast/test")


def brute(parts: np.ndarray) -> float:
    sums = [abs(np.dot(signs, parts)) for signs in itertools.product((1, -1), repeat=len(parts))]
    return float(np.mean(np.array(sums) >= abs(parts.sum()) - 1e-9))


def test_all_signs_are_tried_and_with_many_dates_some() -> None:
    rng = np.random.default_rng(2)
    for dates in (1, 2, 7):
        parts = rng.normal(0.3, 1, dates)
        assert sign_p(parts, STREAMS) == brute(parts)
    assert sign_p(np.ones(ALL_SIGNS_DATES), STREAMS) == 2 / 2**ALL_SIGNS_DATES
    many = rng.normal(0.4, 1, ALL_SIGNS_DATES + 2)
    assert sign_p(many, STREAMS) == pytest.approx(brute(many), abs=0.02)
    assert sign_p(many, STREAMS) == sign_p(many, STREAMS)


def test_dates_without_a_difference_count_for_neither_side() -> None:
    assert sign_p(np.zeros(8), STREAMS) == 1
    assert sign_p(np.array([0.1] * 4 + [0.0] * 6), STREAMS) == 2 / 2**4
    assert sign_p(np.array([0.1, 0.2, -0.3]), STREAMS) == 1  # a sum of nothing but rounding


def study(question: Question, number: int, *, slope: float, more: float = 0.0) -> Answer:
    """Dates on which real touches have more than placebos (or those rejected, for the interaction), or have less.

    slope: standard deviation over dates of how much, in those of the noise, about `more`.
    """
    rng = np.random.default_rng([number, 60])
    touches = DATES * SETS * (1 + CONTROLS)
    day = np.arange(touches) // (SETS * (1 + CONTROLS))
    real = np.arange(touches) % (1 + CONTROLS) == 0
    rejected = np.ones(touches, np.bool_) if question == PRIMARY else rng.random(touches) < 0.5
    lean = more + slope * rng.normal(size=DATES)
    values = rng.normal(size=touches) + rng.normal(size=DATES)[day] + lean[day] * (real & rejected)
    sets = [
        MatchedSet(int(day[k]), int(k), tuple(range(int(k) + 1, int(k) + 1 + CONTROLS))) for k in np.flatnonzero(real)
    ]
    outcome = ["reject" if one else "break" for one in rejected.tolist()]
    return answer(question, Touches(outcome, np.ones(touches), sets), values, number)


@pytest.mark.parametrize(("question", "slope"), [(PRIMARY, 0.6), (INTERACTION, 1.0)], ids=["primary", "interaction"])
def test_p_keeps_its_level_where_sets_of_a_date_lean_one_way(question: Question, slope: float) -> None:
    """Over dates there is no difference. Swaps, which take sets for independent, find one far too often."""
    found = [study(question, number, slope=slope) for number in range(STUDIES)]
    assert np.mean([one.p_swap <= 0.05 for one in found]) > 0.1
    rejected = sum(one.p <= 0.05 for one in found)
    low, high = binom.ppf([0.025, 0.975], STUDIES, 0.05)
    assert low <= rejected <= high
    assert {one.n_days for one in found} == {DATES}


@pytest.mark.parametrize("slope", [0.0, 0.6])
def test_the_interval_of_ten_dates_leaves_out_what_is_true_in_one_study_of_twenty(slope: float) -> None:
    """Quantiles of draws at 2.5 and 97.5 % would in two or three."""
    found = [study(PRIMARY, number, slope=slope, more=0.5) for number in range(STUDIES)]
    missed = sum(not one.low <= 0.5 <= one.high for one in found)
    assert missed <= binom.ppf(0.975, STUDIES, 0.05)


def test_a_difference_of_all_dates_is_found_whatever_they_lean() -> None:
    found = [study(PRIMARY, number, slope=0.6, more=1.0) for number in range(20)]
    assert sum(one.verdict == "higher" for one in found) >= 16
    assert all(one.p == max(one.p_swap, one.p_days) for one in found)


def test_what_real_touches_and_rejections_have_for_themselves_is_no_interaction() -> None:
    """Parts of dates add up to the difference, and are nothing where kinds of touches only add up."""
    rng = np.random.default_rng(8)
    sets = [MatchedSet(k // 5, 4 * k, (4 * k + 1, 4 * k + 2, 4 * k + 3)) for k in range(60)]
    outcome = ["reject" if one else "break" for one in rng.random(240) < np.linspace(0.2, 0.8, 240)]
    real = np.arange(240) % 4 == 0
    values = 0.3 + 0.2 * real + 0.1 * (np.array(outcome) == "reject")
    found = answer(INTERACTION, Touches(outcome, np.ones(240), sets), values, 1)
    assert found.delta == pytest.approx(0, abs=1e-12)
    noisy = values + 0.5 * rng.normal(size=240) * real[::-1]
    assert answer(INTERACTION, Touches(outcome, np.ones(240), sets), noisy, 1).p_days > 0.05
