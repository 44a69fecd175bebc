"""Samples made of numbers: a walk that nothing foretells, or one whose outcomes lean on a feature."""

from __future__ import annotations

import numpy as np

from spymaster.research.samples import (
    B2_NAMES,
    B3_NAMES,
    BREAK,
    CHOP,
    CONTEXT_NAMES,
    REGISTERED,
    REJECT,
    SECOND_NS,
    Samples,
)
from spymaster.setups.ruin import first_passage

FIRST_DAY = 19_700
DIMS = 40
HORIZON_S = 120
LEVELS = (("PMH",), ("ONL", "ROUND25"), ("SMA200",))


def made_samples(
    *, sessions: int = 30, per_session: int = 40, signal: float = 0.0, seed: int = 0, dims: int = DIMS,
    walk: bool = False,
) -> Samples:  # fmt: skip
    """Samples of the panel (touch, 120 s, s1). signal: log odds of break per unit of z_n_ah, and of the third dim.

    Without `walk` a barrier is reached with the chance that b1 tells, and with it by a simulated walk.
    """
    rng = np.random.default_rng(seed)
    n = sessions * per_session
    session = np.repeat(FIRST_DAY + np.arange(sessions), per_session)
    number = np.tile(np.arange(per_session), sessions)
    decision = session * 86_400 * SECOND_NS + (52_200 + number * 300) * SECOND_NS + rng.integers(0, SECOND_NS, n)
    features = {name: rng.normal(size=n) for name in REGISTERED}
    vectors = rng.normal(size=(n, dims)).astype(np.float32)
    sigma = rng.uniform(3.0, 9.0, n)
    barrier = np.maximum(4.0, np.rint(sigma * rng.uniform(0.7, 1.4, n)))
    b1 = np.stack(first_passage(barrier, barrier, sigma, np.zeros(n)), axis=1)
    if walk:
        outcome = _walked(rng, barrier, sigma)
    else:
        lean = signal * (features["z_n_ah"] + vectors[:, 2])
        hit = rng.random(n) < b1[:, BREAK] + b1[:, REJECT]
        along = rng.random(n) < 1.0 / (1.0 + np.exp(-lean))
        outcome = np.where(hit, np.where(along, BREAK, REJECT), CHOP)
    names = [f"touch:made:{k}" for k in range(n)]
    kinds = np.empty(n, dtype=object)
    for k in range(n):
        kinds[k] = LEVELS[int(rng.integers(0, len(LEVELS)))]
    return Samples(
        kind="touch",
        horizon_s=HORIZON_S,
        family="s1",
        lead_s=0,
        session=session.astype(np.int64),
        episode_id=np.array(names, dtype=object),
        ts_cutoff=decision // SECOND_NS * SECOND_NS,
        ts_decision=decision,
        ts_label_end=decision + HORIZON_S * SECOND_NS,
        direction=rng.choice(np.array([-1, 1], dtype=np.int8), n),
        outcome=outcome.astype(np.int8),
        features=features,
        vectors=vectors,
        vector_names=("w0.v.queue_imb", "w0.v.micro_disp", *(f"w0.v.made_{k}" for k in range(dims - 2))),
        b1=b1,
        b2=rng.normal(size=(n, len(B2_NAMES))),
        b3=rng.normal(size=(n, len(B3_NAMES))),
        context=np.stack([sigma, 1800.0 + number * 300.0, np.ones(n)], axis=1)[:, : len(CONTEXT_NAMES)],
        level_types=kinds,
        group_id=np.array([f"{name}@0" for name in names], dtype=object),
        is_placebo=np.zeros(n, dtype=bool),
        match_set_id=np.array(names, dtype=object),
        knn=np.full((n, 3), np.nan),
    )


def _walked(rng: np.random.Generator, barrier: np.ndarray, sigma: np.ndarray, steps: int = 2000) -> np.ndarray:
    """Which barrier a walk of small steps with deviation sigma over the horizon meets first."""
    position, outcome = np.zeros(len(barrier)), np.full(len(barrier), CHOP)
    for _ in range(steps):
        position += rng.normal(size=len(barrier)) * sigma / np.sqrt(steps)
        open_ = outcome == CHOP
        outcome[open_ & (position >= barrier)] = BREAK
        outcome[open_ & (position <= -barrier)] = REJECT
    return outcome


def auc(score: np.ndarray, label: np.ndarray) -> float:
    """Chance that a true sample has a higher score than one that is not; equal scores count half."""
    order = np.argsort(score, kind="stable")
    _, which, count = np.unique(score[order], return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count - 1) / 2.0
    rank = np.empty(len(score))
    rank[order] = middle[which]
    true, false = int(label.sum()), int((~label).sum())
    return float((rank[label].sum() - true * (true + 1) / 2.0) / (true * false))


def auc_interval(
    score: np.ndarray, label: np.ndarray, session: np.ndarray, *, draws: int = 400, seed: int = 5
) -> tuple[float, float]:
    """95 % of areas over draws of whole sessions."""
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(session == one) for one in np.unique(session)]
    areas = []
    for _ in range(draws):
        drawn = np.concatenate([rows[k] for k in rng.integers(0, len(rows), len(rows))])
        areas.append(auc(score[drawn], label[drawn]))
    low, high = np.quantile(areas, [0.025, 0.975])
    return float(low), float(high)
