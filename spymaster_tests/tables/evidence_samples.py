"""Sample rows of the search for automation; see `samples`."""

from __future__ import annotations

from datetime import date
from typing import Any

from spymaster_tests.tables.setup_samples import SECOND, SPOT, START

Row = dict[str, Any]

DAY = date(2024, 1, 2)
HOUR = 3600 * SECOND
STRATUM = '{"distance":"*","kind":"cancel","reference":"*","relation":"*","segment":"open","side":"B","size":"'
BINS = '{"unit":"ns","bins":[[20000000,21000000,0.75]]}'


def stratum(size: str) -> str:
    """Cancelled bids of the first hour, of one size."""
    return f'{STRATUM}{size}"}}'


def law(index: int) -> Row:
    """Four dates of one partition do not occur; four rows do for the contract."""
    return {
        "session_date": date(2024, 1, 2 + index),
        "contract": "ESH4",
        "n_messages": 100_000,
        "sizes": [1, 2, 7],
        "counts": [70_000, 20_000, 900],
        "large_behind": 20,
        "layer_total": 180,
        "provenance": "simulated",
    }


def run(index: int) -> Row:
    """The first has no law but its own and no messages; the last ran controls."""
    known = index > 0
    return {
        "run_id": f"{index}123456789abcdef",
        "code_hash": "a" * 16,
        "strata_hash": "b" * 16,
        "data_hash": "c" * 16,
        "contract": "ESH4",
        "session_date": DAY,
        "ts_start": START,
        "ts_end": START + HOUR,
        "seed": 1,
        "profile": "standard" if index == 3 else "demo",
        "n_surrogate": 199 if index == 3 else 99,
        "n_surrogate_second": 1999 if index == 3 else None,
        "n_messages": 100_000 if known else 0,
        "n_usable": 90_000 if known else 0,
        "n_mass_cancel": 21 if known else 0,
        "capture_p50_ns": 90_000 if known else None,
        "capture_p90_ns": 120_000 if known else None,
        "capture_p99_ns": 250_000 if known else None,
        "role": "holdout" if index == 2 else "discovery",
        "law_dates": [date(2023, 12, 29)] if known else [],
        "law_json": '{"large_add":20,"layer_total":180,"favourites":[7,12]}',
        "controls": "sample" if index == 3 else "none",
        "controls_passed": True if index == 3 else None,
        "n_tests": 400,
        "provenance": "simulated",
    }


def test(index: int) -> Row:
    """Found, not found, a screen without a line, and a fact."""
    method = ("mc", "mc", "screened", "fact")[index]
    tested, measured = method == "mc", method != "screened"
    identity = ("E1:ms:0001", "E1:ms:0002", "E5:slow:0000", "E6:native:0000")[index]
    return {
        "run_id": "0123456789abcdef",
        "test_row_id": f"ES:2024-01-02:{identity}",
        "code_hash": "a" * 16,
        "strata_hash": "b" * 16,
        "data_hash": "c" * 16,
        "contract": "ESH4",
        "session_date": DAY,
        "provenance": "simulated",
        "ts_start": START,
        "ts_end": START + HOUR,
        "available_from": START + HOUR,
        "test_id": ("E1", "E1", "E5", "E6")[index],
        "sub_id": ("ms", "ms", "slow", "native")[index],
        "stratum_json": stratum("7" if index else "*"),
        "family_id": ("E1", "E1", "E5", "E6")[index] + ":2024-01-02:none",
        "n_ref": 5000,
        "n_tgt": 4000,
        "statistic": 12.5,
        "stat_name": "largest z of an age",
        "effect": 0.04 if measured else None,
        "effect_unit": "share",
        "effect_lo": 0.03 if measured else None,
        "effect_hi": 0.05 if measured else None,
        "peak_value": 20.5 if measured else None,
        "peak_unit": "ms",
        "peak_width": 0.25 if measured else None,
        "null_method": "jitter",
        "null_param_json": '{"cell_ns":5000000}',
        "n_surrogate": 199 if tested else 0,
        "seed": 1,
        "p_raw": (0.005, 0.5, None, None)[index],
        "p_floor": 0.005 if tested else None,
        "p_method": method,
        "q_bh": (0.01, 0.5, None, None)[index],
        "q_by": (0.015, 0.75, None, None)[index],
        "family_size": (2, 2, 720, 0)[index],
        "underpowered_family": False,
        "peak_first_half": 20.5 if index == 0 else None,
        "peak_second_half": 20.25 if index == 0 else None,
        "halves_agree": True if index == 0 else None,
        "holdout_flag": False,
        "is_negative_control": False,
        "control_kind": "none",
        "blocked_by_control": False,
        "verdict": "simulated:" + ("weak", "none", "none", "fact")[index],
        "weights_json": BINS if index < 2 else '{"unit":"member","bins":[]}',
        "facts_json": '{"share_below_2000_ms":0.5}',
        "notes": (["own_law"], ["leads_reference"], [], [])[index],
    }


def curve(index: int) -> Row:
    """Four bins of the first test, one of them the peak."""
    peak = index == 2
    return {
        "test_row_id": "ES:2024-01-02:E1:ms:0001",
        "bin": index,
        "x_lo": 18.0 + index,
        "x_hi": 19.0 + index,
        "x_unit": "ms",
        "observed": 400.0 if peak else 200.0,
        "mean": 201.5,
        "lo": 180.0,
        "hi": 225.0,
        "z": 12.5 if peak else -0.25,
        "in_peak": peak,
    }


def exemplar(index: int) -> Row:
    """Two orders, a link each, then the two orders of a pair without spot."""
    paired = index >= 2
    return {
        "run_id": "0123456789abcdef",
        "test_row_id": "ES:2024-01-02:E1:ms:0001",
        "link_id": min(index, 2),
        "member": 1 if index == 3 else 0,
        "role": "twin" if paired else "member",
        "order_id": 6_413_000_000_000 + index,
        "event_id": 100 + index,
        "ts_event": START + index,
        "ts_end": START + index + 20_500_000 if index else None,
        "kind": "add" if index else "cancel",
        "side": "BBBA"[index],
        "price_int": SPOT,
        "rel_ticks": None if paired else -2,
        "dist_ticks": None if paired else 1,
        "size": 7,
        "lifetime_ns": 20_500_000 if index else None,
        "lag_ns": 20_500_000,
        "weight": 0.75,
        "is_typical": index < 3,
    }


def replication(index: int) -> Row:
    """Supported, weak, a fact, and a group that no date tested."""
    tested, seen = index < 2, index < 3
    return {
        "test_id": ("E1", "E1", "E6", "E7")[index],
        "sub_id": ("ms", "ms", "native", "episodes")[index],
        "stratum_json": stratum(("*", "1", "*", "*")[index]),
        "strata_hash": "b" * 16,
        "first_dt": date(2024, 1, 2),
        "last_dt": date(2024, 1, 5),
        "available_from": START + 4 * 24 * HOUR,
        "days_seen": 4,
        "days_tested": 4 if seen else 0,
        "days_replicated": (4, 1, 0, 0)[index],
        "days_discovery": 2,
        "days_discovery_found": (2, 1, 0, 0)[index],
        "days_holdout": 2,
        "days_holdout_found": (2, 0, 0, 0)[index],
        "u": 2 if tested else 0,
        "p_partial_conj": (0.01, 0.6, None, None)[index],
        "p_cauchy": (0.008, 0.1, None, None)[index],
        "effect": 0.04 if seen else None,
        "effect_unit": "ratio" if index == 3 else "share",
        "effect_lo": 0.035 if seen else None,
        "effect_hi": 0.045 if seen else None,
        "peak_value": 20.5 if tested else None,
        "peak_unit": "ms",
        "peak_spread": 0.1 if tested else None,
        "weights_json": BINS if tested else '{"unit":"member","bins":[]}',
        "verdict_discovery": "simulated:" + ("weak", "weak", "fact", "none")[index],
        "verdict": "simulated:" + ("supported", "weak", "fact", "none")[index],
        "provenance": "simulated",
    }
