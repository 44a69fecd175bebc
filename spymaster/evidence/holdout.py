"""Which dates are held out: nothing is looked for on them, and only they can support what was found on others.

The role of a date depends on the date, the share and the salt alone. It never changes, and no other date, stored, empty
or to come, has a say in it: every table may ask for it on its own and gets the same answer.
"""

from __future__ import annotations

import hashlib
import math
from datetime import date, timedelta

from spymaster.settings import EvidenceSettings

BLOCK_DAYS, BLOCK_WEEKDAYS = 14, 10
"""Two weeks from a Sunday on, counted from the first day of the calendar, and the weekdays in them."""
FRIDAY = 5


def is_holdout(day: date, settings: EvidenceSettings) -> bool:
    """Whether a date is held out: of the ten weekdays of its block the smallest hashes are, at least `holdout_share`.

    A Sunday's file is the evening on which Monday's session begins: dates of a weekend have the role of the Monday.
    """
    while day.isoweekday() > FRIDAY:
        day += timedelta(days=1)
    first = day.toordinal() // BLOCK_DAYS * BLOCK_DAYS
    block = [date.fromordinal(first + place) for place in range(BLOCK_DAYS)]
    weekdays = [one for one in block if one.isoweekday() <= FRIDAY]
    held = math.ceil(settings.holdout_share * BLOCK_WEEKDAYS)
    return day in sorted(weekdays, key=lambda one: fraction(one, settings.holdout_salt))[:held]


def fraction(day: date, salt: str) -> float:
    """A number in [0, 1) that date and salt decide, once and for all."""
    digest = hashlib.sha256(f"{day.isoformat()} {salt}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
