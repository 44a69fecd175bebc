"""Which dates are held out: nothing is looked for on them, and only they can support what was found on others."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from datetime import date

LEAST_HASHED = 10
"""With fewer dates the last ones are held out, whichever they are."""


def holdout_dates(dates: Iterable[date], share: float, salt: str) -> frozenset[date]:
    """Held-out dates among all dates that are there: by hash of date and salt, at least `share` of them in the mean.

    With fewer than ten dates the last `share` of them by time, rounded up; a lone date is for discovery.
    """
    ordered = sorted(set(dates))
    if len(ordered) < LEAST_HASHED:
        last = math.ceil(share * len(ordered)) if len(ordered) > 1 else 0
        return frozenset(ordered[len(ordered) - last :])
    return frozenset(one for one in ordered if fraction(one, salt) < share)


def fraction(day: date, salt: str) -> float:
    """A number in [0, 1) that date and salt decide, once and for all."""
    digest = hashlib.sha256(f"{day.isoformat()} {salt}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
