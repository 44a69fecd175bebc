"""`gold.algo_replication`: what holds on more dates than one, and whether dates that nobody looked at show it too.

Effect, peak and weights are of discovery dates alone. Hold-out dates answer one question: is the same structure there
again, with the same sign, beyond the least effect, at the same place? Of a periodic sender (E5) that holds for all
that is said: a group is followed over dates by the line that most of its discovery dates show.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from spymaster.evidence import lines, periods
from spymaster.evidence.few import TOO_FEW
from spymaster.evidence.holdout import is_holdout
from spymaster.evidence.maxstat import ALPHA
from spymaster.evidence.multiplicity import cauchy, partial_conjunction
from spymaster.evidence.rows import frame_of
from spymaster.evidence.streams import BOOTSTRAP, Streams
from spymaster.evidence.verdicts import Least, is_explained, middle_peak, same_peak
from spymaster.lake import Partition
from spymaster.settings import EvidenceSettings, Settings
from spymaster.tables.algo_replication import AlgoReplication
from spymaster.tables.algo_test import SIMULATED

TEST_COLUMNS = (
    "test_row_id", "strata_hash", "available_from", "test_id", "sub_id", "stratum_json", "n_ref", "n_tgt", "statistic",
    "effect", "effect_unit", "effect_lo", "effect_hi", "peak_value", "peak_unit", "p_raw", "p_method", "q_bh", "q_by",
    "is_negative_control", "blocked_by_control", "verdict", "weights_json", "facts_json", "notes",
    "provenance",
)  # fmt: skip
"""Columns of `gold.algo_test` that a replication reads."""
SHARE = 0.6
"""Of the discovery dates, and of the hold-out dates, that must show what is called supported."""
RESAMPLES = 2000

Row = dict[str, Any]
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Days:
    """Dates that count, which of them are held out, and when their data ended."""

    all: tuple[date, ...]
    holdout: frozenset[date]
    available_from: int
    strata_hash: str
    provenance: str


def session_replication(tests: Sequence[Partition], dt: date, *, settings: Settings) -> pl.DataFrame:
    """The table of a date from partitions of `gold.algo_test`; later dates among them are not read."""
    frames = {one.dt: one.read(TEST_COLUMNS) for one in tests if one.dt <= dt}
    return replicate(frames, settings.evidence)


def replicate(frames: dict[date, pl.DataFrame], settings: EvidenceSettings) -> pl.DataFrame:
    """One row per test, sub-test and stratum over dates with rows (`TEST_COLUMNS`), the last of them included.

    Every date that was tested counts for every group, also where the group had too few messages: a habit of three dates
    in ten is on three of ten, not on three of three. Dates that were tested with another register of strata than the
    last one do not count.
    """
    held = {day: frame for day, frame in sorted(frames.items()) if frame.height}
    if not held:
        return AlgoReplication.empty()
    last = next(reversed(held.values()))
    used = last["strata_hash"][0]
    held = {day: frame for day, frame in held.items() if frame["strata_hash"][0] == used}
    days = Days(
        tuple(held),
        frozenset(day for day in held if is_holdout(day, settings)),
        int(last["available_from"].to_physical().max()),  # pyright: ignore[reportArgumentType]
        used,
        last["provenance"].cast(pl.String)[0],
    )
    groups: dict[Key, dict[date, list[Row]]] = {}
    for day, frame in held.items():
        own = frame.filter(~pl.col("is_negative_control"))
        for row in own.sort("test_row_id").iter_rows(named=True):
            key = (row["test_id"], row["sub_id"], row["stratum_json"])
            groups.setdefault(key, {}).setdefault(day, []).append(row)
    rows = [_row(key, _of_days(key, groups[key], days), days, settings) for key in sorted(groups)]
    return frame_of(AlgoReplication, rows)


def _of_days(key: Key, of_day: dict[date, list[Row]], days: Days) -> dict[date, Row]:
    """One row per date: of its windows the one with the smallest p, of a periodic sender among those of its line.

    A date whose windows show another line, or none, was tested and has nothing of this one.
    """
    if key[0] != periods.TEST:
        return {day: _strongest(rows) for day, rows in of_day.items()}
    found = {id(row) for rows in of_day.values() for row in rows if _is_found(row) or row["verdict"].endswith("weak")}
    line = lines.main_line(of_day, set(days.all) - days.holdout, found)
    same = {day: [row for row in rows if lines.is_one(row["peak_value"], line)] for day, rows in of_day.items()}
    return {day: _strongest(same[day]) if same[day] else rows[0] | _OTHER_LINE for day, rows in of_day.items()}


_OTHER_LINE: Row = {
    "p_raw": None, "p_method": "screened", "q_bh": None, "q_by": None, "effect": None, "effect_lo": None,
    "effect_hi": None, "peak_value": None, "verdict": "none", "weights_json": '{"unit":"member","bins":[]}',
}  # fmt: skip
"""What a date says of a line that none of its windows shows, as of a screen that nothing passed."""


def _strongest(rows: Sequence[Row]) -> Row:
    return min(rows, key=lambda row: (row["p_raw"] if row["p_raw"] is not None else 1.0, -row["statistic"]))


def _day_p(row: Row) -> float | None:
    """p of a stratum on a date: of all its windows, where it has windows; 1 where none stood out; None for a fact."""
    if row["p_method"] == "fact":
        return None
    if row["p_raw"] is None:
        return 1.0
    windows = json.loads(row["facts_json"]).get("windows") or 1.0
    return min(1.0, row["p_raw"] * windows)


def _row(key: Key, of_day: dict[date, Row], days: Days, settings: EvidenceSettings) -> Row:
    least = Least.of(settings)
    looked = {day: row for day, row in of_day.items() if day not in days.holdout}
    checked = {day: row for day, row in of_day.items() if day in days.holdout}
    any_row = next(iter(of_day.values()))
    p = [value for row in of_day.values() if (value := _day_p(row)) is not None]
    if p:  # a date on which the group had too few messages is a date without it
        p += [1.0] * (len(days.all) - len(of_day))
    n_checked = len(days.holdout)
    n_looked = len(days.all) - n_checked
    u = math.ceil(len(p) / 2)
    conjunction = partial_conjunction(p, u) if p else None
    found = [row for row in looked.values() if _is_found(row)]
    weak = [row for row in looked.values() if row["verdict"].endswith("weak")]
    effect, low, high = _effect(list(looked.values()), Streams(settings.seed, ":".join(key)))
    peaks = [row["peak_value"] for row in found if row["peak_value"] is not None]
    peak, spread = middle_peak(peaks, key[0], key[1]) if peaks else (None, None)
    again = [row for row in checked.values() if _is_there_again(row, effect, peak, least, key)]
    discovery = "fact" if any_row["p_method"] == "fact" else "weak" if weak else "none"
    verdict = discovery
    if verdict == "none" and any(row["verdict"].endswith("weak") for row in checked.values()):
        verdict = "weak"
    enough = found and again and len(found) >= SHARE * n_looked and len(again) >= SHARE * n_checked
    if discovery == "weak" and enough and conjunction is not None and conjunction <= ALPHA:
        verdict = "supported"
    prefix = "" if days.provenance == "real" else SIMULATED
    together = lines.line_weights if key[0] == periods.TEST else mean_weights
    return {
        "test_id": key[0],
        "sub_id": key[1],
        "stratum_json": key[2],
        "strata_hash": days.strata_hash,
        "first_dt": days.all[0],
        "last_dt": days.all[-1],
        "available_from": days.available_from,
        "days_seen": len(days.all),
        "days_tested": sum(TOO_FEW not in row["notes"] for row in of_day.values()),
        "days_replicated": sum(_is_found(row) and _passed(row, least) for row in of_day.values()),
        "days_discovery": n_looked,
        "days_discovery_found": len(found),
        "days_holdout": n_checked,
        "days_holdout_found": len(again),
        "u": u,
        "p_partial_conj": conjunction,
        "p_cauchy": cauchy(p) if p else None,
        "effect": effect,
        "effect_unit": any_row["effect_unit"],
        "effect_lo": low,
        "effect_hi": high,
        "peak_value": peak,
        "peak_unit": any_row["peak_unit"],
        "peak_spread": spread,
        "weights_json": together(row["weights_json"] for row in (weak or found)),
        "verdict_discovery": f"{prefix}{discovery}",
        "verdict": f"{prefix}{verdict}",
        "provenance": days.provenance,
    }


def _is_found(row: Row) -> bool:
    found = row["q_by"] is not None and row["q_by"] <= ALPHA
    return found and not row["blocked_by_control"] and not is_explained(row["notes"])


def _passed(row: Row, least: Least) -> bool:
    return least.is_passed(row["effect_lo"], row["effect_unit"], row["n_ref"], row["n_tgt"])


def _is_there_again(row: Row, effect: float | None, peak: float | None, least: Least, key: Key) -> bool:
    """Whether a hold-out date shows what discovery dates do."""
    if effect is None or row["effect"] is None or row["blocked_by_control"] or is_explained(row["notes"]):
        return False
    same_sign = row["effect"] * effect > 0
    return same_sign and _passed(row, least) and same_peak(peak, row["peak_value"], row["peak_unit"], key[0], key[1])


def _effect(rows: Sequence[Row], streams: Streams) -> tuple[float | None, float | None, float | None]:
    """Median over dates with its 95 % interval over dates drawn with replacement; of one date its own interval."""
    known = [row for row in rows if row["effect"] is not None]
    if not known:
        return None, None, None
    if len(known) == 1:
        return tuple(known[0][name] for name in ("effect", "effect_lo", "effect_hi"))  # pyright: ignore[reportReturnType]
    values = np.array([row["effect"] for row in known])
    drawn = streams.random(BOOTSTRAP).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.quantile(np.median(values[drawn], axis=1), [0.025, 0.975])
    return float(np.median(values)), float(low), float(high)


def mean_weights(texts: Iterable[str]) -> str:
    """Mean of the weights of some dates by bin; a bin that a date lacks is 0 there."""
    read = [json.loads(text) for text in texts]
    if not read:
        return json.dumps({"unit": "member", "bins": []})
    sums: dict[tuple[float, float], float] = {}
    for one in read:
        for low, high, share in one["bins"]:
            sums[low, high] = sums.get((low, high), 0.0) + share
    bins = [[*edges, total / len(read)] for edges, total in sorted(sums.items())]
    return json.dumps({"unit": read[0]["unit"], "bins": bins})
