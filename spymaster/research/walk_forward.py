"""Walk forward: models are tried on sessions that follow those they learned from, and on nothing else.

    sessions   0 ... first-1 | embargo | first+embargo ...            n-h-1 | n-h ... n-1
               training only           | outer folds, block by block        | hold-out

A fold tests a block of sessions with what earlier ones tell: all but the `embargo` sessions directly before the block,
and without samples whose label ends after the block began. Everything up to the hold-out may be looked at as often as
one likes; the hold-out once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from spymaster.research.errors import SampleError
from spymaster.research.samples import Samples

Stage = Literal["inner", "outer", "holdout"]


@dataclass(frozen=True)
class Fold:
    """One step: positions of the samples (int64, in order) that are learned from and tried on."""

    number: int
    stage: Stage
    train: np.ndarray
    test: np.ndarray
    train_sessions: np.ndarray
    test_sessions: np.ndarray


@dataclass(frozen=True)
class Plan:
    """How sessions are cut. block: sessions tested with one fit."""

    first: int = 20
    embargo: int = 1
    block: int = 1
    holdout_share: float = 0.30


def holdout_sessions(sessions: np.ndarray, share: float) -> np.ndarray:
    """The last `share` of sessions (in order), rounded to whole ones."""
    return sessions[len(sessions) - round(share * len(sessions)) :]


def outer_folds(samples: Samples, plan: Plan) -> list[Fold]:
    """Folds up to the hold-out; none where sessions are too few."""
    held = len(holdout_sessions(samples.sessions, plan.holdout_share))
    return list(_folds(samples, plan, plan.first + plan.embargo, len(samples.sessions) - held, "outer"))


def holdout_folds(samples: Samples, plan: Plan) -> list[Fold]:
    """Folds of the hold-out: block by block, with what is known before each. To be opened once."""
    held = len(holdout_sessions(samples.sessions, plan.holdout_share))
    start = max(len(samples.sessions) - held, plan.first + plan.embargo)
    return list(_folds(samples, plan, start, len(samples.sessions), "holdout"))


def inner_folds(samples: Samples, *, first_share: float, blocks: int, embargo: int) -> list[Fold]:
    """Folds within training: after a first share of the sessions, at most `blocks` blocks of about as many each."""
    total = len(samples.sessions)
    start = max(round(first_share * total), 1) + embargo
    if start >= total:
        return []
    size = -(-(total - start) // blocks)
    return list(_folds(samples, Plan(start - embargo, embargo, size), start, total, "inner"))


def _folds(samples: Samples, plan: Plan, start: int, stop: int, stage: Stage) -> Iterator[Fold]:
    if plan.block < 1 or plan.embargo < 0 or plan.first < 1:
        raise SampleError(f"sessions cannot be cut like this: {plan}")
    sessions = samples.sessions
    for number, begin in enumerate(range(start, stop, plan.block)):
        tested, known = sessions[begin : min(begin + plan.block, stop)], sessions[: begin - plan.embargo]
        test = np.isin(samples.session, tested)
        train = np.isin(samples.session, known) & (samples.ts_label_end <= samples.ts_decision[test].min())
        yield Fold(
            number, stage, np.flatnonzero(train), np.flatnonzero(test), np.unique(samples.session[train]), tested
        )
