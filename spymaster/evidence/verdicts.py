"""What a result may be called: is its effect worth a word, are two peaks one, and what is the verdict of a date."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from spymaster.evidence import phase
from spymaster.evidence.bins import MS
from spymaster.evidence.layers import LEAST_LAYERS
from spymaster.evidence.maxstat import ALPHA
from spymaster.settings import EvidenceSettings
from spymaster.tables.algo_test import AGAINST

LAG_MS, LAG_SHARE = 1.0, 0.10
"""Lags and ages are the same within a millisecond, or a tenth."""
LINE_SHARE = 0.005
"""Frequencies are the same within half a percent."""
PHASE_SHARE = 0.02
"""Phases of a period are the same within one of fifty bins, or a millisecond."""


@dataclass(frozen=True)
class Least:
    """The smallest effect that is evidence: share, ratio, and messages of a date."""

    share: float
    ratio: float
    messages: int

    @classmethod
    def of(cls, settings: EvidenceSettings) -> Least:
        """From the settings."""
        return cls(settings.least_share, settings.least_ratio, settings.least_messages)

    def is_passed(self, effect_lo: float | None, unit: str, n_ref: int, n_tgt: int) -> bool:
        """Whether even the lower end of the interval is beyond the least effect.

        A ratio is of episodes, `n_tgt` of which were seen, of three messages or more.
        """
        if effect_lo is None or effect_lo != effect_lo:
            return False
        if unit == "share":
            return effect_lo > self.share and effect_lo * n_ref >= self.messages
        return effect_lo > self.ratio and n_tgt * (1 - 1 / effect_lo) * LEAST_LAYERS >= self.messages


def same_peak(one: float | None, other: float | None, unit: str, test_id: str, sub_id: str) -> bool:
    """Whether two peaks are at one place; never where one of them is missing."""
    if one is None or other is None or one != one or other != other:
        return False
    if unit == "Hz":
        return abs(one / other - 1) <= LINE_SHARE
    if test_id == phase.TEST:
        period = phase.PERIODS[sub_id] / MS
        apart = abs((one - other + period / 2) % period - period / 2)
        return apart <= max(LAG_MS, PHASE_SHARE * period)
    return abs(one - other) <= max(LAG_MS, LAG_SHARE * max(abs(one), abs(other)))


def is_explained(notes: Collection[str]) -> bool:
    """Whether the test itself found another reason for what it saw: such a result is no finding."""
    return any(note in AGAINST for note in notes)


def middle_peak(peaks: Sequence[float], test_id: str, sub_id: str) -> tuple[float, float]:
    """Median and spread of peaks, at least one.

    Phases of a period (E4) are on a circle, which is cut where it is emptiest: 2 and 998 ms of a second are 4 ms apart,
    and their middle is its beginning.
    """
    values = np.sort(peaks)
    if test_id != phase.TEST:
        return float(np.median(values)), float(values[-1] - values[0])
    period = phase.PERIODS[sub_id] / MS
    gaps = np.diff(values, append=values[0] + period)
    first = (int(np.argmax(gaps)) + 1) % len(values)
    turned = np.concatenate([values[first:], values[:first] + period])
    return float(np.median(turned) % period), float(turned[-1] - turned[0])


def day_verdict(
    p_method: str, q_bh: float | None, passed: bool, halves_agree: bool | None, notes: Collection[str]
) -> str:
    """Of one date: `weak` at most, and only if both halves of the date show it and no note speaks against it.

    `fact` for what needs no test.
    """
    if p_method == "fact":
        return "fact"
    if is_explained(notes):
        return "none"
    return "weak" if q_bh is not None and q_bh <= ALPHA and passed and halves_agree else "none"
