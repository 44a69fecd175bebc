"""From stored tables to `gold.algo_contrast`: touches, their matched sets, and the intensity before each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from spymaster.evidence.arrays import SECOND_NS
from spymaster.evidence.contrast import PRIMARY, Answer, MatchedSet, Question, Touches, answers, apart
from spymaster.lake import Partition
from spymaster.tables.algo_contrast import AlgoContrast
from spymaster.tables.algo_intensity_1s import INTENSITY_FAMILIES, share_column

HORIZON_S, K_BARRIER = 120, 1.0
EPISODE_COLUMNS = (
    "episode_id", "kind", "direction", "is_placebo", "match_set_id", "ts_decision", "msg_rate_rel", "valid",
)  # fmt: skip
OUTCOME_COLUMNS = ("episode_id", "horizon_s", "k_barrier", "outcome", "valid")
INTENSITY_COLUMNS = (
    "window_end", "side", "band", "n_msgs", "qty_msgs", "n_attr", "qty_attr",
    *(share_column(name) for name in INTENSITY_FAMILIES),
)  # fmt: skip


def touches_of(episodes: pl.DataFrame, outcomes: pl.DataFrame) -> pl.DataFrame:
    """Valid touches that are in a matched set, with their outcome within 120 s: one row each, in order of the id."""
    scored = outcomes.filter(
        (pl.col("horizon_s") == HORIZON_S) & (pl.col("k_barrier") == K_BARRIER) & pl.col("valid")
    ).select("episode_id", pl.col("outcome").cast(pl.String))
    chosen = episodes.filter(
        (pl.col("kind").cast(pl.String) == "touch") & pl.col("valid") & pl.col("match_set_id").is_not_null()
    )
    return chosen.join(scored, on="episode_id", how="left", maintain_order="left").sort("episode_id")


class Shares:
    """Shares before moments of one day: running sums over its seconds, made as they are asked for."""

    def __init__(self, rows: pl.DataFrame) -> None:
        ends = rows["window_end"].to_physical().to_numpy()
        self.first = int(ends.min()) if len(ends) else 0
        self.seconds = int((ends.max() - self.first) // SECOND_NS) + 1 if len(ends) else 0
        self.rows = rows
        self._sums: dict[tuple[str, str, str], NDArray[np.float64]] = {}

    def before(self, question: Question, at: NDArray[np.int64], direction: NDArray[np.int8]) -> NDArray[np.float64]:
        """Share over the last whole seconds before each moment (ns); NaN without messages, list, or all the seconds."""
        last = (at - self.first) // SECOND_NS  # the window that ended at the moment or just before
        found = np.full(len(at), np.nan)
        for way in (-1, 1):
            rows = np.flatnonzero((direction == way) & (last - question.n_s >= -1) & (last < self.seconds))
            if not len(rows):
                continue
            ahead = way > 0  # price that comes from below has the offers ahead
            side = {"ahead": "BA"[ahead], "behind": "AB"[ahead]}.get(question.side, "all")
            part, whole = (self._running(name, side, question.band) for name in _columns(question.measure))
            stop = last[rows] + 1
            parts, wholes = (sums[stop] - sums[stop - question.n_s] for sums in (part, whole))
            found[rows] = np.where(wholes > 0, parts / np.maximum(wholes, 1), np.nan)
        return found

    def _running(self, column: str, side: str, band: str) -> NDArray[np.float64]:
        key = (column, side, band)
        if key not in self._sums:
            chosen = self.rows.filter(
                (pl.col("side").cast(pl.String) == side) & (pl.col("band").cast(pl.String) == band)
            )
            values = chosen[column] if column in chosen.columns else None
            if values is None:  # a family's share, as messages
                values = chosen[column.removesuffix("_msgs")].cast(pl.Float64) * chosen["n_msgs"]
                values = values.zip_with(chosen["n_msgs"] > 0, pl.Series([0.0]))
            place = (chosen["window_end"].to_physical().to_numpy() - self.first) // SECOND_NS
            dense = np.zeros(self.seconds)
            dense[place] = values.cast(pl.Float64).fill_null(np.nan).to_numpy()
            self._sums[key] = np.concatenate([[0.0], np.cumsum(dense)])
        return self._sums[key]


def _columns(measure: str) -> tuple[str, str]:
    """Columns of the sums that a measure is the ratio of."""
    fixed = {"share_msgs": ("n_attr", "n_msgs"), "share_qty": ("qty_attr", "qty_msgs")}
    return fixed.get(measure, (f"{measure}_msgs", "n_msgs"))


def contrast_answers(days: Sequence[tuple[pl.DataFrame, Shares]], seed: int) -> list[Answer]:
    """Answers over days, each of its touches (`touches_of`) and shares."""
    outcome: list[str | None] = []
    rate: list[float | None] = []
    times: list[int] = []
    sets: list[MatchedSet] = []
    first = 0
    for number, (touches, _) in enumerate(days):
        place = {name: first + k for k, name in enumerate(touches["episode_id"].to_list())}
        controls: dict[str, list[int]] = {}
        for name, of_set, fake in touches.select("episode_id", "match_set_id", "is_placebo").iter_rows():
            if fake:
                controls.setdefault(of_set, []).append(place[name])
        own = [
            MatchedSet(number, place[name], tuple(controls.get(name, ())))
            for name in touches.filter(~pl.col("is_placebo"))["episode_id"].to_list()
        ]
        times += touches["ts_decision"].to_physical().to_list()
        sets += apart(np.array(times, np.int64), own)
        outcome += touches["outcome"].to_list()
        rate += touches["msg_rate_rel"].to_list()
        first += touches.height

    def values(question: Question) -> NDArray[np.float64]:
        return np.concatenate(
            [
                np.zeros(0),
                *(
                    shares.before(
                        question, touches["ts_decision"].to_physical().to_numpy(), touches["direction"].to_numpy()
                    )
                    for touches, shares in days
                ),
            ]
        )

    return answers(Touches(outcome, np.array(rate, np.float64), sets), values, seed)


def session_contrast(
    episodes: Sequence[Partition],
    outcomes: Sequence[Partition],
    intensities: Sequence[Partition],
    runs: Sequence[Partition],
    *,
    seed: int,
) -> pl.DataFrame:
    """`gold.algo_contrast` over the dates of `intensities` that are hold-outs and have episodes and outcomes, too.

    runs: partitions of `algo_run`, which say what a date is for. All up to the same date.
    """
    holdout = {one.dt for one in runs if "holdout" in one.read(["role"])["role"].cast(pl.String)}
    of_date = [{one.dt: one for one in partitions} for partitions in (episodes, outcomes)]
    days, dates = [], []
    for one in intensities:
        if one.dt in holdout and all(one.dt in known for known in of_date):
            touches = touches_of(of_date[0][one.dt].read(EPISODE_COLUMNS), of_date[1][one.dt].read(OUTCOME_COLUMNS))
            if touches.height:
                days.append((touches, Shares(one.read(INTENSITY_COLUMNS))))
                dates.append(one.dt)
    provenance = intensities[-1].manifest.provenance
    return contrast_frame(contrast_answers(days, seed), dates, provenance)


def contrast_frame(found: Sequence[Answer], dates: Sequence[date], provenance: str) -> pl.DataFrame:
    """Answers as rows of the table."""
    rows = []
    for one in found:
        known = {
            name: None if np.isnan(value) else value
            for name, value in (
                ("mean_case", one.mean_case), ("mean_control", one.mean_control), ("delta", one.delta),
                ("ci_lo", one.low), ("ci_hi", one.high), ("p_swap", one.p_swap), ("p_days", one.p_days),
                ("p_perm", one.p), ("q_bh", one.q), ("mdd", one.mdd),
            )
        }  # fmt: skip
        question = one.question
        rows.append(
            {
                "contrast_id": question.contrast_id, "is_primary": question == PRIMARY, "n_s": question.n_s,
                "measure": question.measure, "side": question.side, "band": question.band,
                "case_def": question.case_def, "same_rate": question.same_rate,
                "first_dt": min(dates, default=None), "last_dt": max(dates, default=None),
                "n_sets": one.n_sets, "n_days": one.n_days, "n_dropped": one.n_dropped,
                **known, "verdict": one.verdict, "provenance": provenance,
            }
        )  # fmt: skip
    frame = pl.DataFrame(rows, schema=AlgoContrast.schema())
    return frame.sort("contrast_id")
