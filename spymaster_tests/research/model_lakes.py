"""The lake of setups of `lakes`, with the seconds that models read: measures, conditions, and the contract's tick."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from spymaster.lake import Lake
from spymaster.tables.future_definition import FutureDefinition
from spymaster.tables.move_conditions_1s import MoveConditions1s
from spymaster.tables.move_measure_1s import MoveMeasure1s
from spymaster.tables.setup_episode import SetupEpisode
from spymaster.tables.types import TIMESTAMP
from spymaster_tests.research import lakes
from spymaster_tests.research.lakes import DATES, SECOND, SYMBOL, store
from spymaster_tests.setups.markets import SPOT, TICK
from spymaster_tests.tables.samples import frame_of, sample
from spymaster_tests.tables.setup_samples import move_conditions, move_measure

LOOK_BACK_S = 61


def build(root: Path, *, changed: date | None = None) -> Lake:
    """The lake; with `changed`, dates from then on are other ones throughout."""
    lake = lakes.build(root, changed=changed)
    for number, dt in enumerate(DATES):
        late = changed is not None and dt >= changed
        seed = number + (1000 if late else 0)
        decided = lake.partition(SetupEpisode, SYMBOL, dt).read(["ts_decision"])["ts_decision"].to_physical()
        for model, frame in seconds(decided.to_numpy() // SECOND, dt, seed=seed).items():
            store(lake, model, dt, frame)
        named = pl.col("contract").replace("ESF4", "ESH4")
        store(lake, FutureDefinition, dt, sample(FutureDefinition).with_columns(named))
    return lake


def seconds(ends: np.ndarray, dt: date, *, seed: int) -> dict[type, pl.DataFrame]:
    """Rows of the seconds up to some (s since the epoch): the mid walks, and the conditions are noise."""
    rng = np.random.default_rng(seed)
    end = np.unique(np.concatenate([np.arange(at - LOOK_BACK_S, at + 1) for at in ends]))
    half_ticks = np.cumsum(rng.integers(-1, 2, len(end)))
    measures = _repeated(MoveMeasure1s, move_measure(1), len(end)).with_columns(
        window_end=pl.Series(end * SECOND).cast(TIMESTAMP),
        session_date=pl.lit(dt),
        mid2_int=pl.Series(2 * SPOT + half_ticks * TICK),
    )
    noise = {
        name: pl.Series(rng.normal(size=len(end))).clip(-8, 8).cast(pl.Float32)
        for name in MoveConditions1s.columns
        if name.endswith("_w5") and name.split("_")[0] in ("z", "soft", "vacuum", "drive")
    }
    noise["drive_up_w5"] = -noise["drive_dn_w5"]
    conditions = _repeated(MoveConditions1s, move_conditions(1), len(end)).with_columns(
        window_end=pl.Series(end * SECOND).cast(TIMESTAMP), session_date=pl.lit(dt), **noise
    )
    return {MoveMeasure1s: measures, MoveConditions1s: conditions}


def _repeated(model: type, row: dict, count: int) -> pl.DataFrame:
    one = frame_of(model, [row])
    return pl.concat([one] * count)
