"""Where the grid of gamma exposure lies, and what step it has."""

from __future__ import annotations

import numpy as np
import pytest

from spymaster.options.chain import Chain
from spymaster.options.gex_kernels import lattice
from spymaster.options.gex_state import new_state
from spymaster.settings import OptionSettings
from spymaster_tests.options.definitions import CONTRACT, definition, definitions
from spymaster_tests.options.exposures import DT

POINT = 1_000_000_000
FALLBACK = 5 * POINT


def grid(strikes: list[float], spot: float, reach: int = 12) -> tuple[float, float]:
    """Step and middle, points, of a chain that lists these strikes."""
    rows = [definition(i + 1, strike_price_int=round(k * POINT)) for i, k in enumerate(strikes)]
    state, _ = new_state(Chain.universe(definitions(rows), DT, CONTRACT, OptionSettings()))
    state.is_listed[:] = True
    step, middle = lattice(state, round(spot * POINT), reach, FALLBACK, np.empty(2 * reach + 1, np.int64))
    return step / POINT, middle / POINT


FIVES = [float(k) for k in range(6_700, 6_901, 5)]


@pytest.mark.parametrize(
    ("spot", "middle"),
    [(6_800, 6_800), (6_802.25, 6_800), (6_802.5, 6_800), (6_802.75, 6_805), (6_000, 6_700), (9_000, 6_900)],
)
def test_the_middle_is_the_nearest_strike_and_of_two_the_lower(spot: float, middle: float) -> None:
    assert grid(FIVES, spot) == (5, middle)


def test_the_step_is_that_near_spot() -> None:
    chain = [*FIVES, *(6_900.0 + 25 * i for i in range(1, 40)), *(6_700.0 - 25 * i for i in range(1, 40))]
    assert grid(chain, 6_801) == (5, 6_800)
    assert grid(chain, 7_401) == (25, 7_400)


def test_one_odd_strike_and_one_hole_change_nothing() -> None:
    assert grid(sorted([*FIVES, 6_802.5]), 6_802.5) == (5, 6_800)
    assert grid([k for k in FIVES if k != 6_800], 6_801) == (5, 6_805)
    assert grid([k for k in FIVES if k != 6_800], 6_797) == (5, 6_795)


def test_of_equally_common_distances_the_smaller_is_the_step() -> None:
    assert grid([6_800, 6_805, 6_815], 6_801) == (5, 6_800)


def test_listed_twice_as_densely_from_some_strike_on_the_denser_half_decides_near_it() -> None:
    chain = sorted({*(6_500.0 + 10 * i for i in range(31)), *(6_800.0 + 5 * i for i in range(31))})
    assert grid(chain, 6_850) == (5, 6_850)
    assert grid(chain, 6_600) == (10, 6_600)


def test_one_strike_takes_the_stand_in_and_none_has_no_grid() -> None:
    assert grid([6_790], 6_800) == (5, 6_790)
    empty, _ = new_state(Chain.universe(definitions([definition(1)])[:0], DT, CONTRACT, OptionSettings()))
    assert lattice(empty, 6_800 * POINT, 12, FALLBACK, np.empty(25, np.int64)) == (0, 0)


def test_strikes_that_no_definition_has_named_yet_do_not_count() -> None:
    state, _ = new_state(
        Chain.universe(
            definitions([definition(i + 1, strike_price_int=(6_790 + i) * POINT) for i in range(20)]),
            DT, CONTRACT, OptionSettings(),
        )
    )  # fmt: skip
    state.is_listed[[0, 5, 10]] = True
    near = np.empty(25, np.int64)
    assert lattice(state, 6_797 * POINT, 12, FALLBACK, near) == (5 * POINT, 6_795 * POINT)
