"""From scores to an answer. A null result is an answer, and is told like any other.

supported       the 95 % interval of the log-loss gain over the bar is above 0 by walk-forward and on the hold-out, the
                chance under shuffled labels is at most 0.01, after all trials at most 0.05, the gain at real levels was
                set against that at placebos, at least 40 sessions, real data, nothing that looks like a leak
weak            the 90 % interval is above 0 by walk-forward and the chance under shuffled labels at most 0.05
none            otherwise
leak_suspected  more than the book can know so far ahead: an AUC above 0.62
insufficient    too few sessions to try anything

Anything on simulated data begins with `simulated:`, and says nothing about markets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from spymaster.tables.evaluation_report import SIMULATED

LEAST_SESSIONS: Final = 40
TOO_GOOD: Final = 0.62
"""AUC that nothing reaches half a minute or more ahead without knowing what it should not."""


@dataclass(frozen=True)
class Evidence:
    """What a verdict goes by. NaN is not known, and fulfils nothing."""

    sessions: int
    auc: float
    auc_over_bar: float
    head: str
    gain_low: float
    """Lower end of the 95 % interval of the gain over the bar, by walk-forward."""
    weak_gain_low: float
    """The same at 90 %."""
    holdout_gain_low: float
    p_perm: float
    p_deflated: float
    placebo_gain_known: bool
    """The difference of the gain from that at placebos has an interval."""


def leak_suspected(evidence: Evidence) -> bool:
    """Whether the score is too good. Whether a barrier is reached at all follows from its distance, as the bar knows:
    there it is the AUC beyond the bar's that counts.
    """
    if evidence.head == "resolve":
        return evidence.auc_over_bar > TOO_GOOD - 0.5
    return evidence.auc > TOO_GOOD


def verdict(evidence: Evidence | None, provenance: str) -> tuple[str, str]:
    """The verdict, and what it lacks to be `supported`. evidence: None where nothing could be tried."""
    simulated = provenance != "real"
    prefix = SIMULATED if simulated else ""
    if evidence is None:
        return f"{prefix}insufficient", "too few earlier sessions to learn from"
    if leak_suspected(evidence):
        return f"{prefix}leak_suspected", "run gates G1 to G4 on this very configuration before anything else"
    lacking = [
        what
        for holds, what in (
            (evidence.gain_low > 0.0, "gain by walk-forward"),
            (evidence.holdout_gain_low > 0.0, "gain on the hold-out"),
            (evidence.p_perm <= 0.01, "chance under shuffled labels"),
            (evidence.p_deflated <= 0.05, "chance after all trials"),
            (evidence.placebo_gain_known, "comparison with placebos"),
            (evidence.sessions >= LEAST_SESSIONS, f"{LEAST_SESSIONS} sessions"),
            (not simulated, "real data"),
        )
        if not holds
    ]
    if not lacking:
        return "supported", ""
    if lacking == ["real data"]:
        return f"{prefix}supported", "lacks real data"
    weak = evidence.weak_gain_low > 0.0 and evidence.p_perm <= 0.05
    return f"{prefix}{'weak' if weak else 'none'}", f"lacks {', '.join(lacking)}"
