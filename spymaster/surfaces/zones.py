"""Where a price lies around spot: the zone of 20 ticks, its four bands, and what the kernels call them.

Every surface of this package measures a window against **its own window-end spot** (`rel_ticks`), so a spot that moved
cannot look like a book that moved. Asks count at or above spot, bids at or below it; rel 0 belongs to both.

The wall stores only rows that rest or had flow, and outside RTH only those that changed. That is no obstacle here:
within 20 ticks of spot it stores every row that rests or had flow, at any hour, so an absent row of the zone is an
empty level without flow. Nothing in this package needs `lake.dense`.

Kernels freeze these numbers in when they are compiled, and `spymaster.jit` keys their cache by the files of this
folder: that is why they stand here once more, beside `spymaster.tables.types`, and a test compares the two.
"""

from __future__ import annotations

from typing import Final

ZONE_TICKS: Final = 20
"""Reach of radar, bands and medians: the side's own ticks 0..20."""

BAND_LAST_TICK: Final = (2, 5, 14, 20)
BAND_WIDTH_TICKS: Final = (3, 3, 9, 6)
"""AT 0-2, NEAR 3-5, MID 6-14, FAR 15-20."""

BID: Final = 0
ASK: Final = 1
"""Codes of `side` in arrays; the wall is sorted with the bid before the ask of one price."""

ZONE_QUANTITIES: Final = (
    "depth_qty_start",
    "depth_qty_end",
    "depth_qty_rest",
    "add_qty",
    "pull_qty_total",
    "pull_qty_rest",
    "fill_qty",
)
"""Order of the quantities in every kernel array of this package."""

START: Final = 0
END: Final = 1
REST: Final = 2
ADD: Final = 3
PULL: Final = 4
PULL_REST: Final = 5
FILL: Final = 6
AWAY: Final = 7
TOWARD: Final = 8
"""Rows 7 and 8 exist only where radar asks for them."""

MOVE_QUANTITIES: Final = ("reprice_away_qty", "reprice_toward_qty")

WINDOW_NS: Final = 1_000_000_000
