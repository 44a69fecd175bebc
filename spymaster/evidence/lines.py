"""Which lines of a periodic sender (E5) are one over dates, and where its power is.

A group has up to two lines a date, and a sender's power may lie at its rate on one date and at a multiple of it on the
next. Over dates only rows of one line may be put together: a mean of 10 and 27 Hz is nobody's rate.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from spymaster.evidence.verdicts import LINE_SHARE

Row = dict[str, Any]


def is_one(one: float | None, other: float | None) -> bool:
    """Whether two frequencies are of one line; never where one of them is missing."""
    return one is not None and other is not None and abs(one / other - 1) <= LINE_SHARE


def main_line(
    of_day: Mapping[date, Sequence[Row]], discovery: Collection[date], found: Collection[int]
) -> float | None:
    """The frequency that most discovery dates of a group show, of its results that were found or, without one, of all.

    found: `id` of the rows that were found. Where several are on as many dates, the one with the smallest p, then the
    largest statistic. Other dates are asked only where no discovery date has a line: they choose nothing that a
    discovery date could. None where no date has one.
    """
    rows = [(day, row) for day, rows in of_day.items() for row in rows if row["peak_value"] is not None]
    looked = [(day, row) for day, row in rows if day in discovery]
    for chosen in (looked, [(day, row) for day, row in rows if day not in discovery]):
        seeds = [(day, row) for day, row in chosen if id(row) in found] or chosen
        if seeds:
            return _of_most_dates(seeds)
    return None


def _of_most_dates(rows: Sequence[tuple[date, Row]]) -> float:
    values = np.array([row["peak_value"] for _, row in rows])
    counts = [
        len({rows[k][0] for k in np.flatnonzero(np.abs(values / one - 1) <= LINE_SHARE).tolist()}) for one in values
    ]
    order = [(-count, row["p_raw"], -row["statistic"]) for count, (_, row) in zip(counts, rows, strict=True)]
    return float(values[order.index(min(order))])


def line_weights(texts: Iterable[str]) -> str:
    """Weights of one line from those of some dates: a single bin, where most of the dates have its power.

    That is its rate or a multiple of it. The weight is the mean over the dates that have it there.
    """
    bins = np.array([one for text in texts for one in json.loads(text)["bins"]], np.float64).reshape(-1, 3)
    if not len(bins):
        return json.dumps({"unit": "member", "bins": []})
    middle = bins[:, :2].mean(axis=1)
    near = np.abs(middle[:, None] / middle - 1) <= LINE_SHARE
    best = min(range(len(middle)), key=lambda k: (-near[:, k].sum(), -bins[near[:, k], 2].sum(), middle[k]))
    same = near[:, best]
    line = float(np.median(middle[same]))
    share = float(bins[same, 2].mean())
    return json.dumps({"unit": "Hz", "bins": [[line * (1 - LINE_SHARE), line * (1 + LINE_SHARE), share]]})
