"""Parts of a date, and whether what was found on the whole is there in both halves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spymaster.evidence.arrays import SECOND_NS, DayArrays
from spymaster.evidence.families import TESTS, Halves, Judged
from spymaster.evidence.maxstat import ALPHA
from spymaster.evidence.periods import TEST as PERIODS
from spymaster.evidence.result import TestResult
from spymaster.evidence.strata import POOLED, Stratum
from spymaster.evidence.streams import Streams
from spymaster.evidence.verdicts import Least, same_peak

SURROGATES = 19
"""Of a half: its peak is asked for, not its p."""


def within(day: DayArrays, start: int, end: int) -> DayArrays:
    """The part of a day in `[start, end)`, whole seconds: what lies outside is not usable."""
    seconds = slice((start - day.start) // SECOND_NS, (end - day.start) // SECOND_NS)
    messages, lives, trades, quotes = day.messages, day.lives, day.trades, day.quotes
    return replace(
        day,
        messages=replace(messages, usable=messages.usable & (messages.ts >= start) & (messages.ts < end)),
        lives=replace(
            lives,
            usable=lives.usable & (lives.ts_add >= start) & (lives.ts_end < end),
            entered=lives.entered & (lives.ts_add >= start) & (lives.ts_add < end),
        ),
        trades=replace(trades, usable=trades.usable & (trades.ts >= start) & (trades.ts < end)),
        quotes=replace(quotes, usable=quotes.usable & (quotes.ts >= start) & (quotes.ts < end)),
        open=day.open[seconds],
        scheduled=day.scheduled[seconds],
        start=start,
        end=end,
    )


def halves_of(day: DayArrays, segment: str = POOLED) -> tuple[DayArrays, DayArrays]:
    """Both halves of the usable messages of a day, or of one segment of it, cut at a whole second."""
    usable = day.messages.ts[Stratum(segment=segment).among(day.messages, day.messages.qty)]
    cut = int(np.median(usable)) if len(usable) else (day.start + day.end) // 2
    middle = day.start + (cut - day.start) // SECOND_NS * SECOND_NS
    return within(day, day.start, middle), within(day, middle, day.end)


def look_at_halves(day: DayArrays, judged: Sequence[Judged], *, seed: int, least: Least) -> list[Judged]:
    """The results with their halves, where q and effect are worth it."""
    parts: dict[str, tuple[DayArrays, DayArrays]] = {}
    seen: dict[tuple[str, int], list[list[TestResult]]] = {}
    found: list[Judged] = []
    for one in judged:
        result = one.result
        passed = least.is_passed(result.effect_lo, result.effect_unit, result.n_ref, result.n_tgt)
        if one.q_bh is None or one.q_bh > ALPHA or not passed:
            found.append(one)
            continue
        if result.test_id == PERIODS:
            found.append(replace(one, halves=_of_windows(result)))
            continue
        segment = one.stratum.segment
        if segment not in parts:
            parts[segment] = halves_of(day, segment)
        key = (result.test_id, one.place)
        if key not in seen:
            run = TESTS[result.test_id][0]
            seen[key] = [
                run(part, one.stratum, Streams(seed, f"{result.test_id}/half {number}", one.place), SURROGATES, None)
                for number, part in enumerate(parts[segment])
            ]
        first, second = (_peak(results, result.sub_id) for results in seen[key])
        agree = same_peak(first, second, result.peak_unit, result.test_id, result.sub_id)
        found.append(replace(one, halves=Halves(first, second, agree)))
    return found


def _peak(results: Sequence[TestResult], sub_id: str) -> float:
    return next((one.peak_value for one in results if one.sub_id == sub_id and one.effect > 0), np.nan)


def _of_windows(result: TestResult) -> Halves:
    """A line is in both halves, each of half the windows that were tested, if it stood out in a window of each."""
    lines, early = result.facts["windows_with_line"] or 0, result.facts["windows_with_line_first_half"] or 0
    first, second = (result.peak_value if count else np.nan for count in (early, lines - early))
    return Halves(first, second, bool(early and lines - early))
