"""Episodes of the served session: a candle, a touch with its outcomes, one that is not valid, and a placebo."""

from __future__ import annotations

import polars as pl

from spymaster.lake import Lake
from spymaster.serving.session import Session
from spymaster.tables import table
from spymaster_tests.serving.lakes import add
from spymaster_tests.tables.episode_samples import episode, outcome

EPISODE, OUTCOME = "gold.setup_episode", "gold.setup_outcome"
TOUCH_S, CANDLE_S, INVALID_S, PLACEBO_S = 1000, 1200, 1500, 1600
"""Seconds at whose end each is decided; the touch 1 ns after the second before has ended."""
PRICE = 4800 * 10**9 + 60_000_000  # off the grid, next to tick 19200


def frames(t0_ns: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of both tables; touches are scored after 30 and 120 s, the candle after 360 s."""
    end = lambda sec: t0_ns + (sec + 1) * 10**9  # noqa: E731
    episodes, outcomes = [], []
    for index, sec in ((0, CANDLE_S), (3, TOUCH_S), (2, INVALID_S), (1, PLACEBO_S)):
        row = episode(index)
        touch = row["kind"] == "touch"
        decision = end(sec - 1) + 1 if sec == TOUCH_S else end(sec)
        row |= {"ts_decision": decision, "level_price_int": PRICE, "match_set_id": None,
                "episode_id": f"{row['kind']}:{row['level_id']}:{decision}",
                "ts_approach": decision - 12 * 10**9 if touch else None,
                "ts_trigger_bar": None if touch else decision - 240 * 10**9}  # fmt: skip
        episodes.append(row)
        for horizon in (30, 120) if touch else (360,):
            came = outcome(index) | {"episode_id": row["episode_id"], "horizon_s": horizon, "ts_label_start": decision,
                                     "ts_label_end": decision + horizon * 10**9}  # fmt: skip
            if came["ts_hit"] is not None:
                came["ts_hit"] = came["lv_hit_ts"] = decision + 4 * 10**9
            outcomes.append(came)
    made = []
    for name, rows in ((EPISODE, episodes), (OUTCOME, outcomes)):
        schema = table(name).schema()
        made.append(pl.DataFrame(rows, schema=schema, infer_schema_length=None).sort(table(name).key))  # type: ignore[arg-type]
    return made[0], made[1]


def add_episodes(lake: Lake, market: Session, *, outcomes: bool = True) -> None:
    """Store them in a lake of the served session."""
    one, other = frames(market.timeline.t0_ns)
    add(lake, EPISODE, one)
    if outcomes:
        add(lake, OUTCOME, other)
