"""From orders to the answer: nothing on background, a difference where habits come before rejections, nothing where the
same orders come at random times.

Each day is a bursty market with touches of a real level and placebo touches at other times. The third market has as
many orders in the same seconds, of the same size and side: only their lifetimes are nobody's habit.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from spymaster.evidence.contrast import Answer
from spymaster.evidence.frozen import FrozenList, Listed
from spymaster.evidence.intensity import count, rows_of
from spymaster.evidence.session_contrast import Shares, contrast_answers, touches_of
from spymaster.evidence.strata import Stratum
from spymaster_tests.evidence.markets import MS, SECOND_NS, START, Market

DAYS, SECONDS, TOUCHES, PLACEBOS = 6, 900, 6, 3
PER_SECOND = 6
LIST = FrozenList((Listed("E1", "ms", Stratum(kind="cancel"), "ns", ((20.0 * MS, 21.0 * MS, 0.8),), 0.05),))


def touch_seconds(seed: int) -> np.ndarray:
    """Seconds of the real touches (first column) and of their placebos, far enough apart."""
    rng = np.random.default_rng(seed)
    slots = np.arange(31, SECONDS - 12, 31)
    return rng.permutation(slots)[: TOUCHES * (1 + PLACEBOS)].reshape(TOUCHES, 1 + PLACEBOS)


def rows(kind: str, seed: int) -> pl.DataFrame:
    """Intensity of a day: `background`, `habit` (orders that live 20.5 ms before real touches), or `random` lives."""
    market = Market(SECONDS, seed).background()
    if kind != "background":
        moments = [
            market.rng.integers(int(at - 10) * SECOND_NS, int(at) * SECOND_NS, 10 * PER_SECOND)
            for at in touch_seconds(seed)[:, 0]
        ]
        add = np.sort(np.concatenate(moments))
        life = 20 * MS + MS // 2 if kind == "habit" else market.rng.integers(MS, 2 * SECOND_NS, len(add))
        market.place(add, add + life)
    day = market.day()
    return rows_of(count(day, np.full(len(day.messages.ts), np.nan), LIST, np.ones(len(day.open), np.bool_)))


def touches(seed: int) -> pl.DataFrame:
    """Every real touch was rejected, every placebo chopped."""
    names, real, decided, sets = [], [], [], []
    for number, row in enumerate(touch_seconds(seed)):
        for member, second in enumerate(row.tolist()):
            names.append(f"{seed}:{number}:{member}")
            real.append(member > 0)
            decided.append(START + second * SECOND_NS)
            sets.append(f"{seed}:{number}:0")
    episodes = pl.DataFrame(
        {
            "episode_id": names,
            "kind": "touch",
            "direction": pl.Series([1] * len(names), dtype=pl.Int8),
            "is_placebo": real,
            "match_set_id": sets,
            "ts_decision": pl.Series(decided).cast(pl.Datetime("ns", "UTC")),
            "msg_rate_rel": 1.0,
            "valid": True,
        }
    )
    outcome = ["chop" if fake else "reject" for fake in real]
    outcomes = pl.DataFrame(
        {"episode_id": names, "horizon_s": 120, "k_barrier": 1.0, "outcome": outcome, "valid": True}
    )
    return touches_of(episodes, outcomes)


def primary(kind: str) -> Answer:
    days = [(touches(seed), Shares(rows(kind, seed))) for seed in range(DAYS)]
    return contrast_answers(days, 1)[0]


@pytest.mark.parametrize(
    ("kind", "verdict"), [("background", "not_distinguishable"), ("habit", "higher"), ("random", "not_distinguishable")]
)
def test_only_habits_before_rejections_make_a_difference(kind: str, verdict: str) -> None:
    found = primary(kind)
    assert (found.n_sets, found.n_days) == (DAYS * TOUCHES, DAYS)
    assert found.verdict == verdict, found
    assert found.low <= found.delta <= found.high
    if kind == "habit":  # 6 of some 130 messages a second are such cancels, and weigh 0.8
        assert found.delta == pytest.approx(0.036, abs=0.012)
        assert found.delta > found.mdd
