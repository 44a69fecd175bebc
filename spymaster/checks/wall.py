"""Data integrity of `wall_surface_1s`: quantity is conserved per absolute price and side, and rows stay in their grid.

The sparse rule (an absent row means 'as in this price's last row, no flow') is part of what is checked: the depth at
the start of a row is compared with the depth at the end of the price's last row, however long ago, as long as the price
never left the grid in between; and in a window that stores every row (regular hours, the first of each minute and of
the file), a price that rested before and has no row is a violation too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from spymaster.checks.base import MAX_EXAMPLES, Finding, Session, Suite, check
from spymaster.checks.frames import SECOND_NS, SNAPSHOT, WALL, collect, scan, violations, window_blocks

_MINUTE_NS = 60 * SECOND_NS
_COLUMNS = [
    "window_end",
    "price_int",
    "side",
    "depth_qty_start",
    "depth_qty_end",
    "add_qty",
    "pull_qty_total",
    "fill_qty",
]


@check(WALL, suite=Suite.DATA, blocking=True)
def rel_ticks_bound(session: Session) -> Finding:
    """`rel_ticks` is the exact distance of the price from spot in ticks and never beyond the stored grid."""
    tick, grid = session.tick_size_int, session.lake.settings.engine.grid_ticks
    rows = scan(session, WALL, ["window_end", "price_int", "side", "rel_ticks", "spot_ref_price_int"])
    exact = pl.col("rel_ticks").cast(pl.Int64) * tick == pl.col("price_int") - pl.col("spot_ref_price_int")
    bad = rows.filter(~(exact & (pl.col("rel_ticks").abs() <= grid)).fill_null(False))
    return violations(bad, f"rel_ticks = (price - spot)/tick, at most {grid}", grid_ticks=grid)


@check(WALL, SNAPSHOT, suite=Suite.DATA, blocking=True)
def conservation(session: Session) -> Finding:
    """Depth at the end = at the start + adds - pulls - fills, and the start is the end of the window before."""
    ledger = _Ledger(_price_levels(session), _windows(session), _reach(session))
    rows = 0
    for block in window_blocks(session, WALL, _COLUMNS):
        rows += block.height
        ledger.apply(block)
    ledger.finish()
    identity, carry, vanished, _ = ledger.counts.tolist()
    metadata = {
        "rows": rows,
        "identity_violations": identity,
        "carry_violations": carry,
        "vanished_rows": vanished,
    }
    count = identity + carry + vanished
    if count == 0:
        return Finding(0, f"quantity is conserved in all {rows:,} rows", metadata)
    examples = ledger.examples()
    message = (
        f"{identity:,} rows break the identity, {carry:,} start from another depth than the price's last row ended "
        f"with, {vanished:,} resting prices have no row; first: {examples[0]}"
    )
    return Finding(count, message, metadata, examples)


@dataclass(frozen=True)
class _Windows:
    """Every window of the day: end (ns), spot price (0 where there is none), and whether all of its rows are stored."""

    ends: np.ndarray
    spots: np.ndarray
    has_spot: np.ndarray
    stores_all: np.ndarray


def _windows(session: Session) -> _Windows:
    from spymaster.market.calendar import rth_window

    frame = collect(scan(session, SNAPSHOT, ["window_end", "spot_ref_price_int"]).sort("window_end"))
    ends = frame["window_end"].dt.epoch("ns").to_numpy(writable=True)
    spot = frame["spot_ref_price_int"]
    stores_all = (ends - SECOND_NS) % _MINUTE_NS == 0
    if len(ends):
        stores_all[0] = True
    rth = rth_window(session.dt, session.symbol)
    if rth is not None:
        stores_all |= (ends - SECOND_NS >= rth[0]) & (ends <= rth[1])
    return _Windows(
        ends, spot.fill_null(0).to_numpy(writable=True), spot.is_not_null().to_numpy(writable=True), stores_all
    )


def _price_levels(session: Session) -> np.ndarray:
    """Every price that has a row, sorted."""
    return collect(scan(session, WALL, ["price_int"]).unique())["price_int"].sort().to_numpy(writable=True)


def _reach(session: Session) -> int:
    """Distance from spot up to which rows are stored, in 1e-9."""
    return session.lake.settings.engine.grid_ticks * session.tick_size_int


class _Ledger:
    """Follows every price and side through the session, block by block (arrays: `kernels.ledger`)."""

    def __init__(self, ticks: np.ndarray, windows: _Windows, reach: int) -> None:
        self.ticks = ticks
        self.windows = windows
        self.reach = reach
        self.counts = np.zeros(4, np.int64)
        self._last = np.zeros((2, len(ticks)), np.int64)
        self._carry = np.zeros(3, np.int64)
        self._quoted = np.zeros((MAX_EXAMPLES, 6), np.int64)

    def apply(self, block: pl.DataFrame) -> None:
        """Take the rows of whole windows, in order."""
        # A null would be a float in NumPy; that there is none is what the contract check says.
        columns = block.with_columns(pl.col("window_end").cast(pl.Int64), pl.col("side").to_physical()).fill_null(0)
        self._follow(columns, int(np.searchsorted(self.windows.ends, columns["window_end"][-1], "right")))

    def finish(self) -> None:
        """Take the windows after the last row: in one that stores every row, nothing may rest any more."""
        schema = dict.fromkeys(_COLUMNS, pl.Int32) | {"window_end": pl.Int64, "price_int": pl.Int64, "side": pl.UInt8}
        self._follow(pl.DataFrame(schema=schema), len(self.windows.ends))

    def examples(self) -> tuple[str, ...]:
        """The first violations, in words."""
        return tuple(_quotation(*row) for row in self._quoted[: self.counts[-1]].tolist())

    def _follow(self, columns: pl.DataFrame, stop: int) -> None:
        from spymaster.checks.kernels.ledger import follow

        windows = self.windows
        follow(
            self.ticks,
            self._last,
            windows.ends,
            windows.spots,
            windows.has_spot,
            windows.stores_all,
            self.reach,
            *(columns[name].to_numpy(writable=True) for name in _COLUMNS),
            np.empty(columns.height, np.int32),
            stop,
            self._carry,
            self.counts,
            self._quoted,
        )


def _quotation(kind: int, end_ns: int, side: int, price: int, found: int, expected: int) -> str:
    from spymaster.checks.kernels.ledger import CARRY, IDENTITY

    when = np.datetime64(end_ns, "ns").astype("datetime64[s]")
    if kind == IDENTITY:
        text = f"ends at {found}, but start + add - pull - fill = {expected}"
    elif kind == CARRY:
        text = f"starts at {found}, the price's last row ended at {expected}"
    else:
        text = f"rested {expected} before and has no row"
    return f"window_end={when} price_int={price} side={'BA'[side]}: {text}"
