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
MESSAGE_KINDS = (
    "add",
    "cancel",
    "reprice",
    "size_up",
    "size_down",
    "fill_partial",
    "fill_full",
    "refill",
    "trade",
    "trade_implied",
)
"""What a message does: see `spymaster.tables.order_event`."""
LIFE_ENDS = ("cancel", "fill", "open")
APPROACH_DIRECTIONS = ("up", "down", "none")
BANDS = ("AT", "NEAR", "MID", "FAR")
DISTANCE_BANDS = ("D0", "D1", "D2_3", "D4_5", "D6_10", "D11_20", "D21_40")
"""Distances of a price bucket from spot's, in buckets; see `DISTANCE_BAND_EDGES`."""
RIGHTS = ("C", "P")
"""Call before put: the order of options of one strike."""

STATISTIC_UPDATES = ("new", "delete")
REJECT_REASONS = (
    "invalid_book",
    "muted",
    "one_sided",
    "crossed",
    "minimum_tick",
    "wide",
    "no_forward",
    "no_arbitrage",
)
"""Why a quote has no volatility: the first of these that holds. See `spymaster.options.quotes`."""
FORWARD_SOURCES = ("future", "parity", "none")

LEVEL_TYPES = (
    "PMH", "PML", "ONH", "ONL", "PDH", "PDL", "PDC", "SETTLE",
    "ORH5", "ORL5", "ORH15", "ORL15", "ORH30", "ORL30",
    "VWAP", "VWAP_P1", "VWAP_M1", "VWAP_P2", "VWAP_M2",
    "RVWAP", "RVWAP_P1", "RVWAP_M1", "RVWAP_P2", "RVWAP_M2",
    "SMA200", "SMA400", "ROUND25", "ROUND50", "ROUND100", "GEXCW", "GEXPW", "ZG", "SWH", "SWL", "HVN",
)  # fmt: skip
"""Prices known in advance: see `spymaster.tables.session_level`."""

SIDE = pl.Enum(SIDES)
AGGRESSOR = pl.Enum(AGGRESSORS)
ACTION = pl.Enum(ACTIONS)
RECORD_SIDE = pl.Enum(RECORD_SIDES)
PHASE = pl.Enum(PHASES)
BOOK_STATE = pl.Enum(BOOK_STATES)
MESSAGE_KIND = pl.Enum(MESSAGE_KINDS)
LIFE_END = pl.Enum(LIFE_ENDS)
APPROACH_DIRECTION = pl.Enum(APPROACH_DIRECTIONS)
BAND = pl.Enum(BANDS)
CALIBRATION_BAND = pl.Enum((*BANDS, *DISTANCE_BANDS))
RIGHT = pl.Enum(RIGHTS)
STATISTIC_UPDATE = pl.Enum(STATISTIC_UPDATES)
REJECT_REASON = pl.Enum(REJECT_REASONS)
FORWARD_SOURCE = pl.Enum(FORWARD_SOURCES)
LEVEL_TYPE = pl.Enum(LEVEL_TYPES)
PROVENANCE = pl.Enum(("real", "simulated"))
"""Column of the tables of setups, whose rows are pooled over dates and exported; elsewhere the manifest says it."""

MAX_GRID_TICKS = 600
"""Widest distance from spot that the surfaces store."""
NEAR_SPOT_TICKS = 20
"""Width of the four bands AT 0-2, NEAR 3-5, MID 6-14, FAR 15-20."""

BAND_EDGES: dict[str, tuple[int, int]] = {"AT": (0, 2), "NEAR": (3, 5), "MID": (6, 14), "FAR": (15, 20)}
"""First and last distance from spot of each band, ticks."""

DISTANCE_BAND_EDGES: dict[str, tuple[int, int]] = {
    "D0": (0, 0),
    "D1": (1, 1),
    "D2_3": (2, 3),
    "D4_5": (4, 5),
    "D6_10": (6, 10),
    "D11_20": (11, 20),
    "D21_40": (21, 40),
}
"""First and last distance of each band from the bucket of spot, buckets; the two directions are one band."""

PRESSURE_BUCKETS = 40
"""Buckets that the pressure surface stores on either side of spot's."""
