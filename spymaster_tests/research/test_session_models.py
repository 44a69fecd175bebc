"""Models of a date: from earlier dates only, the same bytes every time, whole in the table, and read back."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from spymaster.lake import Lake
from spymaster.research.errors import ModelError, QueryError
from spymaster.research.model_rules import ModelRules
from spymaster.research.models import MODELS
from spymaster.research.sample_tables import load_samples, stored_dates
from spymaster.research.samples import HEADS
from spymaster.research.session_models import MODELLED, known_before, session_models, stored_model
from spymaster.settings import OutcomeModelSettings
from spymaster.setups.vector_scaler import scaler_of
from spymaster.tables.outcome_model import OutcomeModel
from spymaster.tables.vector_scaler import VectorScaler
from spymaster_tests.research.lakes import DATES, SYMBOL
from spymaster_tests.research.model_lakes import build

LAST = DATES[-1]
TOUCH = MODELLED[0]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return build(tmp_path_factory.mktemp("models") / "lake")


def rows(lake: Lake, dt: date, profile: str = "demo") -> pl.DataFrame:
    """The table of a date."""
    return OutcomeModel.validate(
        session_models(
            stored_dates(lake, SYMBOL, None, dt - timedelta(days=1)), lake.partition(VectorScaler, SYMBOL, dt),
            ModelRules.of(OutcomeModelSettings(), profile), k_barrier=1.0,
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
def last(lake: Lake) -> pl.DataFrame:
    return rows(lake, LAST)


def test_every_panel_head_and_algorithm_has_a_row(last: pl.DataFrame):
    assert last.height == len(MODELLED) * len(HEADS) * len(MODELS)
    fitted = last.filter(pl.col("status").cast(pl.String) == "fitted")
    touches = fitted.filter(pl.col("kind").cast(pl.String) == "touch")
    assert touches.height == 6  # both heads of all but the neighbours, which this lake has none of
    assert set(last.filter(algo="knn")["reason"]) == {"no sample has neighbours"}
    assert fitted["provisional"].all()
    assert set(touches["train_sessions"].list.len()) == {len(DATES) - 1}


def test_few_sessions_are_told_and_no_error(lake: Lake):
    standard = rows(lake, LAST, "standard")
    assert set(standard["status"].cast(pl.String)) == {"insufficient"}
    assert standard["reason"][0] == f"{len(DATES) - 1} sessions, 20 are needed"
    first = rows(lake, DATES[0])
    assert set(first["reason"]) == {"no earlier setup"}
    assert first["artifact"].null_count() == first.height


def test_later_dates_change_no_byte(lake: Lake, tmp_path: Path):
    """Gate G3: everything from the date itself on is another market."""
    middle = DATES[5]
    other = build(tmp_path / "lake", changed=middle)
    assert rows(other, middle).equals(rows(lake, middle))
    assert not rows(other, LAST).equals(rows(lake, LAST))


def test_a_date_that_is_not_earlier_is_refused(lake: Lake):
    with pytest.raises(QueryError, match="not earlier"):
        session_models(
            stored_dates(lake, SYMBOL), lake.partition(VectorScaler, SYMBOL, LAST),
            ModelRules.of(OutcomeModelSettings(), "demo"), k_barrier=1.0,
        )  # fmt: skip


def test_outcomes_that_were_not_known_and_placebos_are_left_out(lake: Lake):
    samples = load_samples(stored_dates(lake, SYMBOL), TOUCH)
    assert samples is not None
    kept = known_before(samples, DATES[4])
    assert kept is not None
    assert not kept.is_placebo.any()
    assert kept.session.max() == (DATES[3] - date(1970, 1, 1)).days
    assert known_before(samples, DATES[0]) is None


def test_a_stored_model_tells_the_same_probabilities(lake: Lake, last: pl.DataFrame):
    scaler = scaler_of(lake.partition(VectorScaler, SYMBOL, LAST).read(), TOUCH.family)
    asked = load_samples(stored_dates(lake, SYMBOL, LAST, LAST), TOUCH, scaler=scaler)
    assert asked is not None
    for head in HEADS:
        for algo in ("logit", "gbm", "stack"):
            model = stored_model(last, TOUCH, head, algo)
            assert model is not None
            assert model.algo == algo
            p = model.probabilities(asked)
            assert ((p > 0) & (p < 1)).all()
            assert model.artifact() == last.filter(head=head, algo=algo, kind="touch")["artifact"][0].encode()
    assert stored_model(last, TOUCH, "side", "knn") is None


def test_an_artifact_that_was_changed_is_refused(last: pl.DataFrame):
    other = last.with_columns(artifact=pl.col("artifact").str.replace('"n_train":', '"n_train": '))
    with pytest.raises(ModelError, match="has the hash"):
        stored_model(other, TOUCH, "side", "logit")


def test_a_model_tells_of_its_own_calibration(last: pl.DataFrame):
    told = last.filter(kind="touch", head="resolve", algo="logit")
    calibration = json.loads(told["calibration_json"][0])
    assert calibration["method"] == "platt"
    assert sum(calibration["bins"]["count"]) > 0
    assert calibration["bins"]["ece"] == told["ece"][0]
    assert json.loads(told["params_json"][0])["c"] in OutcomeModelSettings().c_grid


def test_threads_and_processes_change_no_byte(lake: Lake, last: pl.DataFrame):
    """Gate G13: another process with one thread of the libraries, and this one with as many as there are."""
    code = (
        "import sys, hashlib; from pathlib import Path; from spymaster.lake import Lake\n"
        "from spymaster_tests.research.test_session_models import rows, LAST, digest\n"
        "print(digest(rows(Lake.open(Path(sys.argv[1])), LAST)))"
    )
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    alone = subprocess.run(
        [sys.executable, "-c", code, str(lake.root)], env={**os.environ, **threads}, capture_output=True, text=True,
        check=True, timeout=300,
    )  # fmt: skip
    assert alone.stdout.strip() == digest(last)


def digest(frame: pl.DataFrame) -> str:
    """Hash of all that the table holds."""
    return hashlib.sha256(frame.write_json().encode()).hexdigest()


def test_planted_clouds_are_found_out_of_sample(lake: Lake, last: pl.DataFrame):
    """Vectors of this lake lie in clouds by outcome: boosted trees see it, out of sample."""
    scaler = scaler_of(lake.partition(VectorScaler, SYMBOL, LAST).read(), TOUCH.family)
    asked = load_samples(stored_dates(lake, SYMBOL, LAST, LAST), TOUCH, scaler=scaler)
    model = stored_model(last, TOUCH, "side", "gbm")
    assert asked is not None
    assert model is not None
    hit = asked.select(asked.resolved & ~asked.is_placebo)
    p, label = model.probabilities(hit), hit.label("side")
    assert np.mean((p > 0.5) == label) > 0.8
