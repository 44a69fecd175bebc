"""Results as rows of the tables: `gold.algo_test`, `gold.algo_curve`, `gold.algo_exemplar`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from spymaster.evidence.arrays import DayArrays
from spymaster.evidence.families import Judged
from spymaster.evidence.identity import Identity
from spymaster.evidence.maxstat import ALPHA
from spymaster.evidence.result import Curve, Exemplars, TestResult
from spymaster.evidence.verdicts import Least, day_verdict
from spymaster.tables.algo_curve import AlgoCurve
from spymaster.tables.algo_exemplar import AlgoExemplar
from spymaster.tables.algo_test import SIMULATED, AlgoTest
from spymaster.tables.types import MESSAGE_KINDS, SIDES

OWN_LAW = "own_law"
"""Note of rows whose thresholds and favourite sizes are of the date itself."""


@dataclass(frozen=True)
class Context:
    """What all rows of a date share."""

    symbol: str
    dt: date
    identity: Identity
    contract: str
    session_date: date
    provenance: str
    seed: int
    holdout: bool
    least: Least
    blocked: bool = False
    """A control of the date failed."""


def row_id(context: Context, one: Judged, day: DayArrays, control: str = "none") -> str:
    """Name of a row: unique in the lake, the same in every run."""
    parts = [context.symbol, context.dt.isoformat(), *([control] if control != "none" else [])]
    parts += [one.result.test_id, one.result.sub_id, f"{one.place:04d}"]
    if one.result.window is not None:
        parts.append(f"w{(one.result.window[0] - day.start) // 10**9:06d}")
    return ":".join(parts)


def result_rows(
    context: Context, day: DayArrays, judged: Sequence[Judged], *, control: str = "none", provenance: str = ""
) -> pl.DataFrame:
    """Rows of `gold.algo_test`. control: kind of control; provenance: of a control, where it is not the date's."""
    rows = [_test_row(context, day, one, control, provenance or context.provenance) for one in judged]
    return frame_of(AlgoTest, rows).sort("test_row_id")


def _test_row(context: Context, day: DayArrays, one: Judged, control: str, provenance: str) -> dict[str, Any]:
    result = one.result
    start, end = result.window or (day.start, day.end)
    passed = least_passed(context.least, result)
    agree = one.halves.agree if one.halves else None
    is_control = control != "none"
    verdict = day_verdict(result.p_method, one.q_bh, passed, agree, result.notes)
    if (is_control or context.blocked) and verdict == "weak":
        verdict = "none"
    effect = {name: _known(getattr(result, name)) for name in ("effect", "effect_lo", "effect_hi")}
    if None in effect.values():
        effect = dict.fromkeys(effect)
    peak = _known(result.peak_value)
    return {
        "run_id": context.identity.run_id,
        "test_row_id": row_id(context, one, day, control),
        "code_hash": context.identity.code_hash,
        "strata_hash": context.identity.strata_hash,
        "data_hash": context.identity.data_hash,
        "contract": context.contract,
        "session_date": context.session_date,
        "provenance": provenance,
        "ts_start": start,
        "ts_end": end,
        "available_from": max(day.end, end),
        "test_id": result.test_id,
        "sub_id": result.sub_id,
        "stratum_json": result.stratum_json,
        "family_id": f"{result.test_id}:{context.dt}:{control}",
        "n_ref": result.n_ref,
        "n_tgt": result.n_tgt,
        "statistic": result.statistic,
        "stat_name": result.stat_name,
        **effect,
        "effect_unit": result.effect_unit,
        "peak_value": peak,
        "peak_unit": result.peak_unit,
        "peak_width": None if peak is None else _known(result.peak_width) or 0.0,
        "null_method": result.null_method,
        "null_param_json": json.dumps(result.null_param, sort_keys=True),
        "n_surrogate": result.n_surrogate,
        "seed": context.seed,
        "p_raw": result.p_raw,
        "p_floor": result.p_floor if result.p_raw is not None else None,
        "p_method": result.p_method,
        "q_bh": one.q_bh,
        "q_by": one.q_by,
        "family_size": one.family_size,
        "underpowered_family": one.underpowered_family,
        "peak_first_half": _known(one.halves.first) if one.halves else None,
        "peak_second_half": _known(one.halves.second) if one.halves else None,
        "halves_agree": agree,
        "holdout_flag": context.holdout,
        "is_negative_control": is_control,
        "control_kind": control,
        "blocked_by_control": context.blocked and not is_control,
        "verdict": verdict if provenance == "real" else f"{SIMULATED}{verdict}",
        "weights_json": json.dumps({"unit": result.weights.unit, "bins": result.weights.bins}),
        "facts_json": json.dumps({name: _known(value) for name, value in result.facts.items()}, sort_keys=True),
        "notes": [*result.notes, *([] if day.law.dates else [OWN_LAW])],
    }


def least_passed(least: Least, result: TestResult) -> bool:
    """Whether the effect of a result is beyond the least one."""
    return least.is_passed(result.effect_lo, result.effect_unit, result.n_ref, result.n_tgt)


def curve_rows(context: Context, day: DayArrays, judged: Sequence[Judged]) -> pl.DataFrame:
    """Rows of `gold.algo_curve`."""
    frames = [_curve(row_id(context, one, day), one.result.curve) for one in judged if one.result.curve is not None]
    return pl.concat([AlgoCurve.empty(), *frames]).sort("test_row_id", "bin")


def _curve(identity: str, curve: Curve) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "bin": np.arange(len(curve.low)), "x_lo": curve.low, "x_hi": curve.high, "observed": curve.observed,
            "mean": curve.mean, "lo": curve.band_low, "hi": curve.band_high, "z": curve.z, "in_peak": curve.peak,
        }
    ).with_columns(test_row_id=pl.lit(identity), x_unit=pl.lit(curve.unit))  # fmt: skip
    return frame.select(pl.col(name).cast(dtype) for name, dtype in AlgoCurve.schema().items())


def exemplar_rows(context: Context, day: DayArrays, judged: Sequence[Judged], rel_ticks: pl.Series) -> pl.DataFrame:
    """Rows of `gold.algo_exemplar`, of facts and of what has q_bh <= 0.05: elsewhere nothing is shown by any message.

    rel_ticks: column of all messages of the date, in stored order.
    """
    frames = [
        _exemplars(context, row_id(context, one, day), day, one.result.exemplars, rel_ticks)
        for one in judged
        if one.result.exemplars is not None
        and len(one.result.exemplars.index)
        and (one.result.p_method == "fact" or (one.q_bh or 1.0) <= ALPHA)
    ]
    return pl.concat([AlgoExemplar.empty(), *frames]).sort("test_row_id", "link_id", "member")


def _exemplars(
    context: Context, identity: str, day: DayArrays, exemplars: Exemplars, rel_ticks: pl.Series
) -> pl.DataFrame:
    index = exemplars.index
    if exemplars.table == "messages":
        messages = day.messages
        row, ends, lasted = index, [None] * len(index), [None] * len(index)
        columns = (messages.order, messages.event, messages.ts, messages.price, messages.qty)
        order, event, ts, price, size = (column[index] for column in columns)
        kinds, sides = messages.kind[index], messages.side[index]
    else:
        lives = day.lives
        row = _entries(day, index)
        ends, lasted = lives.ts_end[index].tolist(), (lives.ts_end[index] - lives.ts_add[index]).tolist()
        columns = (lives.order, lives.event_add, lives.ts_add, lives.price, lives.size)
        order, event, ts, price, size = (column[index] for column in columns)
        kinds, sides = np.zeros(len(index), np.uint8), lives.side[index]  # an order is shown by its entry, kind 0
    known = np.maximum(row, 0)
    dist = np.where(row >= 0, day.messages.dist[known], np.iinfo(np.int32).max)
    frame = pl.DataFrame(
        {
            "link_id": exemplars.link,
            "role": exemplars.role,
            "order_id": order,
            "event_id": event,
            "ts_event": ts,
            "ts_end": pl.Series(ends, dtype=pl.Int64),
            "kind": [MESSAGE_KINDS[code] for code in kinds],
            "side": [SIDES[code] for code in sides],
            "price_int": price,
            "size": size,
            "dist_ticks": dist,
            "lifetime_ns": pl.Series(lasted, dtype=pl.Int64),
            "lag_ns": exemplars.lag_ns,
            "weight": np.clip(exemplars.weight, 0, 1),
            "is_typical": exemplars.is_typical,
        }
    ).with_columns(
        rel_ticks=pl.when(pl.Series(row >= 0)).then(rel_ticks.gather(known)),
        event_id=pl.when(pl.col("event_id") >= 0).then("event_id"),
        dist_ticks=pl.when(pl.col("dist_ticks") != np.iinfo(np.int32).max).then("dist_ticks"),
        member=pl.int_range(pl.len()).over("link_id"),
        run_id=pl.lit(context.identity.run_id),
        test_row_id=pl.lit(identity),
    )
    return frame.select(pl.col(name).cast(dtype) for name, dtype in AlgoExemplar.schema().items())


def _entries(day: DayArrays, lives: np.ndarray) -> np.ndarray:
    """Rows of the messages that entered these lives, -1 where the entry was not seen."""
    messages = day.messages
    rows = np.full(len(lives), -1, np.int64)
    first = np.searchsorted(messages.event, day.lives.event_add[lives])
    for number, (start, order) in enumerate(zip(first.tolist(), day.lives.order[lives], strict=True)):
        place = start
        wanted = day.lives.event_add[lives[number]]
        while place < len(messages.event) and messages.event[place] == wanted:
            if messages.order[place] == order:
                rows[number] = place
                break
            place += 1
    return rows


def _known(value: float | None) -> float | None:
    """Null for what was not measured."""
    return None if value is None or not np.isfinite(value) else float(value)


def frame_of(model: Any, rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Rows as a frame of the table; times are given in ns."""
    columns = {}
    for name, dtype in model.schema().items():
        values = [row[name] for row in rows]
        first = pl.Int64 if isinstance(dtype, pl.Datetime) else dtype
        columns[name] = pl.Series(name, values, dtype=first).cast(dtype)
    return pl.DataFrame(columns)
