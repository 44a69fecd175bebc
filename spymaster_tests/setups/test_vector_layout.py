"""Layouts: names are where the values are, the stored one has full rank, cells are what their names say."""

from __future__ import annotations

import numpy as np
import pytest

from spymaster.setups.errors import SetupInputError
from spymaster.setups.vector_layout import BASE_FEATURES, FAMILIES, SHAPE, SIDES, Layout, layout

ALL = [(family.name, version) for family in FAMILIES.values() for version in family.versions]


def by_words(block: str, order: str, x: np.ndarray) -> float:
    """A cell by the words of its definition; x[0] is the newest window."""
    series = x[::-1]
    for _ in range(("v", "d1", "d2", "d3").index(order)):
        series = np.diff(series)
    if block == "w0":
        return float(series[-1])
    k = int(block[1:].split("_")[0])
    last = series[-k:]
    return float(last.mean() if block.endswith("mean") else (last[-1] - last[0]) / (k - 1))


@pytest.mark.parametrize(
    ("family", "version", "n", "history"),
    [("s1", "L13", 455, 27), ("s5", "L13", 455, 27), ("s1", "L28", 980, 27), ("c120", "L5", 216, 6)],
)
def test_sizes_are_those_of_the_design(family: str, version: str, n: int, history: int):
    made = layout(family, version)
    assert (made.n, made.history) == (n, history)
    assert len(set(made.names)) == n
    assert [dim.dim_index for dim in made.dims] == list(range(n))


@pytest.mark.parametrize(("family", "version"), ALL)
def test_every_value_is_found_under_its_name(family: str, version: str):
    """Gate G9: each feature of each window is raised in turn; the dims that move are those whose names say so."""
    made = layout(family, version)
    rng = np.random.default_rng(1)
    windows = rng.normal(size=(1, made.history, len(BASE_FEATURES)))
    shape = rng.normal(size=(1, len(SHAPE)))
    vector = made.assemble(windows, shape)[0]
    for dim, value in zip(made.dims, vector, strict=True):
        if dim.block.startswith("bar"):
            assert value == np.float32(shape[0, SHAPE.index(dim.name)])
            continue
        series = windows[0, :, BASE_FEATURES.index(dim.base_feature)]
        assert value == pytest.approx(by_words(dim.block, dim.order, series), abs=1e-6), dim.name
        assert dim.name == f"{dim.block}.{dim.order}.{dim.base_feature}"
    for index, feature in enumerate(BASE_FEATURES):
        raised = windows.copy()
        raised[0, 0, index] += 1.0
        moved = made.assemble(raised, shape)[0] != vector
        assert {made.dims[k].base_feature for k in np.flatnonzero(moved)} == {feature}


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9, 0.98])
def test_no_cell_of_the_stored_layout_is_made_of_the_others(phi: float):
    """Gate G9: the correlation of the cells of an AR(1) series, in closed form."""
    made = layout("s1")
    lags = np.arange(made.history)
    covariance = made.coefficients @ (phi ** np.abs(lags[:, None] - lags)) @ made.coefficients.T
    deviation = np.sqrt(np.diag(covariance))
    assert np.linalg.eigvalsh(covariance / np.outer(deviation, deviation))[0] > 1e-4


def test_the_full_product_spans_sixteen_directions():
    assert np.linalg.matrix_rank(layout("s1", "L28").coefficients) == 16
    assert np.linalg.matrix_rank(layout("s1").coefficients) == 13


@pytest.mark.parametrize(("family", "version"), ALL)
def test_the_other_direction_is_a_permutation_that_undoes_itself(family: str, version: str):
    made = layout(family, version)
    order, sign = made.mirror()
    assert sorted(order.tolist()) == list(range(made.n))
    assert (order[order] == np.arange(made.n)).all()
    assert (sign[order] == sign).all()
    swapped = {made.dims[k].base_feature[:2] for k in range(made.n) if order[k] != k}
    assert swapped == set(SIDES)
    assert {made.dims[k].base_feature for k in range(made.n) if sign[k] < 0} >= {"ofi_int", "signed_vol"}


def test_a_vector_does_not_depend_on_those_beside_it():
    made: Layout = layout("s1")
    windows = np.random.default_rng(2).normal(size=(50, made.history, len(BASE_FEATURES)))
    together = made.assemble(windows)
    assert all((made.assemble(windows[k : k + 1]) == together[k]).all() for k in range(50))


def test_what_is_not_there_is_named():
    with pytest.raises(SetupInputError, match="no family 's9'"):
        layout("s9")
    with pytest.raises(SetupInputError, match="no layout 'L28'"):
        layout("c120", "L28")
    with pytest.raises(SetupInputError, match="shape"):
        layout("c120").assemble(np.zeros((1, 6, len(BASE_FEATURES))))
