"""Which earlier setups resemble one, and what came of them: the rules of the answer, on arrays.

    nearest 20 k of the library -> at most one of a level group within ten minutes -> at most a few of a session -> k
    w_i = exp(-d_i^2/(2 d_k^2)),    p_c = (sum of w_i over outcome c + m p0_c)/(sum of w_i + m)

p0 is the share of the outcome among earlier setups of the same half hour and direction; with few of those, of the same
direction, or of all. So p leans on p0 where neighbours are few or far, and is never told without it. An answer may be
that there is none (`ABSTAIN_REASONS`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from spymaster.research.coarse import Coarse
from spymaster.research.search import nearest
from spymaster.settings import RetrievalSettings
from spymaster.tables.retrieval_result import ABSTAIN_REASONS
from spymaster.tables.setup_outcome import OUTCOMES

__all__ = ["ABSTAIN_REASONS", "Answer", "Library", "Question", "Rules", "answer"]

HALF_HOUR_S: Final = 1800
LEAST_OF_BASE: Final = 20
"""Setups that a base rate is taken from, at least; otherwise of a wider class."""
NOVELTY_SAMPLE: Final = 400
"""Latest setups of the library whose own distance to their k-th neighbour says what is usual."""


@dataclass(frozen=True)
class Rules:
    """Numbers of the rules, as the profile has them."""

    k: int
    per_session: int
    min_sessions: int
    embargo_sessions: int
    settings: RetrievalSettings

    @classmethod
    def of(cls, settings: RetrievalSettings, profile: str, k: int | None = None) -> Rules:
        """Those of a profile; another `k` than its own may be asked for."""
        demo = profile == "demo"
        return cls(
            k or (settings.k_demo if demo else settings.k),
            settings.per_session_demo if demo else settings.per_session,
            settings.min_sessions_demo if demo else settings.min_sessions,
            settings.embargo_sessions_demo if demo else settings.embargo_sessions,
            settings,
        )

    def document(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self) | {"settings": self.settings.model_dump(mode="json")}


@dataclass(frozen=True)
class Library:
    """Earlier setups of one family, kind and horizon. All arrays have one entry per setup."""

    points: np.ndarray
    """float32[n, d], scaled."""
    session: np.ndarray
    """int64[n], trade date in days since the epoch."""
    group: np.ndarray
    """object[n], group of the level."""
    ts: np.ndarray
    """int64[n], decision, ns."""
    direction: np.ndarray
    """int8[n]."""
    tod_sec: np.ndarray
    """int64[n], since 09:30 New York."""
    sigma_60: np.ndarray
    """float64[n], ticks."""
    level_types: tuple[tuple[str, ...], ...]
    outcome: np.ndarray
    """int64[n], position in `OUTCOMES`."""

    def __len__(self) -> int:
        return len(self.points)

    @cached_property
    def sessions(self) -> tuple[np.ndarray, np.ndarray]:
        """Sessions that there are setups of (int64[s], in order), and the place of each setup's in them (int64[n])."""
        return np.unique(self.session, return_inverse=True)

    @cached_property
    def coarse(self) -> Coarse | None:
        """What makes a search of many points fast, made when it is first asked for; None where there are few."""
        return Coarse.of(self.points)


@dataclass(frozen=True)
class Question:
    """What is asked. `point` is scaled like the library; None where there is no vector."""

    point: np.ndarray | None
    session: int
    """Trade date in days since the epoch."""
    direction: int
    tod_sec: int
    sigma_60: float
    level_types: frozenset[str] = frozenset()
    """Only setups at a level of one of these kinds; all, where empty."""
    near_in_time: bool = False
    """Only setups within 90 minutes of the same time of day."""
    like_sigma: bool = False
    """Only setups whose sigma is between half and twice this one's."""
    walk_forward: bool = True
    """Only sessions before this one; otherwise all but this one and those next to it."""

    @property
    def filtered(self) -> bool:
        """Whether only some setups of the allowed sessions may be neighbours."""
        return bool(self.level_types) or self.near_in_time or self.like_sigma


@dataclass(frozen=True)
class Answer:
    """Neighbours, nearest first, and what they say. Shares are in order of `OUTCOMES`; None where nothing is said."""

    rows: np.ndarray
    distance: np.ndarray
    weight: np.ndarray
    p: np.ndarray | None
    p0: np.ndarray | None
    n_eff: float | None
    n_sessions: int
    novelty: float | None
    """None where the library is small, and where the question has filters: their neighbours are further away for having
    been chosen from fewer, which the usual distances, those of the whole library, do not know."""
    reason: str | None
    """One of `ABSTAIN_REASONS`, or None."""


def answer(library: Library, question: Question, rules: Rules, usual: np.ndarray | None = None) -> Answer:
    """The answer to a question. usual: `usual_distances` of the library, where it is known already."""
    chosen = _allowed(library, question, rules)
    allowed, sessions = chosen[library.sessions[1]], int(chosen.sum())
    p0 = base_rates(library, allowed, question.direction, question.tod_sec)
    nothing = np.empty(0)
    if question.point is None:
        return Answer(nothing.astype(np.int64), nothing, nothing, None, p0, None, sessions, None, "invalid")
    rows, distance = neighbours(library, question.point, _filtered(library, question, rules, allowed), rules)
    weight = (
        np.exp(-(distance**2) / (2.0 * distance[-1] ** 2)) if len(rows) and distance[-1] > 0 else np.ones(len(rows))
    )
    reason = "few_sessions" if sessions < rules.min_sessions else "few_neighbours" if len(rows) < rules.k else None
    if reason is not None or p0 is None:
        return Answer(rows, distance, weight, None, p0, None, sessions, None, reason or "few_neighbours")
    shrink = rules.settings.shrink
    votes = np.array([weight[library.outcome[rows] == code].sum() for code in range(len(OUTCOMES))])
    p = (votes + shrink * p0) / (weight.sum() + shrink)
    novelty = None
    if not question.filtered:
        usual = usual_distances(library, rules) if usual is None else usual
        if len(usual) >= rules.settings.novelty_least:
            novelty = float((usual < distance[-1]).mean())
    if novelty is not None and novelty > rules.settings.novelty_cut:
        reason = "novel"
    elif (np.abs(p - p0) <= rules.settings.uninformative).all():
        reason = "uninformative"
    n_eff = float(weight.sum() ** 2 / (weight**2).sum())
    return Answer(rows, distance, weight, p, p0, n_eff, sessions, novelty, reason)


def neighbours(library: Library, point: np.ndarray, allowed: np.ndarray, rules: Rules) -> tuple[np.ndarray, np.ndarray]:
    """Rows and distances of the at most k neighbours among the allowed rows (bool[n]), nearest first."""
    found, distance = nearest(library.points, point, rules.settings.raw_factor * rules.k, allowed, library.coarse)
    kept: list[int] = []
    of_session: dict[int, int] = {}
    of_group: dict[object, list[int]] = {}
    apart = rules.settings.group_minutes * 60 * 1_000_000_000
    for position, row in enumerate(found.tolist()):
        session, group, ts = int(library.session[row]), library.group[row], int(library.ts[row])
        if of_session.get(session, 0) >= rules.per_session:
            continue
        if any(abs(ts - other) < apart for other in of_group.get(group, ())):
            continue
        of_session[session] = of_session.get(session, 0) + 1
        of_group.setdefault(group, []).append(ts)
        kept.append(position)
        if len(kept) == rules.k:
            break
    return found[kept], distance[kept]


def base_rates(library: Library, allowed: np.ndarray, direction: int, tod_sec: int) -> np.ndarray | None:
    """Shares of the outcomes among allowed setups of the half hour and direction, or of a wider class; None if none."""
    same = allowed & (library.direction == direction)
    close = same & (library.tod_sec // HALF_HOUR_S == tod_sec // HALF_HOUR_S)
    for chosen in (close, same, allowed):
        if chosen.sum() >= LEAST_OF_BASE or (chosen is allowed and chosen.any()):
            return np.bincount(library.outcome[chosen], minlength=len(OUTCOMES)) / chosen.sum()
    return None


def usual_distances(library: Library, rules: Rules) -> np.ndarray:
    """float64[m]: distance to the k-th neighbour of the latest setups of the library, each without its own sessions.

    Those that have fewer neighbours are left out. With the same library, the same numbers.
    """
    result = []
    for row in np.argsort(library.ts, kind="stable")[-NOVELTY_SAMPLE:].tolist():
        apart = _apart(library.sessions[0], int(library.session[row]), rules.embargo_sessions)
        found, distance = neighbours(library, library.points[row], apart[library.sessions[1]], rules)
        if len(found) == rules.k:
            result.append(distance[-1])
    return np.array(result)


def _allowed(library: Library, question: Question, rules: Rules) -> np.ndarray:
    """bool[s]: sessions that are not the question's, nor next to it, nor later."""
    sessions = library.sessions[0]
    apart = _apart(sessions, question.session, rules.embargo_sessions)
    return apart & (sessions < question.session) if question.walk_forward else apart


def _apart(sessions: np.ndarray, own: int, embargo: int) -> np.ndarray:
    """bool[s]: known sessions, in order, that are neither `own` nor among the `embargo` ones next to it on a side."""
    before, after = np.searchsorted(sessions, own), np.searchsorted(sessions, own, side="right")
    place = np.arange(len(sessions))
    return (place < before - embargo) | (place >= after + embargo)


def _filtered(library: Library, question: Question, rules: Rules, allowed: np.ndarray) -> np.ndarray:
    kept = allowed.copy()
    if question.near_in_time:
        kept &= np.abs(library.tod_sec - question.tod_sec) <= 60 * rules.settings.tod_minutes
    if question.like_sigma:
        ratio = library.sigma_60 / question.sigma_60
        kept &= (ratio >= 1.0 / rules.settings.sigma_ratio) & (ratio <= rules.settings.sigma_ratio)
    if question.level_types:
        kept &= np.array([bool(question.level_types & set(kinds)) for kinds in library.level_types], dtype=bool)
    return kept
