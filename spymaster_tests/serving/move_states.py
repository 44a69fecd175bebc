"""Rows of `silver.move_conditions_1s` in which every state of the four conditions occurs, made by the library."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from spymaster.serving.fill import Span, Timeline, fill_moves
from spymaster.settings import SetupSettings
from spymaster.setups.conditions import move_conditions
from spymaster.tables.move_condition_scale import SCALE_MEASURES, MoveConditionScale
from spymaster.tables.move_measure_1s import HORIZONS, MOVE_SIDES, MoveMeasure1s, measure

START = datetime(2026, 1, 6, 15, tzinfo=UTC)
SETTINGS = SetupSettings(scale_min_sessions_demo=1)
ALL_STATES = tuple((r_ask, n_ask, r_bid, n_bid) for r_ask in (0, 1) for n_ask in (0, 1) for r_bid in (0, 1)
                   for n_bid in (0, 1))  # fmt: skip
"""Which of ask retreat, ask net pull, bid retreat and bid net pull hold, a second each."""


def measures() -> pl.DataFrame:
    """A second per state: a side steps away by 20 ticks or none, and its pulls outrun its adds or not."""
    rows = []
    for second, (r_ask, n_ask, r_bid, n_bid) in enumerate(ALL_STATES):
        row: dict[str, Any] = {
            name: 0 if dtype.is_numeric() else False if dtype == pl.Boolean else None
            for name, dtype in MoveMeasure1s.schema().items()
        }
        row |= {"window_end": START + timedelta(seconds=second + 1), "valid": True}
        for side, retreats, pulls in (("ask", r_ask, n_ask), ("bid", r_bid, n_bid)):
            for horizon in HORIZONS:
                row[measure("c1", side, horizon)] = 20.0 * retreats
                row[measure("pull", side, horizon)] = 100 if pulls else 1
                row[measure("add", side, horizon)] = 1 if pulls else 100
        rows.append(row)
    return pl.DataFrame(rows, schema=MoveMeasure1s.schema())


def scale(sessions: int = 1) -> pl.DataFrame:
    """Nothing is usual, and 1 is the usual distance from it."""
    rows = [
        {"tod_bucket": 20, "measure": name, "horizon_s": horizon, "median": 100.0 if name == "add" else 0.0,
         "mad": 1.0, "n_sessions": sessions, "n_rows": sessions, "last_dt_used": date(2026, 1, 5)}
        for name in SCALE_MEASURES for horizon in HORIZONS
    ]  # fmt: skip
    schema = MoveConditionScale.schema()
    return pl.DataFrame(rows, schema={name: schema[name] for name in rows[0]})


def conditions(sessions: int = 1) -> pl.DataFrame:
    """The rows, from scales of so many earlier sessions: 0 is too few for a state."""
    return move_conditions(measures(), scale(sessions), eps_qty=1.0, settings=SETTINGS, profile="demo")


def on_the_wire(rows: pl.DataFrame) -> dict[str, Any]:
    """Columns of the wire surface `moves`."""
    t0_ns = int(START.timestamp()) * 1_000_000_000
    return fill_moves(Span(Timeline(t0_ns, len(ALL_STATES)), 0, len(ALL_STATES), 250_000_000), rows)


def states_truth() -> list[dict[str, Any]]:
    """What the wire says of each state, and which conditions hold and what the table calls it and makes of it."""
    rows = conditions()
    wire = on_the_wire(rows)
    names = [f"{name}_{side}" for side in MOVE_SIDES for name in ("r", "n")]
    words = rows.select("state_name_w5", "thesis_from_below_w5", "thesis_from_above_w5").rows()
    return [
        {
            "state_dn": int(wire["state_dn"][at]),
            "state_up": int(wire["state_up"][at]),
            "valid": int(wire["valid"][at]),
            "holds": dict(zip(names, map(bool, held), strict=True)),
            "name": name.replace("_", " "),
            "from_below": below,
            "from_above": above,
        }
        for at, (held, (name, below, above)) in enumerate(zip(ALL_STATES, words, strict=True))
    ]
