"""Max-statistics, tails, families, days and intervals: against definitions, known values and simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spymaster.evidence.bootstrap import BLOCK_NS, block_sums, ratio_interval, sums_of
from spymaster.evidence.maxstat import max_statistic, mc_p, one_stage, staged, tailed
from spymaster.evidence.multiplicity import (
    benjamini_hochberg,
    benjamini_yekutieli,
    cauchy,
    is_underpowered,
    partial_conjunction,
)
from spymaster.evidence.peaks import peak_of
from spymaster.evidence.tail import anderson_darling, fit_pareto, pareto_cdf, tail_p

RNG = np.random.default_rng


def poisson_counts(seed: int, planted: float = 0.0, bins: int = 40):
    """Counts of a test whose null is true, but for `planted` events in bin 7 of the data."""

    def counts(number: int) -> np.ndarray:
        values = RNG([seed, number]).poisson(20, bins)
        if number == 0:
            values[7] += round(planted)
        return values

    return counts


class TestMaxStatistic:
    def test_p_is_uniform_under_the_null(self) -> None:
        p = np.array([one_stage(poisson_counts(seed), 39)[0].p for seed in range(400)])
        assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.03)
        assert np.mean(p <= 0.5) == pytest.approx(0.5, abs=0.075)

    def test_a_planted_excess_is_found_in_its_bin(self) -> None:
        result, _ = one_stage(poisson_counts(1, planted=40), 199)
        assert result.p == result.p_floor == 1 / 200
        assert (result.best, result.peak().tolist()) == (7, [7])
        assert result.excess[7] == pytest.approx(40, abs=12)

    def test_mean_and_variance_are_over_the_data_and_the_surrogates(self) -> None:
        sets = np.array([[10.0, 0.0], [0.0, 0.0], [2.0, 0.0]])
        mean, z = max_statistic(sets)
        assert mean.tolist() == [4.0, 0.0]
        assert z[0, 0] == pytest.approx(6 / np.sqrt(56 / 3))
        assert z[:, 1].tolist() == [0.0, 0.0, 0.0]

    def test_ties_count_against_the_data(self) -> None:
        assert mc_p(np.array([2.0, 2.0, 1.0, 3.0])) == 0.75

    def test_the_second_stage_uses_fresh_surrogates_and_replaces_the_p(self) -> None:
        asked: list[int] = []

        def counts(number: int) -> np.ndarray:
            asked.append(number)
            return poisson_counts(3, planted=40)(number)

        result = staged(counts, 19, 199, rng=RNG(0))
        assert asked == [0, *range(1, 20), 0, *range(20, 219)]
        assert result.p_floor == 1 / 200

    def test_without_a_small_p_there_is_no_second_stage(self) -> None:
        result = staged(poisson_counts(2), 19, 199, rng=RNG(0))
        assert (result.surrogates, result.p_method) == (19, "mc")

    def test_a_p_at_its_floor_is_carried_on_by_a_tail(self) -> None:
        result = staged(poisson_counts(5, planted=60, bins=200), 19, 1999, rng=RNG(0))
        assert result.p_method == "gpd"
        assert 0 < result.p < result.p_floor

    @pytest.mark.parametrize(("surrogates", "method"), [(199, "mc"), (749, "mc"), (750, "gpd")])
    def test_fewer_than_750_surrogates_have_no_tail(self, surrogates: int, method: str) -> None:
        statistics = np.append(8.0, RNG(2).exponential(size=surrogates).clip(max=7.9))
        p, used = tailed(statistics, RNG(0))
        assert used == method
        assert (p < 1 / (surrogates + 1)) == (method == "gpd")


class TestTail:
    @pytest.mark.parametrize("shape", [0.0, 0.2, 0.5])
    def test_a_known_tail_is_recovered(self, shape: float) -> None:
        uniform = RNG(1).random(20_000)
        sample = -2.0 * np.log(uniform) if shape == 0 else 2.0 * (uniform**-shape - 1) / shape
        fitted, scale = fit_pareto(sample)
        assert fitted == pytest.approx(shape, abs=0.03)
        assert scale == pytest.approx(2.0, rel=0.05)
        assert anderson_darling(sample, fitted, scale) < 2.5
        assert anderson_darling(sample, shape + 0.3, 3.0) > 50

    def test_it_extends_a_normal_tail_and_errs_on_the_safe_side(self) -> None:
        """P of 4.5 standard deviations is 3.4e-6; 1,999 draws alone could not say less than 5e-4."""
        found = [tail_p(4.5, RNG(seed).normal(size=1999), 250, RNG(seed)) for seed in range(9)]
        said = [p for p in found if p is not None]
        assert len(said) >= 5
        assert min(said) > 3.4e-6
        assert max(said) < 5e-4

    def test_what_has_no_such_tail_has_no_p(self) -> None:
        values = np.concatenate([np.zeros(1700), np.full(150, 1.0), np.full(149, 5.0)])  # two steps, no tail
        assert tail_p(9.0, values, 250, RNG(0)) is None
        assert tail_p(9.0, np.arange(100.0), 250, RNG(0)) is None

    def test_the_distribution(self) -> None:
        assert [pareto_cdf(value, 0.0, 1.0) for value in (0.0, 1.0)] == pytest.approx([0.0, 1 - np.exp(-1)])
        assert pareto_cdf(2.0, 0.5, 1.0) == 0.75


class TestFamilies:
    P = (0.01, 0.04, 0.03, 0.005, 0.8)

    def test_known_values(self) -> None:
        assert benjamini_hochberg(self.P).tolist() == pytest.approx([0.025, 0.05, 0.05, 0.025, 0.8])
        assert benjamini_yekutieli(self.P).tolist() == pytest.approx(
            [value * 137 / 60 if value < 0.4 else 1.0 for value in (0.025, 0.05, 0.05, 0.025, 0.8)]
        )

    @given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=12))
    @settings(max_examples=150, deadline=None)
    def test_q_is_the_smallest_level_at_which_a_test_is_rejected(self, p: list[float]) -> None:
        ordered = sorted(p)
        n = len(p)
        for value, q in zip(p, benjamini_hochberg(p), strict=True):
            wanted = min(ordered[k] * n / (k + 1) for k in range(n) if ordered[k] >= value)
            assert q == pytest.approx(min(wanted, 1.0))
            assert q >= value

    def test_false_discoveries_stay_below_their_rate(self) -> None:
        rng, shares = RNG(3), []
        for _ in range(400):
            p = rng.random(40)
            p[:10] = rng.random(10) * 1e-4
            found = benjamini_hochberg(p) <= 0.1
            shares.append(np.sum(found[10:]) / max(np.sum(found), 1))
        assert np.mean(shares) == pytest.approx(0.075, abs=0.02)

    def test_values_that_are_no_p_are_refused(self) -> None:
        for bad in ([0.0, 0.5], [1.5], [float("nan")]):
            with pytest.raises(ValueError, match="lie in"):
                benjamini_hochberg(bad)

    def test_a_family_too_large_for_its_surrogates_says_so(self) -> None:
        assert is_underpowered(1 / 200, 150)
        assert not is_underpowered(1 / 2000, 100)


class TestDays:
    @given(st.lists(st.floats(1e-4, 1.0), min_size=1, max_size=6), st.data())
    @settings(max_examples=100, deadline=None)
    def test_partial_conjunction_is_simes_over_the_worst_days(self, p: list[float], data: st.DataObject) -> None:
        """At least u of n days: Simes' p of every choice of n - u + 1 days, and the largest of them."""
        u = data.draw(st.integers(1, len(p)))
        size = len(p) - u + 1
        simes = [
            min(size / (k + 1) * value for k, value in enumerate(sorted(chosen)))
            for chosen in itertools.combinations(p, size)
        ]
        assert partial_conjunction(p, u) == pytest.approx(min(max(simes), 1.0))

    def test_u_out_of_range_is_refused(self) -> None:
        with pytest.raises(ValueError, match="between 1 and 2"):
            partial_conjunction([0.1, 0.2], 3)

    def test_cauchy_is_the_p_itself_for_one_day_and_survives_extremes(self) -> None:
        for value in (1e-12, 1e-16, 1e-5, 0.2, 0.9):
            assert cauchy([value]) == pytest.approx(value, rel=1e-6)
        assert cauchy([1.0, 1e-6]) == pytest.approx(2e-6, rel=0.01)
        assert cauchy([0.5, 0.5, 0.5]) == pytest.approx(0.5)

    def test_cauchy_keeps_its_level_for_dependent_days(self) -> None:
        rng = RNG(4)
        shared = rng.random(2000)
        combined = [cauchy([value, value, other]) for value, other in zip(shared, rng.random(2000), strict=True)]
        assert np.mean(np.array(combined) <= 0.05) == pytest.approx(0.05, abs=0.015)


class TestIntervals:
    def test_they_cover_the_truth(self) -> None:
        rng, hits = RNG(6), 0
        for _ in range(200):
            wholes = rng.poisson(500, 60)
            low, high = ratio_interval(rng.binomial(wholes, 0.04), wholes, rng, resamples=300)
            hits += low <= 0.04 <= high
        assert hits / 200 == pytest.approx(0.95, abs=0.05)

    def test_blocks_are_sixty_seconds(self) -> None:
        times = np.array([0, 59, 60, 130], np.int64) * 10**9
        assert block_sums(times, 0, 3).tolist() == [2, 1, 1]
        assert block_sums(times, 0, 3, np.array([0.5, 1, 2, 4])).tolist() == [1.5, 2, 4]

    def test_a_resample_counts_a_block_as_often_as_it_was_drawn(self) -> None:
        values, drawn = RNG(7).integers(0, 1000, 1400), RNG(8).integers(0, 5, (300, 1400))
        wanted = [sum(n * value for n, value in zip(row, values.tolist(), strict=True)) for row in drawn.tolist()]
        assert sums_of(drawn, values).tolist() == wanted
        assert sums_of(drawn, values / 7) == pytest.approx(np.array(wanted) / 7, rel=1e-12)

    def test_nothing_gives_no_interval(self) -> None:
        with pytest.raises(ValueError, match="make no ratio"):
            ratio_interval(np.zeros(0), np.zeros(0), RNG(0))
        assert ratio_interval(np.zeros(3), np.zeros(3), RNG(0)) == (0.0, 0.0)


def test_events_beyond_the_blocks_count_in_the_nearest_one() -> None:
    """A cell that surrogates are drawn in may begin before the day and end after it."""
    times = np.array([-1, 0, BLOCK_NS, 2 * BLOCK_NS, 10 * BLOCK_NS], np.int64)
    assert block_sums(times, 0, 2).tolist() == [2, 3]


def test_a_peak_on_a_circle_goes_on_at_the_start() -> None:
    def counts(number: int) -> np.ndarray:
        drawn = RNG(number).poisson(20, 12)
        return drawn + np.where(
            np.isin(np.arange(12), [10, 11, 0, 1]) & (number == 0), [40, 60] + [0] * 8 + [30, 80], 0
        )

    result, _ = one_stage(counts, 199)
    assert result.peak().tolist() == [10, 11]
    assert result.peak(circular=True).tolist() == [10, 11, 0, 1]
    peak = peak_of(result, np.arange(0, 1300, 100), circular=True)
    assert min(peak.value, 1200 - peak.value) < 40  # the end is the start
    assert peak.width < 120
