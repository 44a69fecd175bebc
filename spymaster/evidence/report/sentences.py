"""What a row of a test says, in one sentence: templates, and the words for groups, numbers and nulls.

A finding is said with its number of orders, effect, interval, q, dates and null, or not at all. Templates hold no
numbers of their own (`wording.has_free_numbers`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spymaster.evidence.contrast import LEAST_DAYS, LEAST_SETS

LEVEL = "95 %"
ALPHA = 0.05
NAMES = {
    "E1": "Order lifetimes",
    "E2": "Steered orders",
    "E3": "Reaction times",
    "E4": "Phase of the clock",
    "E5": "Periodic senders",
    "E6": "Hidden quantity",
    "E7": "Layering-like pattern",
    "E10": "Placed together",
}
QUESTIONS = {
    "E1": "Do cancelled orders die at preferred ages?",
    "E2": "Which orders are moved again and again, and how fast do they follow the quote?",
    "E3": "Are trades, quotes and large orders answered after a sharp delay?",
    "E4": "Does activity prefer places inside the second, the minute, or a shorter period?",
    "E5": "Are there senders that tick at a rate of their own?",
    "E6": "Is more executed than was shown, and do orders come back after a fill?",
    "E7": "Is volume withdrawn right after the other side trades?",
    "E10": "Are orders placed and removed in the same microseconds?",
}
PICTURES = {
    "E1": "Bars: how many times as many orders died at that age as in the surrogates (1 is chance). Grey: "
    "where nine of "
    "ten surrogates lie. Orange: the peak that the effect is of. Neighbours with few events are drawn together.",
    "E2": "Left to right: the day; one line per steered order, from its first move to its last. Below: time "
    "from a move "
    "of the quote to the next move of the order, against surrogates.",
    "E3": "Bars: how many times as many answers came after that delay as in the surrogates (1 is chance).",
    "E4": "Bars: how many times as many messages lie at that place of the period as in the surrogates (1 is chance).",
    "E5": "Above: power against what is usual around each frequency, with what surrogates reach. Below: each "
    "dot is two "
    "minutes in which a line stood out.",
    "E6": "Bars: how many times as many orders came back after that delay as in the surrogates (1 is chance).",
    "E7": "Dots: groups of orders withdrawn together at the delay of the peak after a trade of the other side, against "
    "what shifted trades give (1 is chance), with intervals. Below: one such group, each bar a resting order from "
    "entry to withdrawal, the line the trade; and by delay, how many times as many went as after shifted trades.",
    "E10": "Pairs of bid and offer entered and withdrawn together, by distance from the best price of each side: seen, "
    "and expected by chance.",
}
FINDING = {
    "E1": "{prefix}{effect} of {n} cancelled orders ({group}) die {peak} after entry, beyond any structure slower than "
    "{cell}",
    "E2": "{prefix}{effect} of {n} price changes ({group}) are of orders moved at least ten times over, and answers of "
    "those to the quote gather {peak} after it moves",
    "E3": "{prefix}{effect} of {n} events ({group}) are answered after {peak}, beyond any structure slower than {cell}",
    "E4": "{prefix}{effect} of {n} messages ({group}) gather at {peak} of the {period} period",
    "E5": "{prefix}{effect} of {n} messages in two minutes ({group}) are locked to {peak}",
    "E6": "{prefix}{effect} of {n} full fills ({group}) are followed by an order of like size after {peak}",
    "E7": "{prefix}of {n} groups of large orders withdrawn together ({group}), {effect} as many as with shifted trades "
    "went {peak} after a trade of the other side, the layering-like pattern",
    "E10": "{prefix}{effect} of {n} orders ({group}) are placed within {period} of a partner on the other side and "
    "withdrawn with it",
}
"""One per test; the tail says how sure it is."""
FINDING_OF_SUB = {
    ("E7", "contra_pull"): "{prefix}of the volume withdrawn within {peak} after {n} trades ({group}), the part on the "
    "side that the trade did not take from is larger by {effect} of it than with shifted trades",
}
"""Where a sub-test measures something else than its test."""
TAIL = "{level} interval{share_of} {low} to {high}; q{q_of} {q}; null: {null}; {dates}. {strength}."
TAIL_OF = {"E2": (" of that share", " of the delay")}
"""Where effect and q are of two things: what each is of."""
DATES = "dates that also have a q_by of {alpha} or less: {found} of {seen}"
ONE_DATE = "no other date has tested this group yet"
FACT = {
    "E6": "{prefix}{effect} of the traded lots ({n} in all, {group}) were executed beyond what their orders displayed",
}
FACT_TAIL = "{level} interval {low} to {high}; a fact by order id, without a test."
NOTHING = "{prefix}no evidence found in {strata} groups of messages"
NOTHING_TAIL = "Minimum detectable effect {least}; smallest q {q}. {why}."
UNKNOWN, NONE_AT_ALL = "not known", "more than all of a group: the groups are too small"
LEAST_OF = "{share} where it is a share, {ratio} where it is a ratio"
TIMES_CHANCE = "{effect} chance"
AS_CHANCE = "No group has a q of {alpha} or less: what was seen, surrogates without the structure give as well"
UNDERPOWERED = ", and with so many groups and so few surrogates none alone could have had one"
ALL_THE_SAME = "Groups with a q of {alpha} or less and no verdict all the same: {reasons}"
WHY_NOT = {
    "blocked": "{n} as a negative control of the date failed",
    "explained": "{n} as the test itself has another explanation of it",
    "halves": "{n} as the two halves of the date do not agree on the place of the peak",
    "few": "{n} with too few messages of it (at least {messages} a day count)",
    "wide": "{n} with an interval that reaches below the least effect that counts",
    "small": "{n} with an effect too small to count",
}
WHY_NOT_SHORT = {
    "blocked": "a control failed", "explained": "explained otherwise", "halves": "halves disagree",
    "few": "too few messages", "wide": "interval too wide", "small": "effect too small",
}  # fmt: skip
"""Both by `reasons.REASONS`."""
EXAMPLES_ORDER = {
    "E2": "the orders that were moved most often first",
    "E6": "the most hidden lots first",
}
NEAREST = "nearest to its peak"
EXAMPLES_LAG = {
    "E2": "moved for", "E3": "delay", "E4": "in the period", "E5": "off its tick", "E6": "delay",
    "E7": "after the trade",
}  # fmt: skip
"""What `lag_ns` of a test's messages is; of those that are not here it is the life."""
ALSO = " Also found by: {others}."
STRENGTH = {
    "weak": "A hint: evidence takes other dates, some of them held out",
    "weak again": "A hint all the same: on too few dates, or on those held out not at that place",
    "supported": "Consistent with automation, and repeated on dates that were not used to find it",
}
CONTRAST = {
    "higher": "{prefix}algorithmic intensity before rejections was {delta} percentage points higher than "
    "before placebo "
    "touches",
    "lower": "{prefix}algorithmic intensity before rejections was {delta} percentage points lower than before placebo "
    "touches",
    "not_distinguishable": "{prefix}algorithmic intensity before rejections was not distinguishable from that before "
    "placebo touches (difference {delta} percentage points)",
    "too_few": "{prefix}too few matched touches, or dates with them, to say whether algorithmic intensity before "
    "rejections differs",
}
CONTRAST_TAIL = (
    "{level} interval {low} to {high}; p {p}, the larger of {p_swap} by swaps within sets and {p_days} by signs of "
    "dates; {sets} sets on {days} dates; a difference of {mdd} would have "
    "been found in "
    "four of five such studies."
)
CONTRAST_FEW = "{sets} sets on {days} dates; an answer takes {least_sets} on {least_days}."

Row = Mapping[str, Any]

_KINDS = {"add": "new orders", "cancel": "cancels", "reprice": "price changes"}
_SIDES = {"B": "bids", "A": "offers"}
_SEGMENTS = {
    "overnight": "overnight",
    "open": "first hour",
    "mid": "midday",
    "close": "last hour",
    "late": "after the close",
}
_REFERENCES = {
    "trade_buy": "buyers' trades",
    "trade_sell": "sellers' trades",
    "bbo_up": "rising quotes",
    "bbo_down": "falling quotes",
    "large_add_bid": "large new bids",
    "large_add_ask": "large new offers",
}
SUB_TESTS = {
    "E1": {"ms": "15 to 500 ms", "sub_ms": "1.5 to 15 ms", "s": "around 1 and 2 s"},
    "E2": {"peg_lag": "delay after the quote"},
    "E3": {"ms": "15 to 200 ms", "few_ms": "0.5 to 15 ms", "sub_ms": "0.15 to 0.5 ms"},
    "E5": {"slow": "0.2 to 40 Hz", "fast": "40 to 200 Hz"},
    "E6": {"synthetic": "orders after a full fill"},
    "E7": {"episodes": "orders withdrawn together", "contra_pull": "side of what is withdrawn"},
}
"""Names of sub-tests that are not a time."""
NOTES = {
    "leads_reference": "The same messages also come at a sharp delay before these events: as answers they say little",
    "signs_disagree": "With the sides of trades drawn at random it is not so: the direction is in doubt",
    "equal_sizes_by_chance": "With sizes drawn anew as many pairs are of equal size",
    "stage1_only": "Judged by the first surrogates alone",
    "outside_band": "The frequency lies outside the band that was searched",
}
"""What a row is noted for that a reader of its sentence must know."""


def prefix(provenance: str) -> str:
    """How every sentence about simulated data begins."""
    return "Simulated data: " if provenance == "simulated" else ""


def group(stratum_json: str, *, kind: bool = True) -> str:
    """A group of messages in words: `cancels of bids, 1 lot, 2 ticks away, first hour`; without its kind if asked."""
    held = {name: value for name, value in json.loads(stratum_json).items() if value != "*"}
    words = []
    if "kind" in held and "reference" in held:
        what = _KINDS.get(held["kind"], held["kind"])
        side = {"same": " on the same side", "other": " on the other side"}.get(held.get("relation", ""), "")
        words.append(f"{_REFERENCES[held['reference']]} answered by {what}{side}")
    elif "kind" in held and kind:
        words.append(
            str(_KINDS.get(held["kind"], held["kind"])) + (f" of {_SIDES[held['side']]}" if "side" in held else "")
        )
    elif "side" in held:
        words.append(_SIDES[held["side"]])
    if "size" in held:
        size = held["size"].removeprefix("=")
        words.append(f"{size} lot{'' if size == '1' else 's'}")
    if "distance" in held:
        distance = held["distance"]
        words.append(
            {"improve": "inside the spread", "0": "at the best price"}.get(
                distance, f"{distance} tick{'' if distance == '1' else 's'} away"
            )
        )
    if "segment" in held:
        words.append(_SEGMENTS[held["segment"]])
    return ", ".join(words) or "all of them"


def share(value: float | None, unit: str = "share") -> str:
    """An effect as people say it: `4.1 %`, `3.2 times`."""
    if value is None:
        return "unknown"
    if unit == "ratio":
        return f"{_short(value, 2)} times"
    return f"{100 * value:.2f} %" if abs(value) < 0.1 else f"{100 * value:.1f} %"


def _short(value: float, digits: int) -> str:
    """A number with so many digits, and never with an exponent: all digits before the point are written."""
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:.0f}"
    return np.format_float_positional(value, precision=digits, unique=False, fractional=False, trim="-")


def peak(row: Row) -> str:
    """Where the structure is: `20.5 ms`, `10.02 Hz`."""
    value = row["peak_value"]
    if value is None:
        return "no one place"
    digits = 2 if value < 1 else 1 if value < 1000 else 0
    if row["peak_unit"] == "Hz":
        return f"{value:.3g} Hz" if value < 100 else f"{value:.1f} Hz"
    if row["peak_unit"] == "ms":
        return f"{_short(value / 1000, 3)} s" if value >= 1000 else f"{value:.{digits}f} ms"
    return f"{_short(value, 2)} {row['peak_unit']}"


def probability(value: float | None) -> str:
    """A p or q: three digits after the point, or `below 0.001`."""
    if value is None:
        return "none"
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


def null_words(row: Row) -> str:
    """The null of a row in a few words."""
    given = json.loads(row["null_param_json"] or "{}")
    cell = given.get("cell_ns")
    method = {
        "jitter": "times redrawn in their own cells", "blockshift": "periods shifted as groups of a minute or less",
        "seriesshift": "trades shifted as a whole", "jitter and markperm": "entries redrawn, and sizes permuted",
        "seriesshift and jitter": "trades shifted as a whole, and withdrawals redrawn",
    }.get(str(row["null_method"]), str(row["null_method"]))  # fmt: skip
    return f"{method} of {duration(cell)}" if cell and row["null_method"] == "jitter" else method


def duration(ns: float | None) -> str:
    """A time in the unit that suits it."""
    if ns is None:
        return "no time"
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if abs(ns) >= size:
            return f"{_short(ns / size, 4)} {unit}"
    return f"{ns:g} ns"


def finding(row: Row, found: int, seen: int) -> tuple[str, str]:
    """What a row of `algo_test` with a verdict says, and how sure it is; found, seen: dates that had and tested it."""
    fields = _fields(row)
    if row["p_raw"] is None:
        return sentence(FACT[row["test_id"]].format(**fields)), FACT_TAIL.format(**fields)
    verdict = row["verdict"].split(":")[-1]
    share_of, q_of = TAIL_OF.get(row["test_id"], ("", ""))
    tail = TAIL.format(
        **fields, share_of=share_of, q_of=q_of, q=probability(row["q_bh"]), null=null_words(row),
        dates=DATES.format(alpha=ALPHA, found=found, seen=seen) if seen > 1 else ONE_DATE,
        strength=STRENGTH.get("weak again" if verdict == "weak" and seen > 1 else verdict, "Not evidence"),
    )  # fmt: skip
    template = FINDING_OF_SUB.get((row["test_id"], row["sub_id"]), FINDING[row["test_id"]])
    said = [tail, *(f"{NOTES[note]}." for note in row["notes"] if note in NOTES)]
    return sentence(template.format(**fields)), " ".join(said)


def sentence(words: str) -> str:
    """Words that begin with a capital letter and end with a full stop."""
    return f"{words[0].upper()}{words[1:]}."


def also(test: str, others: Sequence[str]) -> str:
    """Other sub-tests that found the same group."""
    return ALSO.format(others=", ".join(sub_test(test, one) for one in others)) if others else ""


def sub_test(test: str, sub_id: str) -> str:
    """A sub-test in words: `15 to 500 ms`, and the time that others are named for: `100 ms`."""
    known = SUB_TESTS.get(test, {}).get(sub_id)
    return known or re.sub(r"^(\d+)us$", r"\1 µs", re.sub(r"^(\d+)(ms|s)$", r"\1 \2", sub_id)).replace("_", " ")


def _fields(row: Row) -> dict[str, str]:
    given = json.loads(row["null_param_json"] or "{}")
    unit = row["effect_unit"]
    return {
        "prefix": prefix(row["provenance"]),
        "effect": share(row["effect"], unit),
        "low": share(row["effect_lo"], unit),
        "high": share(row["effect_hi"], unit),
        "n": f"{row['n_ref']:,}",
        "group": group(row["stratum_json"], kind=row["test_id"] not in ("E1", "E2")),
        "peak": peak(row),
        "cell": duration(given.get("cell_ns")),
        "period": sub_test(row["test_id"], row["sub_id"]),
        "level": LEVEL,
    }


def examples_order(row: Row) -> str:
    """In which order messages behind a row are shown."""
    if row["test_id"] == "E6" and row["p_raw"] is not None:
        return NEAREST
    return EXAMPLES_ORDER.get(row["test_id"], NEAREST)


def examples_lag(row: Row) -> str | None:
    """What the lag of messages behind a row is; None where it is the order's life and no more."""
    return None if row["p_method"] == "fact" and row["test_id"] == "E6" else EXAMPLES_LAG.get(row["test_id"])


def nothing(
    provenance: str, strata: int, detectable: Mapping[str, float | None], nearest: Row | None, why: str
) -> tuple[str, str]:
    """What a test that found nothing says.

    detectable: by unit the effect that would have been found, None where not known; nearest: the row with the smallest
    q; why: of `why_nothing`.
    """
    told = {unit: _detectable(value, unit) for unit, value in detectable.items()}
    both = LEAST_OF.format(**told) if len(told) > 1 else next(iter(told.values()), UNKNOWN)
    q = None if nearest is None else nearest["q_bh"]
    return (
        sentence(NOTHING.format(prefix=prefix(provenance), strata=strata)),
        NOTHING_TAIL.format(least=both, q=probability(q), why=why),
    )


def _detectable(value: float | None, unit: str) -> str:
    if value is None:
        return UNKNOWN
    if unit == "ratio":
        return TIMES_CHANCE.format(effect=share(value, unit))
    return NONE_AT_ALL if value > 1 else share(value, unit)


def why_nothing(reasons: Mapping[str, int], messages: int, *, underpowered: bool) -> str:
    """Why a test has no verdict.

    reasons: groups by `reasons.REASONS`; messages: a day that an effect must amount to; underpowered: no lone group
    could have a small q.
    """
    if not reasons:
        return AS_CHANCE.format(alpha=ALPHA) + (UNDERPOWERED if underpowered else "")
    said = (WHY_NOT[name].format(n=n, messages=messages) for name, n in reasons.items())
    return ALL_THE_SAME.format(alpha=ALPHA, reasons=", ".join(said))


def contrast(row: Row) -> tuple[str, str]:
    """The answer to the registered question, and how sure it is."""
    points = {
        name: "unknown" if row[column] is None else f"{100 * row[column]:.2f}"
        for name, column in (("delta", "delta"), ("low", "ci_lo"), ("high", "ci_hi"), ("mdd", "mdd"))
    }
    verdict = row["verdict"]
    if verdict == "lower":
        points["delta"] = f"{-100 * row['delta']:.2f}"
    counts = {"sets": row["n_sets"], "days": row["n_days"]}
    said = sentence(CONTRAST[verdict].format(prefix=prefix(row["provenance"]), **points))
    if verdict == "too_few":
        return said, CONTRAST_FEW.format(**counts, least_sets=LEAST_SETS, least_days=LEAST_DAYS)
    chances = {"p": row["p_perm"], "p_swap": row["p_swap"], "p_days": row["p_days"]}
    chances = {name: probability(value) for name, value in chances.items()}
    return said, CONTRAST_TAIL.format(**points, **counts, **chances, level=LEVEL)


TEMPLATES = (
    *FINDING.values(), *FINDING_OF_SUB.values(), TAIL, DATES, ONE_DATE, *FACT.values(), FACT_TAIL, NOTHING,
    NOTHING_TAIL, *STRENGTH.values(), *CONTRAST.values(), CONTRAST_TAIL, CONTRAST_FEW, *WHY_NOT.values(),
    *WHY_NOT_SHORT.values(), AS_CHANCE, UNDERPOWERED, ALL_THE_SAME, TIMES_CHANCE, *NOTES.values(), ALSO, LEAST_OF,
    UNKNOWN, NONE_AT_ALL, *EXAMPLES_ORDER.values(), NEAREST,
)  # fmt: skip
"""Everything with fields; the tests hold it against `wording`."""
