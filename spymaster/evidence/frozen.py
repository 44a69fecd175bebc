"""The frozen list: findings of earlier dates that a date's messages are weighed by.

Groups of a register lie in one another: answers of two lots are among all answers. What makes the narrow group stand
out makes the wide one stand out, too, and a weight for every message of both would count it twice. So where both are
listed with one peak, messages of the narrow group weigh what it says, and the others what the wide group shows beyond
it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.law import Law
from spymaster.evidence.strata import Stratum

MOST_WEIGHT = 0.99
"""A weight of 1 would say that chance has nothing in the bin, and so nothing of how much is in it."""


@dataclass(frozen=True)
class Listed:
    """One finding of the frozen list.

    bins: first and last edge and weight of each bin of the peak, in order, edges in `unit`: ns, Hz, or the number of a
    cell of E10 (where both ends say the same). effect: the size of the finding, in the test's unit.
    """

    test_id: str
    sub_id: str
    stratum: Stratum
    unit: str
    bins: tuple[tuple[float, float, float], ...]
    effect: float

    @property
    def edges(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """First edges, last edges and weights."""
        columns = np.array(self.bins, np.float64).reshape(-1, 3)
        return columns[:, 0].astype(np.int64), columns[:, 1].astype(np.int64), columns[:, 2]


@dataclass(frozen=True)
class FrozenList:
    """Findings of the latest earlier date, and the thresholds of earlier dates (None where there are none yet)."""

    rows: tuple[Listed, ...]
    law: Law | None = None

    @property
    def hash(self) -> str:
        """Sixteen digits that change with anything in the list."""
        rows = [asdict(row) | {"stratum": row.stratum.json()} for row in self.rows]
        text = json.dumps([rows, None if self.law is None else self.law.json()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def listed(rows: Iterable[Listed]) -> tuple[Listed, ...]:
    """Rows in an order that does not depend on where they came from."""
    return tuple(sorted(rows, key=lambda row: (row.test_id, row.sub_id, row.stratum.json())))


def narrower(row: Listed, rows: Sequence[Listed]) -> list[Listed]:
    """Findings of the same test in narrower groups whose peak meets the row's; of those in one another the widest."""
    inner = [
        one
        for one in rows
        if (one.test_id, one.sub_id) == (row.test_id, row.sub_id)
        and one.stratum.is_within(row.stratum)
        and any(low < last and first < high for low, high, _ in one.bins for first, last, _ in row.bins)
    ]
    return [one for one in inner if not any(one.stratum.is_within(other.stratum) for other in inner)]


def beyond(row: Listed, inner: Sequence[Listed]) -> Listed:
    """The finding as it is for messages that are in none of the narrower groups (which do not overlap).

    Effects have to be shares of one whole, as of the references of E3. A share e of which the weights say that w of
    the peak is not chance has e / w in the peak: what is left of the excess over what is left of the peak is the
    weight of the others.
    """
    own = _weight(row)
    excess = row.effect - sum(one.effect for one in inner)
    held = row.effect / own - sum(one.effect / _weight(one) for one in inner) if own > 0 else 0.0
    factor = min(max(excess, 0.0) / held / own, 1.0) if held > 0 else 0.0
    return replace(row, bins=tuple((low, high, weight * factor) for low, high, weight in row.bins))


def _weight(row: Listed) -> float:
    """Share of a whole peak that is not chance, if chance is the same in all its bins."""
    weights = np.minimum([weight for _, _, weight in row.bins], MOST_WEIGHT)
    held = 1 / (1 - weights)  # events of a bin, in units of what chance has there
    return float(np.sum(held - 1) / np.sum(held)) if len(weights) else 0.0
