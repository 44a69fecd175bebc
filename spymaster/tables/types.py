"""Types and enumerations that the tables share. One name, one order, everywhere."""

from __future__ import annotations

import polars as pl

TIMESTAMP = pl.Datetime("ns", "UTC")

SIDES = ("B", "A")
"""Bid before ask: the order of rows of one price."""
AGGRESSORS = ("B", "A", "N")
ACTIONS = ("A", "C", "M", "R", "T", "F", "N")
RECORD_SIDES = ("B", "A", "N")
PHASES = ("closed", "pre_open", "continuous")
"""In the order of the codes of `spymaster.market.calendar.phases`."""
BOOK_STATES = ("empty", "snapshot", "live")
APPROACH_DIRECTIONS = ("up", "down", "none")
BANDS = ("AT", "NEAR", "MID", "FAR")

SIDE = pl.Enum(SIDES)
AGGRESSOR = pl.Enum(AGGRESSORS)
ACTION = pl.Enum(ACTIONS)
RECORD_SIDE = pl.Enum(RECORD_SIDES)
PHASE = pl.Enum(PHASES)
BOOK_STATE = pl.Enum(BOOK_STATES)
APPROACH_DIRECTION = pl.Enum(APPROACH_DIRECTIONS)
BAND = pl.Enum(BANDS)

MAX_GRID_TICKS = 600
"""Widest distance from spot that the surfaces store."""
NEAR_SPOT_TICKS = 20
"""Width of the four bands AT 0-2, NEAR 3-5, MID 6-14, FAR 15-20."""

BAND_EDGES: dict[str, tuple[int, int]] = {"AT": (0, 2), "NEAR": (3, 5), "MID": (6, 14), "FAR": (15, 20)}
"""First and last distance from spot of each band, ticks."""
