"""Sample rows of episodes and outcomes; see `samples`."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

from spymaster_tests.tables.setup_samples import BAR, SECOND, SPOT, START, TICK

Row = dict[str, Any]


def _identity(index: int) -> tuple[str, str, str, int]:
    """Kind, level, id and decision: a candle and three touches, the first of a placebo."""
    kind = "touch" if index else "candle"
    level = "ES:2024-01-02:ONH:0" + (":+17" if index == 1 else "")
    decision = START + (2 * BAR if kind == "candle" else 400 * index * SECOND + index)
    return kind, level, f"{kind}:{level}:{decision}", decision


def episode(index: int) -> Row:
    """A candle, a placebo's touch, a touch that is not valid, and the one that the placebo is compared with."""
    kind, level, name, decision = _identity(index)
    touch, known = kind == "touch", index != 2
    return {
        "contract": "ESH4",
        "session_date": date(2024, 1, 2),
        "episode_id": name,
        "kind": kind,
        "direction": -1 if index == 2 else 1,
        "level_id": level,
        "group_id": f"{level}@{START}",
        "level_types": ["ONH"] if index == 1 else ["ONH", "ORH15"],
        "is_placebo": index == 1,
        "match_set_id": _identity(3)[2] if index in (1, 3) else None,
        "ts_approach": decision - 12 * SECOND if touch else None,
        "ts_decision": decision,
        "ts_trigger_bar": None if touch else START,
        "trigger_bar": None if touch else START // BAR,
        "confirm_bar": None if touch else START // BAR + 1,
        "candle_id_trigger": None if touch else 15,
        "level_price_int": SPOT,
        "spot_ref_price_int": SPOT - TICK,
        "p0_mid2_int": 2 * SPOT - TICK,
        "rel_ticks": 1.0,
        "touch_index": index or 1,
        "gap_through": index == 2 if touch else None,
        "trigger_kind": None if touch else "cross",
        "confirm_kind": None if touch else "hold",
        "approach_speed": 0.75 if known else None,
        "sigma_15": 4.0 if known else None,
        "sigma_60": 8.0 if known else None,
        "sigma_120": 4.0 * math.sqrt(8.0) if known else None,
        "msg_rate_rel": 1.25,
        "tod_sec": 1800 + 400 * index,
        "overlap_n": 0,
        "weight_unique": 1.0,
        "valid": known,
        "invalid_reason": None if known else "no_sigma",
        "provenance": "simulated",
    }


def outcome(index: int) -> Row:
    """A break of a candle, and of touches a chop, one whose episode is not valid, and a reject."""
    kind, _, name, decision = _identity(index)
    horizon = 360 if kind == "candle" else 30
    end = ("break", "chop", None, "reject")[index]
    valid, hit = end is not None, end in ("break", "reject")
    sides = (1, 1, -1) if kind == "candle" else (None, None, None)
    return {
        "episode_id": name,
        "horizon_s": horizon,
        "k_barrier": 1.0,
        "barrier_ticks": 6 if valid else None,
        "sigma_h_ticks": 5.75 if valid else None,
        "ts_label_start": decision,
        "ts_label_end": decision + horizon * SECOND,
        "outcome": end,
        "ts_hit": decision + 4 * SECOND if hit else None,
        "t_hit_s": 4.0 if hit else None,
        "whipsaw": False if valid else None,
        "mfe_ticks": 6.0 if valid else None,
        "mae_ticks": 2.5 if valid else None,
        "end_ticks": -1.5 if valid else None,
        "lv_outcome": end,
        "lv_hit_ts": decision + 5 * SECOND if hit else None,
        **{f"bar_close_side_{k + 1}": side for k, side in enumerate(sides)},
        "bars_to_return": 3 if kind == "candle" else None,
        **{f"{p}_{o}": v if valid else None for p in ("b1", "lv_b1")
           for o, v in (("break", 0.35), ("reject", 0.4), ("chop", 0.25))},
        "horizon_end_reason": "horizon",
        "censored": False,
        "valid": valid,
        "provenance": "simulated",
    }  # fmt: skip
