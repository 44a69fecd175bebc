"""Rows of a date for tests of the report: one finding and one group without per test, made up."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import polars as pl

from spymaster.evidence.report.gather import ReportData, by_minute, highest
from spymaster.evidence.verdicts import Least
from spymaster.settings import EvidenceSettings
from spymaster.tables.algo_contrast import AlgoContrast
from spymaster.tables.algo_curve import AlgoCurve
from spymaster.tables.algo_exemplar import AlgoExemplar
from spymaster.tables.algo_intensity_1s import INTENSITY_BANDS, INTENSITY_SIDES
from spymaster.tables.algo_replication import AlgoReplication
from spymaster.tables.algo_run import AlgoRun
from spymaster.tables.algo_test import AlgoTest
from spymaster.tables.model import TableModel
from spymaster_tests.tables import evidence_samples as samples

SECOND = 1_000_000_000
START = samples.START
MINUTES = 60
DAY = date(2024, 1, 2)
LEAST = Least.of(EvidenceSettings())
ALL = {"kind": "*", "side": "*", "size": "*", "distance": "*", "segment": "*", "reference": "*", "relation": "*"}
PEAKS = {
    "E1": ("ms", 20.5, "ms", 15.0, 500.0),
    "E2": ("peg_lag", 3.2, "ms", 0.1, 15.0),
    "E3": ("ms", 31.5, "ms", 15.0, 200.0),
    "E4": ("1s", 10.0, "ms", 0.0, 1000.0),
    "E5": ("slow", 10.02, "Hz", 0.2, 40.0),
    "E6": ("synthetic", 12.0, "ms", 0.1, 300.0),
    "E7": ("episodes", 153.0, "ms", 0.0, 1000.0),
    "E10": ("10us", 80.0, "ms", 0.0, 0.0),
}


def stratum(**given: str) -> str:
    return json.dumps(ALL | given, sort_keys=True, separators=(",", ":"))


def frame(model: type[TableModel], rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows in the table's types; times are given in ns."""
    if not rows:
        return model.empty()
    plain = {name: column.dtype for name, column in model.columns.items() if not isinstance(column.dtype, pl.Datetime)}
    made = pl.DataFrame(rows, schema_overrides=plain, infer_schema_length=None)
    return made.select([pl.col(name).cast(column.dtype) for name, column in model.columns.items()])


def tests_and_curves(found: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    rng = np.random.default_rng(1)
    tests, curves = [], []
    for test, (sub, peak, unit, low, high) in PEAKS.items():
        for place in range(2):
            hit = found and place == 0
            group = {"side": "BA"[place]}
            if test == "E3":
                group = {"kind": "cancel", "reference": "trade_buy", "relation": ("same", "other")[place]}
            elif test in ("E1", "E4", "E5"):
                group |= {"kind": "cancel", "size": "1"}
            name = f"ES:{DAY}:none:{test}:{sub}:{place:04d}"
            ratio = test == "E7"
            size = (3.4 if ratio else 0.041) if hit else (1.1 if ratio else 0.0004)
            spread = 0.5 if ratio else 0.004
            tests.append(
                samples.test(0)
                | {
                    "test_row_id": name,
                    "test_id": test,
                    "sub_id": sub,
                    "stratum_json": stratum(**group),
                    "family_id": f"{test}:none",
                    "effect": size,
                    "effect_lo": size - spread,
                    "effect_hi": size + spread,
                    "effect_unit": "ratio" if ratio else "share",
                    "peak_value": peak,
                    "peak_unit": unit,
                    "n_ref": 84_211,
                    "ts_start": START,
                    "ts_end": START + MINUTES * 60 * SECOND,
                    "available_from": START + MINUTES * 60 * SECOND,
                    "q_bh": 0.0004 if hit else 0.61,
                    "q_by": 0.001 if hit else 1.0,
                    "p_raw": 0.0002 if hit else 0.4,
                    "null_method": {
                        "E4": "blockshift",
                        "E7": "seriesshift and jitter",
                        "E6": "jitter and markperm",
                    }.get(test, "jitter"),
                    "verdict": f"simulated:{'weak' if hit else 'none'}",
                }
            )
            curves += [{"test_row_id": name} | row for row in _bins(rng, test, hit, peak, low, high)]
    fact = next(row for row in map(samples.test, range(4)) if row["p_method"] == "fact")
    tests.append(fact | {"effect": 0.012, "effect_lo": 0.008, "effect_hi": 0.017, "stratum_json": stratum(side="B")})
    return frame(AlgoTest, tests), frame(AlgoCurve, curves)


def _bins(rng: np.random.Generator, test: str, hit: bool, peak: float, low: float, high: float) -> list[dict[str, Any]]:
    if test == "E10":
        rows = []
        for k, (bid, ask) in enumerate(((1, 1), (1, 2), (2, 2), (3, 4))):
            mean = (2.0, 1.0, 0.5, 0.1)[k]
            seen = (340.0 if hit else 2.0, 1.0, 1.0, 0.0)[k]
            rows.append(_bin(k, 7 * 64 + bid * 8 + ask, 7 * 64 + bid * 8 + ask + 1, "cell", seen, mean, hit and k == 0))
        return rows
    edges = np.geomspace(low, high, 43) if test == "E6" else np.linspace(low, high, 51 if test == "E4" else 186)
    rows = []
    for k in range(len(edges) - 1):
        inside = edges[k] <= peak < edges[k + 1]
        mean = 2.0 if test == "E5" else 200.0
        seen = float(abs(rng.normal(mean, mean**0.5))) + (
            mean * (6 if test in ("E1", "E6") else 2) if hit and inside else 0
        )
        seen = 210.0 if test == "E5" and hit and inside else seen
        rows.append(_bin(k, edges[k], edges[k + 1], "Hz" if test == "E5" else "ms", seen, mean, hit and inside))
    return rows


def _bin(k: int, low: float, high: float, unit: str, seen: float, mean: float, peak: bool) -> dict[str, Any]:
    top = 26.0 if unit == "Hz" else mean + 1.7 * mean**0.5
    return {
        "bin": k, "x_lo": float(low), "x_hi": float(high), "x_unit": unit, "observed": seen, "mean": mean,
        "lo": max(mean - 1.7 * mean**0.5, 0), "hi": top, "z": (seen - mean) / mean**0.5, "in_peak": bool(peak),
    }  # fmt: skip


def exemplars() -> pl.DataFrame:
    rows = [
        samples.exemplar(1)
        | {
            "test_row_id": f"ES:{DAY}:none:E1:ms:0000",
            "link_id": k,
            "order_id": 64_130_000_000 + k,
            "ts_event": START + k * 71 * SECOND,
        }
        for k in range(8)
    ]
    rows += [
        samples.exemplar(0)
        | {
            "test_row_id": f"ES:{DAY}:none:E2:peg_lag:0000",
            "link_id": k,
            "role": ("chain_pegged", "chain_other")[k % 2],
            "kind": "reprice",
            "ts_event": START + (200 + 100 * k) * SECOND,
            "lag_ns": (20 + 7 * k) * SECOND,
            "is_typical": True,
        }
        for k in range(30)
    ]
    rows += [
        samples.exemplar(1)
        | {
            "test_row_id": f"ES:{DAY}:none:E7:episodes:0000",
            "link_id": 0,
            "member": k,
            "role": "layer",
            "side": "A",
            "rel_ticks": 2 + k,
            "size": 40,
            "ts_event": START + k * 150_000_000,
            "ts_end": START + 1_900_000_000 + k * 9_000_000,
            "lifetime_ns": 1_900_000_000 - k * 141_000_000,
            "lag_ns": 150_000_000 + k * 9_000_000,
        }
        for k in range(5)
    ]
    return frame(AlgoExemplar, rows)


def intensity() -> pl.DataFrame:
    rng = np.random.default_rng(2)
    parts = []
    for side in INTENSITY_SIDES:
        for band in INTENSITY_BANDS:
            seconds = np.arange(1, MINUTES * 60 + 1)
            share = np.clip(0.04 + 0.03 * np.sin(seconds / 400) + rng.normal(0, 0.02, len(seconds)), 0, 1)
            many = rng.integers(20, 80, len(seconds))
            parts.append(
                pl.DataFrame(
                    {
                        "window_end": START + seconds * SECOND,
                        "side": side,
                        "band": band,
                        "n_msgs": many,
                        "n_attr": share * many,
                        "share_msgs": share,
                    }
                )
            )
    return pl.concat(parts).with_columns(
        pl.col("window_end").cast(pl.Datetime("ns", "UTC")), pl.col("side").cast(pl.Enum(INTENSITY_SIDES)),
        pl.col("band").cast(pl.Enum(INTENSITY_BANDS)), expected_share=pl.lit(0.04),
        intensity_z=pl.lit(None, pl.Float32),
    )  # fmt: skip


def candles() -> pl.DataFrame:
    rng = np.random.default_rng(3)
    close = 4800 + np.cumsum(rng.normal(0, 0.8, MINUTES // 2))
    start = START + np.arange(MINUTES // 2) * 120 * SECOND
    open_ = np.concatenate([[4800], close[:-1]])
    prices = {
        "open": open_,
        "high": np.maximum(open_, close) + 0.5,
        "low": np.minimum(open_, close) - 0.5,
        "close": close,
    }
    times = {"bar_start": start, "window_end": start + 120 * SECOND}
    return pl.DataFrame(
        {name: pl.Series(value).cast(pl.Datetime("ns", "UTC")) for name, value in times.items()}
        | {f"{name}_price_int": (value * 1e9).astype(np.int64) for name, value in prices.items()}
    )


def levels() -> pl.DataFrame:
    begin = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
    rows = [("PMH", 4801.0, False), ("ORL15", 4797.5, False), ("ONH", 4801.25, True)]
    return pl.DataFrame(
        {
            "level_type": [row[0] for row in rows],
            "price_int": [int(row[1] * 1e9) for row in rows],
            "valid_from": [begin] * 3,
            "valid_to": [None] * 3,
            "is_placebo": [row[2] for row in rows],
            "is_moving": [False] * 3,
        },
        schema_overrides={"valid_from": pl.Datetime("ns", "UTC"), "valid_to": pl.Datetime("ns", "UTC")},
    )


def contrast() -> pl.DataFrame:
    return frame(AlgoContrast, [samples_of_contrast(index) for index in (2, 0, 1, 3)])


def samples_of_contrast(index: int) -> dict[str, Any]:
    """The registered question last in order, one found, one not, one with too few sets."""
    name = ("band_AT", "before_break", "primary", "share_chain")[index]
    few = index == 3
    return {
        "contrast_id": name,
        "is_primary": name == "primary",
        "n_s": 10,
        "measure": "share_chain" if few else "share_msgs",
        "side": "all",
        "band": "AT" if index == 0 else "all",
        "case_def": "break" if index == 1 else "reject",
        "same_rate": False,
        "first_dt": date(2024, 1, 2),
        "last_dt": date(2024, 1, 5),
        "n_sets": 4 if few else 60,
        "n_days": 1 if few else 6,
        "n_dropped": 3,
        "mean_case": 0.09,
        "mean_control": 0.06,
        "delta": 0.03,
        "ci_lo": None if few else 0.012,
        "ci_hi": None if few else 0.047,
        "p_swap": 0.0105,
        "p_days": 1.0 if few else 0.03125,
        "p_perm": 1.0 if few else 0.03125,
        "q_bh": (0.04, 0.04, None, 1.0)[index],
        "mdd": None if few else 0.025,
        "verdict": "too_few" if few else "higher",
        "provenance": "simulated",
    }


def report_data(*, found: bool = True, controls: bool = False) -> ReportData:
    """A simulated hour; with `found` every test has a finding, without none has."""
    tests, curves = tests_and_curves(found)
    if not found:
        tests = tests.filter(pl.col("p_method") != "fact")
    over = [
        samples.replication(0)
        | {
            "test_id": row["test_id"],
            "sub_id": row["sub_id"],
            "stratum_json": row["stratum_json"],
            "verdict": row["verdict"],
            "peak_value": row["peak_value"],
            "peak_unit": row["peak_unit"],
        }
        for row in tests.iter_rows(named=True)
    ]
    rows = intensity()
    run = frame(
        AlgoRun, [samples.run(1) | {"ts_start": START, "ts_end": START + MINUTES * 60 * SECOND, "law_dates": [DAY]}]
    )
    held = tests.with_columns(
        is_negative_control=pl.lit(True), control_kind=pl.lit("jittered").cast(tests.schema["control_kind"])
    )
    return ReportData(
        "ES", DAY, run.row(0, named=True), tests, held if controls else held.clear(), curves, exemplars(),
        frame(AlgoReplication, over).unique(["test_id", "sub_id", "stratum_json"], maintain_order=True),
        by_minute(rows), highest(rows), contrast() if found else frame(AlgoContrast, []), DAY if found else None,
        candles(), levels(), "0123456789abcdef", "0.1.0", LEAST,
    )  # fmt: skip
