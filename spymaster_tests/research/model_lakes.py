"""The lake of setups of `lakes`, with the seconds that models read: measures, conditions, and the contract's tick."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from spymaster.lake import Lake
from spymaster.research.sample_tables import TABLES
from spymaster.tables.future_definition import FutureDefinition
from spymaster.tables.move_conditions_1s import MoveConditions1s
from spymaster.tables.move_measure_1s import MoveMeasure1s
from spymaster.tables.retrieval_result import RetrievalResult
from spymaster.tables.setup_episode import SetupEpisode
from spymaster.tables.setup_vector import SetupVector
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


def mirrored(lake: Lake, root: Path, dt: date) -> Lake:
    """A lake of one date in which prices are turned upside down: asks are bids, up is down, outcomes are the same."""
    other = Lake.open(root, create=True, kind="simulated")
    other.set_profile("demo")
    turned = {
        model: lake.partition(model, SYMBOL, dt).read() for model in TABLES.values() if model is not RetrievalResult
    }
    for model in (SetupEpisode, SetupVector):
        turned[model] = turned[model].with_columns(-pl.col("direction")).sort(model.key)
    candidates = pl.col("kind") == "candidate"  # which are upwards by contract
    turned[SetupVector] = turned[SetupVector].with_columns(
        direction=pl.when(candidates).then(pl.lit(1, pl.Int8)).otherwise("direction")
    )
    turned[MoveMeasure1s] = turned[MoveMeasure1s].with_columns(mid2_int=4 * SPOT - pl.col("mid2_int"))
    sides = turned[MoveConditions1s]
    swapped = {name: sides[twin].alias(name) for name in sides.columns if (twin := _other_side(name)) in sides.columns}
    turned[MoveConditions1s] = sides.with_columns(**swapped)
    for model, frame in turned.items():
        store(other, model, dt, frame.sort(model.key))
    return other


def _other_side(name: str) -> str:
    swap = {"ask": "bid", "bid": "ask", "up": "dn", "dn": "up"}
    return "_".join(swap.get(part, part) for part in name.split("_"))
