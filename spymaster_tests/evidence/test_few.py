"""Groups with too little to count have no p, and those that are left keep theirs as exact as before."""

from __future__ import annotations

import numpy as np

from spymaster.evidence.few import LEAST_COUNTED, TOO_FEW, Fullest, if_enough
from spymaster.evidence.maxstat import Together, one_stage
from spymaster.evidence.result import TestResult

SURROGATES = 39


def result(p: float) -> TestResult:
    """Of a test with a p beside that of the test."""
    return TestResult(
        test_id="E6", sub_id="synthetic", stratum_json="{}", n_ref=9, n_tgt=9, statistic=2.0, stat_name="z", p_raw=p,
        p_floor=0.01, p_method="mc", n_surrogate=99, null_method="jitter", null_param={}, effect=0.1,
        effect_unit="share", effect_lo=0.0, effect_hi=0.2, peak_value=3.0, peak_unit="ms", peak_width=0.1,
        notes=("equal_sizes_by_chance",), facts={"p_jitter": 0.3, "variation": 0.4},
    )  # fmt: skip


def test_with_too_little_there_is_no_p() -> None:
    without = if_enough(result(0.02), LEAST_COUNTED - 1)
    assert (without.p_raw, without.p_floor, without.p_method, without.notes) == (None, None, "screened", (TOO_FEW,))
    assert without.facts == {"p_jitter": None, "variation": 0.4}
    assert (without.effect, without.peak_value) == (0.1, 3.0)
    assert if_enough(result(0.02), LEAST_COUNTED) == result(0.02)


def test_what_was_tested_before_stays_tested() -> None:
    assert if_enough(result(0.02), 0, is_small=True) == result(0.02)


def test_surrogates_are_looked_at_as_they_are_made() -> None:
    fullest = Fullest(2)
    one, many = fullest.of(lambda number: np.full(3, number)), fullest.of(lambda first, count: np.eye(count, 7))
    assert many(1, 4).shape == (4, 7)
    assert fullest.counted == 2
    assert many(1, 0).shape == (0, 7)
    assert one(3).tolist() == [3, 3, 3]
    assert fullest.counted == 9


def kept(seed: int, *, data_alone: bool) -> float | None:
    """p of data that are like their surrogates, some two counts each; None where there is too little."""
    rng = np.random.default_rng(seed)
    sets = rng.poisson(0.35, (SURROGATES + 1, 6))
    fullest = Fullest(int(sets[0].sum()))
    made = lambda first, count: sets[first : first + count]  # noqa: E731
    found, _ = one_stage(Together(sets[0], made if data_alone else fullest.of(made)), SURROGATES)
    return found.p if fullest.counted >= LEAST_COUNTED else None


def test_the_question_is_put_to_data_and_surrogates_alike() -> None:
    """Asked of the data alone, it would keep the groups that are full by chance, and their p would be too small."""
    of_all, of_data = (
        [p for seed in range(800) if (p := kept(seed, data_alone=alone)) is not None] for alone in (False, True)
    )
    assert 600 < len(of_all) < 800
    assert 30 < len(of_data) < 200
    assert np.mean(np.array(of_all) <= 0.05) <= 0.065
    assert np.mean(np.array(of_data) <= 0.05) >= 0.15
