"""A lake of setups with vectors, episodes and outcomes of many sessions, in which vectors of one cloud end alike."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from spymaster.lake import Lake
from spymaster.market.calendar import RTH_OPEN, wall_time_ns
from spymaster.setups.vector_layout import layout
from spymaster.setups.vector_scaler import select_sessions, session_scaler
from spymaster.tables import TableModel
from spymaster.tables.setup_episode import SetupEpisode
from spymaster.tables.setup_outcome import OUTCOMES, SetupOutcome
from spymaster.tables.setup_vector import SetupVector
from spymaster.tables.vector_scaler import VectorScaler
from spymaster_tests.setups.markets import SPOT, TICK

SYMBOL = "ES"
SECOND = 1_000_000_000
TOUCHES, CANDLES = 12, 6
DATES = [
    date(2024, 1, 2) + timedelta(days=k) for k in range(10) if (date(2024, 1, 2) + timedelta(days=k)).weekday() < 5
]
"""Eight dates; the last is the one that is asked about."""


def build(root: Path, *, changed: date | None = None) -> Lake:
    """The lake; with `changed`, dates from then on have other vectors and outcomes."""
    lake = Lake.open(root, create=True, kind="simulated")
    lake.set_profile("demo")
    for number, dt in enumerate(DATES):
        late = changed is not None and dt >= changed
        for model, frame in session(dt, seed=number + (1000 if late else 0)).items():
            store(lake, model, dt, frame)
        before = select_sessions(lake.partitions(SetupVector, SYMBOL), dt, lake.settings)
        store(lake, VectorScaler, dt, session_scaler(before, dt))
    return lake


def store(lake: Lake, model: type[TableModel], dt: date, frame: pl.DataFrame) -> None:
    with lake.writer(model, SYMBOL, dt) as writer:
        writer.write(frame)
        writer.commit(provenance="simulated")


def session(dt: date, *, seed: int) -> dict[type[TableModel], pl.DataFrame]:
    """Rows of one date: touches at two levels and a placebo's, candles, and candidates."""
    rng = np.random.default_rng(seed)
    opened = wall_time_ns(dt, RTH_OPEN)
    episodes, outcomes, vectors = [], [], []
    for number in range(TOUCHES + CANDLES + 1):
        kind = "touch" if number < TOUCHES or number == TOUCHES + CANDLES else "candle"
        placebo = number == TOUCHES + CANDLES
        at = opened + (1200 * (number + 1)) * SECOND + (0 if kind == "candle" else 1 + number)
        level = f"ES:{dt}:{'PMH' if number % 2 else 'ONL'}:0" + (":+15" if placebo else "")
        name, cloud = f"{kind}:{level}:{at}", int(rng.integers(0, 3))
        direction = 1 if number % 3 else -1
        episodes.append(_episode(dt, name, kind, level, at, direction, placebo, 1200 * (number + 1)))
        end = OUTCOMES[cloud] if rng.random() < 0.95 else OUTCOMES[int(rng.integers(0, 3))]
        outcomes += [_outcome(name, at, horizon, end) for horizon in ((30, 120, 360) if kind == "touch" else (360,))]
        for family in ("s1", "s5") if kind == "touch" else ("c120", "s5"):
            point = rng.normal(size=layout(family).n)
            point[cloud * 60 : cloud * 60 + 60] += 3.0
            vectors.append(_vector(name, kind, direction, family, at // SECOND * SECOND, point))
    for k in range(40):
        for family in ("s1", "s5", "c120"):
            point = rng.normal(size=layout(family).n)
            vectors.append(_vector(None, "candidate", 1, family, opened + 120 * (k + 1) * SECOND, point))
    return {
        SetupEpisode: _frame(SetupEpisode, episodes),
        SetupOutcome: _frame(SetupOutcome, outcomes),
        SetupVector: _frame(SetupVector, vectors),
    }


def _frame(model: type[TableModel], rows: list[dict[str, Any]]) -> pl.DataFrame:
    plain = {name: pl.Int64 if isinstance(kind, pl.Datetime) else kind for name, kind in model.schema().items()}
    frame = pl.DataFrame([{name: row.get(name) for name in plain} for row in rows], schema=plain)
    typed = frame.select(pl.col(name).cast(kind) for name, kind in model.schema().items())
    return model.validate(typed.sort(model.key))


def _vector(name: str | None, kind: str, direction: int, family: str, at: int, point: np.ndarray) -> dict[str, Any]:
    return {
        "episode_id": name, "kind": kind, "direction": direction, "family": family, "lead_s": 0, "ts_cutoff": at,
        "layout_version": layout(family).version, "vector_dim": len(point), "sigma_60": 6.0, "valid": True,
        "vector": point.astype(np.float32).tolist(), "provenance": "simulated",
    }  # fmt: skip


def _episode(
    dt: date, name: str, kind: str, level: str, at: int, direction: int, placebo: bool, tod: int
) -> dict[str, Any]:
    touch = kind == "touch"
    bar = at // SECOND // 120 - 2
    return {
        "contract": "ESH4", "session_date": dt, "episode_id": name, "kind": kind, "direction": direction,
        "level_id": level, "group_id": f"{level}@0", "level_types": [level.split(":")[2]], "is_placebo": placebo,
        "match_set_id": name, "ts_approach": at - SECOND if touch else None, "ts_decision": at,
        "ts_trigger_bar": None if touch else bar * 120 * SECOND, "trigger_bar": None if touch else bar,
        "confirm_bar": None if touch else bar + 1, "candle_id_trigger": None if touch else tod // 120,
        "level_price_int": SPOT, "spot_ref_price_int": SPOT, "p0_mid2_int": 2 * SPOT + TICK, "rel_ticks": 0.0,
        "touch_index": 1, "gap_through": False if touch else None, "trigger_kind": None if touch else "cross",
        "confirm_kind": None if touch else "hold", "approach_speed": 1.0, "sigma_15": 3.0, "sigma_60": 6.0,
        "sigma_120": 3.0 * 8**0.5, "msg_rate_rel": 1.0, "tod_sec": tod, "overlap_n": 1, "weight_unique": 1.0,
        "valid": True, "invalid_reason": None, "provenance": "simulated",
    }  # fmt: skip


def _outcome(name: str, at: int, horizon: int, end: str) -> dict[str, Any]:
    hit = end != "chop"
    shares = {f"{prefix}_{kind}": value for prefix in ("b1", "lv_b1")
              for kind, value in zip(OUTCOMES, (0.4, 0.4, 0.2), strict=True)}  # fmt: skip
    return {
        "episode_id": name, "horizon_s": horizon, "k_barrier": 1.0, "barrier_ticks": 8, "sigma_h_ticks": 8.0,
        "ts_label_start": at, "ts_label_end": at + horizon * SECOND, "outcome": end, "lv_outcome": end,
        "ts_hit": at + 5 * SECOND if hit else None, "t_hit_s": 5.0 if hit else None, "whipsaw": False,
        "mfe_ticks": 9.0 if end == "break" else 2.0, "mae_ticks": 9.0 if end == "reject" else 2.0,
        "end_ticks": {"break": 7.0, "reject": -7.0, "chop": 0.5}[end], "horizon_end_reason": "horizon",
        "censored": False, "valid": True, "provenance": "simulated", **shares,
    }  # fmt: skip
