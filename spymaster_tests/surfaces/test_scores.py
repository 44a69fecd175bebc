"""N(x) of signed metrics and magnitudes."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spymaster.surfaces.errors import CalibrationError
from spymaster.surfaces.scores import Norm, Norms
from spymaster_tests.surfaces import oracles

FINITE = st.floats(-1e9, 1e9)
SIGNED = Norm("wall_erosion", None, "signed", q05=-0.7, scale=0.5)
MAGNITUDE = Norm("wall_strength_log", "AT", "magnitude", q05=-1.0, scale=2.0)


def test_a_signed_metric_is_one_half_at_zero_whatever_its_quantiles():
    assert SIGNED(np.array([0.0, 0.5, -0.5, 9.0, -9.0, 0.25])).tolist() == [0.5, 1.0, 0.0, 1.0, 0.0, 0.75]


def test_a_magnitude_runs_from_its_5_to_its_95_per_cent_quantile():
    assert MAGNITUDE(np.array([-1.0, 0.0, 1.0, -5.0, 5.0])).tolist() == [0.0, 0.5, 1.0, 0.0, 1.0]


@given(
    st.lists(FINITE, min_size=1, max_size=20), st.floats(1e-3, 1e3), FINITE, st.sampled_from(["signed", "magnitude"])
)
def test_array_expression_and_plain_formula_agree(values: list[float], scale: float, q05: float, kind):
    norm = Norm("x", None, kind, q05, scale)
    scores = norm(np.array(values))
    expected = [oracles.score(kind, value, q05, scale) for value in values]
    assert scores.tolist() == pytest.approx(expected, abs=1e-9)
    assert pl.DataFrame({"x": values}).select(norm.expression("x"))["x"].to_list() == pytest.approx(expected, abs=1e-9)
    assert ((scores >= 0) & (scores <= 1)).all()


def test_norms_are_found_by_metric_and_band_and_missing_ones_named():
    rows = {"metric_name": ["a", "a", "r"], "band": [None, "AT", None], "kind": ["signed", "magnitude", "ratio"]}
    norms = Norms(pl.DataFrame(rows | {"q05": [0.0, 1.0, 0.0], "scale": [1.0, 2.0, 0.0]}))
    assert norms.norm("a").kind == "signed"
    assert norms.norm("a", "AT").scale == 2.0
    with pytest.raises(CalibrationError, match="'a', band 'FAR'"):
        norms.norm("a", "FAR")
