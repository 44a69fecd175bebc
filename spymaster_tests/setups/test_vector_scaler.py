"""Rows of vectors and of their scaler: what is stored, how it scales, and that later sessions change nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from spymaster.lake import Lake
from spymaster.setups.errors import SetupInputError
from spymaster.setups.session_vectors import EPISODE_VECTORS, episode_requests, layouts, vector_rows
from spymaster.setups.vector_layout import BASE_FEATURES, FAMILIES, layout
from spymaster.setups.vector_scaler import (
    Scaler,
    as_matrix,
    fingerprint,
    scaler_of,
    scaler_row,
    select_sessions,
    session_scaler,
)
from spymaster.setups.vectors import candidate_requests
from spymaster.tables.setup_vector import SetupVector
from spymaster.tables.types import TIMESTAMP
from spymaster.tables.vector_scaler import VectorScaler
from spymaster_tests.setups.vector_markets import START_S, day

DAYS = [date(2024, 1, 3), date(2024, 1, 4), date(2024, 1, 5)]


def rows_of(parts: list[pl.DataFrame]) -> pl.DataFrame:
    frame = pl.concat(parts).with_columns(provenance=pl.lit("simulated"))
    return frame.select(pl.col(name).cast(kind) for name, kind in SetupVector.schema().items()).sort(SetupVector.key)


@pytest.fixture(scope="module")
def stored() -> pl.DataFrame:
    session, scale = day()
    requests = candidate_requests(START_S, START_S + 1900, 30)
    answers = session.builder(scale).vectors(session.walls(), requests)
    return SetupVector.validate(rows_of([vector_rows(answer, only_covered=True) for answer in answers]))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, stored: pl.DataFrame) -> Lake:
    """Three dates whose numbers are those of the session, halved and doubled; the last has no valid candidate."""
    made = Lake.open(tmp_path_factory.mktemp("vectors") / "lake", create=True, kind="simulated")
    for factor, dt in zip((1.0, 2.0, None), DAYS, strict=True):
        write(made, dt, changed(stored, factor))
    return made


def changed(frame: pl.DataFrame, factor: float | None) -> pl.DataFrame:
    if factor is None:
        return frame.with_columns(vector=pl.lit(None, pl.List(pl.Float32)), valid=pl.lit(False))
    numbers = pl.Series([[factor * value for value in one] if one is not None else None for one in frame["vector"]])
    return frame.with_columns(vector=numbers.cast(pl.List(pl.Float32)))


def write(lake: Lake, dt: date, frame: pl.DataFrame) -> None:
    with lake.writer(SetupVector, "ES", dt) as writer:
        writer.write(frame)
        writer.commit(provenance="simulated")


def test_candidates_are_stored_where_their_look_back_is_valid(stored: pl.DataFrame):
    counts = dict(stored.filter("valid").group_by("family").len().iter_rows())
    assert counts == {"s1": 50, "s5": 50, "c120": 9}
    unknown = stored.filter(~pl.col("valid"))
    at = unknown["ts_cutoff"].dt.epoch("s") - START_S
    # the deviation of the mid is not known yet, or nothing of this half hour by the session before
    assert set(at) == {60, 90, 120, 150, 180, 210, 240, 270, 300, 1830, 1860, 1890}
    assert stored["vector_dim"].unique().sort().to_list() == [216, 455]


def test_the_scaler_is_the_median_and_spread_of_both_directions(lake: Lake, stored: pl.DataFrame):
    rows = VectorScaler.validate(session_scaler(lake.partitions(SetupVector, "ES")[:1], DAYS[1]))
    made = layout("s1")
    up = as_matrix(stored.filter((pl.col("family") == "s1") & pl.col("valid"))["vector"], made.n).astype(np.float64)
    order, sign = made.mirror()
    both = np.concatenate([up, up[:, order] * sign])
    row = rows.filter(family="s1").row(0, named=True)
    med = np.median(both, axis=0)
    assert row["med"] == med.tolist()
    assert row["mad"] == np.median(np.abs(both - med), axis=0).tolist()
    assert row["sessions_used"] == [DAYS[0]]
    assert row["n_rows"] == len(up)
    scaler = scaler_of(rows, "s1")
    assert scaler is not None
    assert (scaler.med[order] * sign == scaler.med).all()
    point = up[:3].astype(np.float32)
    got = scaler.apply(point)
    names = made.names
    for name, weight in (
        ("w0.v.ah_add_intensity_log", 1.0),
        ("w9_mean.v.ah_add_intensity_log", 1.0),
        ("w9_delta.v.ah_add_intensity_log", 0.5),
        ("w24_delta.d2.bh_rest_share", 0.125),
        ("w3_mean.d3.queue_imb", 0.125),
    ):
        k = names.index(name)
        z = np.clip((point[:, k] - scaler.med[k]) / (1.4826 * scaler.mad[k]), -8, 8)
        assert got[:, k] == pytest.approx(z * weight, rel=1e-5)
    assert np.abs(got).max() <= 8


def test_other_weights_are_another_scaler():
    made = layout("s1")
    med, mad = np.zeros(made.n), np.ones(made.n)
    plain = replace(made, dims=tuple(replace(dim, weight=1.0) for dim in made.dims))
    assert fingerprint(made, med, mad) != fingerprint(plain, med, mad)


def test_noise_of_the_last_window_does_not_decide_who_is_near():
    """Of two features one is the same for the whole look-back, the other noise: likeness is that of the first."""
    made = layout("s1")
    rng = np.random.default_rng(4)
    lasting = np.repeat([1.0, -1.0], 200)
    windows = rng.normal(size=(400, made.history, len(BASE_FEATURES)))
    windows[:, :, ::3] += 0.7 * lasting[:, None, None]
    points = made.assemble(windows).astype(np.float64)
    med = np.median(points, axis=0)
    mad = np.median(np.abs(points - med), axis=0)
    even = replace(made, dims=tuple(replace(dim, weight=1.0) for dim in made.dims))
    alike = []
    for one in (made, even):
        z = Scaler(one, med, mad, (), "").apply(points.astype(np.float32))
        apart = ((z[:, None] - z[None]) ** 2).sum(axis=2) + np.diag(np.full(len(z), np.inf))
        near = np.argsort(apart, axis=1)[:, :10]
        alike.append((lasting[near] == lasting[:, None]).mean())
    assert alike[0] > alike[1] + 0.03


def test_numbers_that_never_vary_are_dead_and_count_for_nothing(stored: pl.DataFrame):
    made = layout("s1")
    still = np.tile(np.arange(made.n, dtype=np.float32), (5, 1))
    pool = pl.DataFrame(
        {"layout_version": ["L13"] * 5, "vector": still.tolist()}, schema_overrides={"vector": pl.List(pl.Float32)}
    )
    order, sign = made.mirror()
    row = scaler_row(made, {DAYS[0]: pool})
    unmoved = [k for k in range(made.n) if order[k] == k and sign[k] > 0]
    assert set(unmoved) <= set(row["dead_dims"])
    scaler = scaler_of(pl.DataFrame([row], schema=VectorScaler.schema()), "s1")
    assert scaler is not None
    assert (scaler.apply(still + 100)[:, row["dead_dims"]] == 0).all()


def test_only_earlier_sessions_with_a_valid_candidate_are_taken(lake: Lake):
    every = lake.partitions(SetupVector, "ES")
    assert [one.dt for one in select_sessions(every, date(2024, 1, 8), lake.settings)] == DAYS[:2]
    assert [one.dt for one in select_sessions(every, DAYS[1], lake.settings)] == DAYS[:1]
    with pytest.raises(SetupInputError, match=r"not earlier: gold\.setup_vector ES 2024-01-03"):
        session_scaler(every[:1], DAYS[0])


def test_without_a_session_there_is_no_scaler_and_rows_keep_the_contract():
    rows = VectorScaler.validate(session_scaler([], DAYS[0]))
    assert rows["family"].to_list() == sorted(FAMILIES)
    assert scaler_of(rows, "s1") is None
    assert rows["med"].null_count() == 3


def test_later_sessions_change_no_byte(lake: Lake, stored: pl.DataFrame, tmp_path: Path):
    """Gate G3: other vectors on the date itself and after it."""
    other = Lake.open(tmp_path / "lake", create=True, kind="simulated")
    for factor, dt in zip((1.0, 7.0, 9.0), DAYS, strict=True):
        write(other, dt, changed(stored, factor))

    def scaler(one: Lake, dt: date) -> pl.DataFrame:
        return session_scaler(select_sessions(one.partitions(SetupVector, "ES"), dt, one.settings), dt)

    assert scaler(lake, DAYS[1]).equals(scaler(other, DAYS[1]))
    assert not scaler(lake, DAYS[2]).equals(scaler(other, DAYS[2]))


def test_episodes_have_vectors_before_their_decision_and_placebos_where_matched():
    at = (START_S + 1000) * 10**9
    episodes = pl.DataFrame(
        {
            "episode_id": ["a", "b", "c", "d"],
            "kind": ["touch", "touch", "touch", "candle"],
            "direction": pl.Series([1, -1, 1, -1], dtype=pl.Int8),
            "ts_decision": pl.Series([at + 1, at, at + 999_999_999, at + 80 * 10**9]).cast(TIMESTAMP),
            "is_placebo": [False, True, True, False],
            "match_set_id": [None, "m", None, None],
        }
    )
    made = episode_requests(episodes)
    asked = {(one.kind, one.request.layout.family.name, one.lead_s): one for one in made}
    assert set(asked) == {(kind, *pair) for kind, pairs in EPISODE_VECTORS.items() for pair in pairs}
    assert asked["touch", "s1", 0].episode_id == ["a", "b"]
    assert asked["touch", "s1", 0].request.cutoff_s.tolist() == [START_S + 1000] * 2
    assert asked["touch", "s1", 30].request.cutoff_s.tolist() == [START_S + 970] * 2
    assert asked["touch", "s1", 10].request.direction.tolist() == [1, -1]
    assert asked["candle", "c120", 0].request.cutoff_s.tolist() == [START_S + 1080]
    session, scale = day()
    answers = session.builder(scale).vectors(session.walls(), [one.request for one in made])
    rows = [
        vector_rows(answer, kind=one.kind, lead_s=one.lead_s, episode_id=one.episode_id)
        for answer, one in zip(answers, made, strict=True)
    ]
    frame = SetupVector.validate(rows_of(rows))
    assert frame.height == 2 * 5 + 2
    assert frame["valid"].all()


def test_the_manifest_tells_the_layouts():
    told = layouts()
    for name, one in told.items():
        made = layout(name)
        dims = [f"{cell}.{feature}" for cell in one["cells"] for feature in one["base_features"]] + one["shape"]
        assert dims == list(made.names)
        assert one["n"] == len(dims)
