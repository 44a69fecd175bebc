"""Sample rows of what is made from evidence: intensity, contrast, report; see `samples`."""

from __future__ import annotations

from datetime import date
from typing import Any

from spymaster.tables.algo_intensity_1s import INTENSITY_FAMILIES, share_column
from spymaster_tests.tables.setup_samples import SECOND, START

Row = dict[str, Any]


def intensity(index: int) -> Row:
    """A second with messages on one side, then one without any."""
    empty = index == 3
    return {
        "contract": "ESH4",
        "session_date": date(2024, 1, 2),
        "window_end": START + (2 if empty else 1) * SECOND,
        "side": ("A", "A", "all", "all")[index],
        "band": ("AT", "all", "all", "all")[index],
        "n_msgs": 0 if empty else 40,
        "qty_msgs": 0 if empty else 80,
        "n_attr": 0.0 if empty else 10.0,
        "qty_attr": 0.0 if empty else 20.0,
        "share_msgs": None if empty else 0.25,
        "share_qty": None if empty else 0.25,
        **{share_column(name): None if empty else 0.125 for name in INTENSITY_FAMILIES},
        "expected_share": 0.125,
        "intensity_z": None if empty else 2.5,
        "attribution_hash": "0123456789abcdef",
        "provenance": "simulated",
    }


def contrast(index: int) -> Row:
    """In order of the id: one not known, one found, the registered one, one with too few sets."""
    name = ("band_AT", "before_break", "primary", "share_chain")[index]
    few, nothing = index == 3, index == 0
    return {
        "contrast_id": name,
        "is_primary": name == "primary",
        "n_s": 10,
        "measure": "share_chain" if few else "share_msgs",
        "side": "all",
        "band": "AT" if index == 0 else "all",
        "case_def": "break" if index == 1 else "reject",
        "same_rate": False,
        "first_dt": None if nothing else date(2024, 1, 2),
        "last_dt": None if nothing else date(2024, 1, 5),
        "n_sets": (0, 60, 60, 4)[index],
        "n_days": (0, 6, 6, 1)[index],
        "n_dropped": 3,
        "mean_case": None if nothing else 0.09,
        "mean_control": None if nothing else 0.06,
        "delta": None if nothing else 0.03,
        "ci_lo": None if few or nothing else 0.012,
        "ci_hi": None if few or nothing else 0.047,
        "p_swap": None if nothing else 0.0105,
        "p_days": (None, 0.03125, 0.03125, 1.0)[index],
        "p_perm": (None, 0.03125, 0.03125, 1.0)[index],
        "q_bh": (None, 0.04, None, 1.0)[index],
        "mdd": None if few or nothing else 0.025,
        "verdict": "too_few" if few or nothing else "higher",
        "provenance": "simulated",
    }


def report(index: int) -> Row:
    """A date's report without controls, and others with."""
    inside = f"reports/evidence/symbol=ES/dt=2024-01-0{2 + index}"
    return {
        "html_path": f"{inside}/evidence.html",
        "md_path": f"{inside}/evidence.md",
        "html_sha256": "5f" * 32,
        "md_sha256": "a0" * 32,
        "run_id": "0123456789abcdef",
        "contract": "ESH4",
        "n_supported": 0,
        "n_weak": 7,
        "n_fact": 2,
        "n_none": 400,
        "controls_passed": index > 0 or None,
        "contrast_dt": None if index == 0 else date(2024, 1, 2 + index),
        "provenance": "simulated",
    }
