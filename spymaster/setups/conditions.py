"""`silver.move_conditions_1s` from measures and their scale.

    z        = clip((v - median)/(1.4826 MAD), -8, 8)
    soft_and = -(1/kappa) ln(1/4 sum exp(-kappa z))          over the four z of retreat and net pull
    drive_dn = (z_r_bid + z_n_bid) - (z_r_ask + z_n_ask)

A z is null without a scale: too few sessions, or a MAD below 1e-9. The four conditions read downwards are C1 ask
retreat, C2 ask net pull, C3 bid retreat, C4 bid net pull; upwards the sides change places.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from spymaster.settings import SetupSettings
from spymaster.setups import kernels
from spymaster.setups.condition_scale import least_sessions
from spymaster.setups.condition_values import condition_values, eps, tod_bucket
from spymaster.surfaces.blocks import nanoseconds
from spymaster.tables.move_condition_scale import CONDITIONS
from spymaster.tables.move_conditions_1s import (
    SLOPE_HORIZON,
    SLOPED,
    STATE_NAMES,
    THESES,
    Z_LIMIT,
    MoveConditions1s,
)
from spymaster.tables.move_measure_1s import HORIZONS, MOVE_SIDES, measure

MAD_TO_SIGMA: Final = 1.4826
LEAST_MAD: Final = 1e-9
SLOPE_TAU_S: Final = (2.0, 5.0, 10.0)
DOWN: Final = ("r_ask", "n_ask", "r_bid", "n_bid")
UP: Final = ("r_bid", "n_bid", "r_ask", "n_ask")
SECOND_NS: Final = 1_000_000_000


def move_conditions(
    measures: pl.DataFrame, scale: pl.DataFrame, *, eps_qty: float, settings: SetupSettings, profile: str
) -> pl.DataFrame:
    """`silver.move_conditions_1s` of a date: rows of `move_measure_1s`, and `move_condition_scale` of the same date.

    profile: `standard` or `demo`, which scales need more or fewer sessions for.
    """
    least = least_sessions(settings, profile)
    rows = measures.with_columns(tod_bucket=tod_bucket()).join(
        _wide(scale, least), on="tod_bucket", how="left", maintain_order="left"
    )
    for horizon in HORIZONS:
        rows = _of_horizon(rows, horizon, eps_qty, settings)
    provisional = (pl.col("sessions") < settings.scale_min_sessions).fill_null(True)
    rows = rows.with_columns(_slopes(rows)).with_columns(scale_provisional=provisional)
    return rows.select(pl.col(name).cast(dtype) for name, dtype in MoveConditions1s.schema().items())


def _wide(scale: pl.DataFrame, least: int) -> pl.DataFrame:
    """One row per half hour: median and spread of each measure and look-back, null where they are not to be used."""
    wanted = scale.filter(pl.col("measure").is_in([*CONDITIONS, "add"]))
    enough = pl.col("n_sessions") >= least
    spread = MAD_TO_SIGMA * pl.when(pl.col("mad") >= LEAST_MAD).then(pl.col("mad"))
    named = wanted.select(
        "tod_bucket",
        name=pl.concat_str("measure", pl.lit("_w"), "horizon_s"),
        m=pl.when(enough).then(pl.col("median")),
        s=pl.when(enough).then(spread),
    )
    sessions = wanted.group_by("tod_bucket").agg(sessions=pl.col("n_sessions").min())
    wide = named.pivot(on="name", index="tod_bucket", values=["m", "s"])
    return wide.join(sessions, on="tod_bucket")


def _of_horizon(rows: pl.DataFrame, w: int, eps_qty: float, settings: SetupSettings) -> pl.DataFrame:
    """Add the columns of one look-back."""

    def of(name: str) -> pl.Expr:
        return pl.col(f"{name}_w{w}")

    rows = rows.with_columns(**{f"e_w{w}": eps(pl.col(f"m_add_w{w}"))})
    rows = rows.with_columns(**{f"{name}_w{w}": value for name, value in condition_values(w, of("e")).items()})
    auxiliary = {}
    for side in MOVE_SIDES:
        away, toward = pl.col(measure("away", side, w)), pl.col(measure("toward", side, w))
        auxiliary[f"rho_{side}_w{w}"] = (away - toward) / (away + toward + eps_qty)
    for way, side in (("dn", "bid"), ("up", "ask")):
        fill, pull = pl.col(measure("fill", side, w)), pl.col(measure("pull", side, w))
        auxiliary[f"c5_share_{way}_w{w}"] = pl.when(fill + pull > 0).then(fill / (fill + pull))
    scaled = {
        f"z_{name}_w{w}": ((of(name) - pl.col(f"m_{name}_w{w}")) / pl.col(f"s_{name}_w{w}")).clip(-Z_LIMIT, Z_LIMIT)
        for name in CONDITIONS
    }
    rows = rows.with_columns(**auxiliary, **scaled)
    z = [of(f"z_{name}") for name in DOWN]
    known = pl.all_horizontal(one.is_not_null() for one in z)
    lowest = pl.min_horizontal(z)
    # shifted by the smallest z, so that the sum of exponentials lies between 1 and 4
    spread = pl.sum_horizontal((-settings.kappa * (one - lowest)).exp() for one in z)
    drive = (of("z_r_bid") + of("z_n_bid")) - (of("z_r_ask") + of("z_n_ask"))
    codes = {
        way: _code([of(f"z_{name}") for name in order], settings.theta) for way, order in (("dn", DOWN), ("up", UP))
    }
    values = {
        "soft_and": lowest - (spread / 4.0).log() / settings.kappa,
        "min_z": lowest,
        "vacuum": (of("z_r_ask") + of("z_n_ask")) + (of("z_r_bid") + of("z_n_bid")),
        "drive_dn": drive,
        "drive_up": -drive,
        "state_dn": codes["dn"],
        "state_up": codes["up"],
    }
    rows = rows.with_columns(**{f"{name}_w{w}": pl.when(known).then(value) for name, value in values.items()})
    words = {
        f"c5_dn_w{w}": of("z_f_bid"),
        f"c5_up_w{w}": of("z_f_ask"),
        f"state_name_w{w}": _word(of("state_dn")),
        f"thesis_from_below_w{w}": _thesis(of("state_dn")),
        f"thesis_from_above_w{w}": _thesis(of("state_up")),
    }
    return rows.with_columns(**words)


def _code(z: list[pl.Expr], theta: float) -> pl.Expr:
    """C1 C2 C3 C4 as binary digits: 12 is 1100."""
    digits = [(one >= theta).cast(pl.UInt8) * (8 >> k) for k, one in enumerate(z)]
    return pl.sum_horizontal(digits).cast(pl.UInt8)


def _word(state: pl.Expr) -> pl.Expr:
    names = {15: "both_vacuum", 12: "ask_vacuum", 3: "bid_vacuum", 0: "build"}
    word = state.replace_strict(names, default="mixed", return_dtype=pl.String)
    return pl.when(state.is_not_null()).then(word).cast(pl.Enum(STATE_NAMES))


def _thesis(state: pl.Expr) -> pl.Expr:
    """All four: reject; only the side ahead, whose conditions come first, gives way: break; else chop."""
    word = state.replace_strict({15: "reject", 12: "break"}, default="chop", return_dtype=pl.String)
    return pl.when(state.is_not_null()).then(word).cast(pl.Enum(THESES))


def _slopes(rows: pl.DataFrame) -> list[pl.Series]:
    """Smoothed derivatives of what has them; each starts anew after a second that is missing or has no value."""
    end = nanoseconds(rows["window_end"])
    follows = np.zeros(len(end), dtype=bool)
    follows[1:] = np.diff(end) == SECOND_NS
    alpha = 1.0 - np.exp(-1.0 / np.array(SLOPE_TAU_S))
    series = []
    for name in SLOPED:
        values = rows[f"{name}_w{SLOPE_HORIZON}"].cast(pl.Float64).fill_null(np.nan).to_numpy().copy()
        out = np.empty((len(values), 3))
        kernels.smoothed_slopes(follows, values, alpha, out)
        series += [
            pl.Series(f"d{order + 1}_{name}_w{SLOPE_HORIZON}", out[:, order]).fill_nan(None) for order in range(3)
        ]
    return series
