"""From scores to an answer. A null result is an answer, and is told like any other.

supported       the 95 % interval of the log-loss gain over the bar is above 0 by walk-forward and on the hold-out, the
                chance under shuffled labels is at most 0.01, after all trials at most 0.05, the gain at real levels was
                set against that at placebos, at least 40 sessions, real data, nothing that looks like a leak
weak            the 90 % interval is above 0 by walk-forward and the chance under shuffled labels at most 0.05
none            otherwise
leak_suspected  more than the book can know so far ahead (an AUC above 0.62), and not shown to be honest: something is
                left with labels of another session, or placebos are foretold as well (`leak_gates`)
insufficient    too few sessions to try anything

Anything on simulated data begins with `simulated:`, and says nothing about markets.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import Final

from spymaster.tables.evaluation_report import SIMULATED

LEAST_SESSIONS: Final = 40
TOO_GOOD: Final = 0.12
"""Beyond chance: an AUC of 0.62, more than half a minute ahead than a book is known to tell."""


@dataclass(frozen=True)
class Evidence:
    """What a verdict goes by. NaN is not known, and fulfils nothing.

    Beyond chance is the AUC less 0.5 of `side`. Whether a barrier is reached at all follows from its distance, as the
    bar knows: of `resolve` it is the AUC less the bar's.
    """

    sessions: int
    beyond_chance: float
    shifted_low: float
    """Lower end of the 95 % interval of the same where labels are of another session."""
    placebo_beyond_chance: float
    """The same at placebos."""
    gain_low: float
    """Lower end of the 95 % interval of the gain over the bar, by walk-forward."""
    weak_gain_low: float
    """The same at 90 %."""
    holdout_gain_low: float
    p_perm: float
    p_deflated: float
    placebo_gain_known: bool
    """The difference of the gain from that at placebos has an interval."""


def too_good(beyond_chance: float) -> bool:
    """Whether a score asks for the gates of `leak_gates`; one that is not known does not."""
    return beyond_chance > TOO_GOOD


def leak_suspected(evidence: Evidence) -> bool:
    """Whether the score is too good, and has not passed both gates."""
    passed = evidence.shifted_low <= 0.0 and evidence.placebo_beyond_chance <= TOO_GOOD
    return too_good(evidence.beyond_chance) and not passed


def verdict(evidence: Evidence | None, provenance: str) -> tuple[str, str]:
    """The verdict, and what it lacks to be `supported`. evidence: None where nothing could be tried."""
    simulated = provenance != "real"
    prefix = SIMULATED if simulated else ""
    if evidence is None:
        return f"{prefix}insufficient", "too few earlier sessions to learn from"
    if leak_suspected(evidence):
        return f"{prefix}leak_suspected", _suspicion(evidence)
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


def _suspicion(evidence: Evidence) -> str:
    if not evidence.shifted_low <= 0.0:
        what = "with labels of another session" + (" unknown" if isnan(evidence.shifted_low) else " something is left")
    else:
        unknown = isnan(evidence.placebo_beyond_chance)
        what = "unknown at placebos" if unknown else "placebos are foretold as well"
    return f"too good to be true, and {what}"
