"""The page on naive p-values says what its command does and prints."""

from __future__ import annotations

import re

import numpy as np
import pytest

from benchmarks import naive_p
from spymaster.evidence.bins import MS
from spymaster_tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs/concepts/naive-p-values.md").read_text()
MARKETS = 60


def table() -> list[tuple[str, float]]:
    """p-value and share of every row."""
    found = re.findall(r"^\|[^|]*\| ([^|]+) \| ([\d.]+) % \|$", PAGE, re.MULTILINE)
    return [(name, float(share) / 100) for name, share in found]


def test_the_page_has_a_row_for_every_test_in_its_order() -> None:
    assert [name for name, _ in table()] == [name.split(", ")[1] for name in naive_p.TESTS]


def test_the_page_describes_the_markets_that_are_drawn() -> None:
    assert (naive_p.SECONDS, naive_p.CELL, naive_p.NEIGHBOURS) == (120, 5 * MS, 10)
    assert naive_p.LAGS[-1] == 200 * MS
    assert f"{MARKETS} markets of two minutes" in PAGE
    exact = np.random.default_rng(1).binomial(MARKETS, 0.05, 200_000) / MARKETS
    assert np.quantile(exact, [0.025, 0.975]).round(2).tolist() == [0.0, 0.12]


@pytest.mark.parametrize("seed", range(3))
def test_slow_frequencies_stand_out_of_a_market_without_anybody(seed: int) -> None:
    seconds = naive_p.market(seed)[1] / 1e9
    power = [abs(np.exp(2j * np.pi * f * seconds).sum()) ** 2 / len(seconds) for f in naive_p.FREQUENCIES[:480]]
    slow = naive_p.FREQUENCIES[:480] < 2
    assert naive_p.FREQUENCIES[int(np.argmax(power))] < 2
    assert max(np.array(power)[~slow]) < 20 < max(np.array(power)[slow])


@pytest.mark.slow
def test_the_page_has_the_figures_that_the_command_prints() -> None:
    found = naive_p.rejections(MARKETS)
    assert [share for _, share in table()] == pytest.approx(list(found.values()), abs=0.0006)
