"""Sample rows of the evaluation; see `samples`."""

from __future__ import annotations

from datetime import date
from typing import Any

from spymaster_tests.tables.setup_samples import SECOND, START

Row = dict[str, Any]


def ledger(index: int) -> Row:
    """A baseline, an idea, the same on the hold-out, and that the hold-out was opened."""
    opening = index == 3
    place = {"kind": "touch", "horizon_s": 120, "lead_s": 5, "head": "side", "algo": ("bar", "stack", "stack")[index],
             "subset": "real", "metric": "auc"} if not opening else {}  # fmt: skip
    return {
        **dict.fromkeys(("kind", "horizon_s", "lead_s", "head", "algo", "subset", "metric")),
        **place,
        "entry": index + 1,
        "trial_id": f"0123456789abcde{index}",
        "ts": START + 120 * SECOND,
        "code_hash": "5f" * 8,
        "params_json": '{"c":0.1}',
        "data_hash": "af" * 8,
        "stage": ("outer", "outer", "holdout", "holdout_opened")[index],
        "baseline": index == 0,
        "value": None if opening else 0.53,
        "se_dayblock": None if opening else 0.02,
        "n_sessions": 2,
        "sessions": [date(2024, 1, 2), date(2024, 1, 3)],
        "session_scores": [] if opening else [0.001, -0.002],
        "parent_trial": "0123456789abcde1" if index == 2 else None,
        "note": "",
        "provenance": "simulated",
    }


def report(index: int) -> Row:
    """A base rate, a score with its chance, a gain, and a verdict, in order of the sections."""
    scored = index > 0
    return {
        "report_id": "0123456789abcdef",
        "section": ("sample", "score", "gain", "verdict")[index],
        "kind": "touch",
        "horizon_s": 120,
        "lead_s": 0,
        "head": "side" if scored else "all",
        "algo": "stack" if scored else "none",
        "subset": "real",
        "metric": ("share_reject", "auc", "log_loss_gain", "log_loss_gain")[index],
        "value": 0.25,
        "ci_lo": 0.125,
        "ci_hi": 0.375,
        "n_episodes": 400,
        "n_sessions": 50,
        "p_perm": 0.25 if index in (1, 3) else None,
        "p_deflated": 0.75 if index == 3 else None,
        "n_trials": 12 if index == 3 else None,
        "verdict": "simulated:none" if index == 3 else None,
        "note": "lacks real data" if index == 3 else "",
        "provenance": "simulated",
    }
