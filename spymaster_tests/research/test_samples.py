"""Samples: what they know, and that they know nothing too early."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from spymaster.lake import Lake
from spymaster.research.errors import NotCausalError, SampleError
from spymaster.research.panels import Panel
from spymaster.research.sample_tables import load_samples, stored_dates
from spymaster.research.samples import BREAK, CHOP, REGISTERED, REJECT, SECOND_NS, join
from spymaster.setups.vector_scaler import as_matrix, scaler_of
from spymaster.tables.move_conditions_1s import MoveConditions1s
from spymaster.tables.move_measure_1s import MoveMeasure1s
from spymaster.tables.setup_vector import SetupVector
from spymaster.tables.vector_scaler import VectorScaler
from spymaster_tests.research.lakes import CANDLES, DATES, SYMBOL, TOUCHES
from spymaster_tests.research.made_samples import made_samples
from spymaster_tests.research.model_lakes import build, mirrored
from spymaster_tests.setups.markets import TICK

TOUCH, CANDLE = Panel("s1", "touch", 120), Panel("c120", "candle", 360)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return build(tmp_path_factory.mktemp("models") / "lake")


def test_every_setup_with_a_scaler_is_a_sample(lake: Lake):
    touches = load_samples(stored_dates(lake, SYMBOL), TOUCH)
    candles = load_samples(stored_dates(lake, SYMBOL), CANDLE)
    assert touches is not None
    assert candles is not None
    dates = len(DATES) - 1  # the first has no earlier vectors to be scaled by
    assert (len(touches), touches.is_placebo.sum()) == ((TOUCHES + 1) * dates, dates)
    assert len(candles) == CANDLES * dates
    assert (np.diff(touches.ts_decision) >= 0).all()
    assert set(touches.features) == set(REGISTERED)
    assert np.isnan(touches.knn).all()


def test_a_scaler_that_is_given_scales_all_dates(lake: Lake):
    scaler = scaler_of(lake.partition(VectorScaler, SYMBOL, DATES[-1]).read(), "s1")
    samples = load_samples(stored_dates(lake, SYMBOL), TOUCH, scaler=scaler)
    assert samples is not None
    assert scaler is not None
    assert len(samples) == (TOUCHES + 1) * len(DATES)
    raw = lake.partition(SetupVector, SYMBOL, DATES[0]).read().filter(episode_id=samples.episode_id[3], family="s1")
    assert (samples.vectors[3] == scaler.apply(as_matrix(raw["vector"], scaler.layout.n))[0]).all()
    assert samples.features["ofi_int"][3] == raw["vector"][0][scaler.layout.names.index("w0.v.ofi_int")]


def test_features_are_those_of_the_second_that_ends_with_the_cut_off(lake: Lake):
    samples = load_samples(stored_dates(lake, SYMBOL, DATES[2], DATES[2]), TOUCH)
    assert samples is not None
    told = lake.partition(MoveConditions1s, SYMBOL, DATES[2]).read()
    measured = lake.partition(MoveMeasure1s, SYMBOL, DATES[2]).read()
    mid = dict(measured.select(pl.col("window_end").to_physical(), "mid2_int").iter_rows())
    for k in range(len(samples)):
        at, up = int(samples.ts_cutoff[k]), samples.direction[k] > 0
        assert at == samples.ts_decision[k] // SECOND_NS * SECOND_NS
        row = told.filter(pl.col("window_end").to_physical() == at).row(0, named=True)
        ahead, behind = ("ask", "bid") if up else ("bid", "ask")
        assert samples.features["z_r_ah"][k] == row[f"z_r_{ahead}_w5"]
        assert samples.features["z_n_bh"][k] == row[f"z_n_{behind}_w5"]
        assert samples.features["drive"][k] == row["drive_up_w5" if up else "drive_dn_w5"]
        moved = [(mid[at] - mid[at - s * SECOND_NS]) / (2 * TICK) * samples.direction[k] for s in (15, 60)]
        assert samples.b2[k, :2] == pytest.approx([moved[0] / 3.0, moved[1] / 6.0])
        steps = np.diff([mid[at - s * SECOND_NS] for s in range(60, -1, -1)]) / (2 * TICK)
        assert samples.b2[k, 2] == pytest.approx(np.sqrt((steps**2).mean() * 60) / 6.0)


def test_a_feature_of_after_the_decision_is_refused():
    samples = made_samples(sessions=2, per_session=5)
    late = samples.ts_cutoff.copy()
    late[3] = samples.ts_decision[3] + 1
    with pytest.raises(NotCausalError, match=r"touch:made:3.*was decided at"):
        replace(samples, ts_cutoff=late)
    with pytest.raises(NotCausalError, match="lead of 5 s"):
        replace(samples, lead_s=5)


def test_samples_with_holes_or_of_other_panels_are_refused():
    samples = made_samples(sessions=2, per_session=5)
    holes = samples.b2.copy()
    holes[2, 0] = np.nan
    with pytest.raises(SampleError, match="b2"):
        replace(samples, b2=holes)
    with pytest.raises(SampleError, match="direction has 3 entries"):
        replace(samples, direction=samples.direction[:3])
    with pytest.raises(SampleError, match="different panels"):
        join([samples, replace(samples, horizon_s=30)])


def test_a_setup_with_a_missing_second_is_left_out(lake: Lake, tmp_path: Path):
    other = build(tmp_path / "lake")
    rows = other.partition(MoveConditions1s, SYMBOL, DATES[3]).read()
    whole = load_samples(stored_dates(lake, SYMBOL, DATES[3], DATES[3]), TOUCH)
    assert whole is not None
    gone = pl.col("window_end").to_physical() == int(whole.ts_cutoff[4])
    kept = rows.with_columns(z_r_ask_w5=pl.when(gone).then(None).otherwise("z_r_ask_w5"))
    with other.writer(MoveConditions1s, SYMBOL, DATES[3]) as writer:
        writer.write(kept)
        writer.commit(provenance="simulated")
    left = load_samples(stored_dates(other, SYMBOL, DATES[3], DATES[3]), TOUCH)
    assert left is not None
    assert left.episode_id.tolist() == [*whole.episode_id[:4], *whole.episode_id[5:]]


def test_later_dates_change_no_sample(lake: Lake, tmp_path: Path):
    other = build(tmp_path / "lake", changed=DATES[5])
    here, there = (load_samples(stored_dates(one, SYMBOL, None, DATES[4]), TOUCH) for one in (lake, other))
    assert here is not None
    assert there is not None
    assert here.vectors.tobytes() == there.vectors.tobytes()
    assert here.matrix().tobytes() == there.matrix().tobytes()
    assert here.b2.tobytes() == there.b2.tobytes()
    later = load_samples(stored_dates(other, SYMBOL, DATES[5], DATES[5]), TOUCH)
    before = load_samples(stored_dates(lake, SYMBOL, DATES[5], DATES[5]), TOUCH)
    assert later is not None
    assert before is not None
    assert later.matrix().tobytes() != before.matrix().tobytes()


def test_labels_and_offsets_of_the_heads():
    samples = made_samples(sessions=3, per_session=50)
    assert (samples.label("resolve") == (samples.outcome != CHOP)).all()
    assert (samples.scored("side") == np.isin(samples.outcome, (BREAK, REJECT))).all()
    p = 1.0 / (1.0 + np.exp(-samples.offset("resolve")))
    assert p == pytest.approx(1.0 - samples.b1[:, CHOP])
    assert (samples.offset("side") == 0.0).all()


def test_a_market_upside_down_gives_the_same_samples(lake: Lake, tmp_path: Path):
    """Gate G8, as far as it is that of the samples: only the direction differs."""
    other = mirrored(lake, tmp_path / "lake", DATES[3])
    here, there = (load_samples(stored_dates(one, SYMBOL, DATES[3], DATES[3]), TOUCH) for one in (lake, other))
    assert here is not None
    assert there is not None
    assert (there.direction == -here.direction).all()
    assert there.episode_id.tolist() == here.episode_id.tolist()
    assert there.matrix() == pytest.approx(here.matrix())
    for name in ("vectors", "b1", "b2", "b3", "context"):
        assert getattr(there, name) == pytest.approx(getattr(here, name)), name
    assert (here.b2[:, 0] != 0).any()
