"""Data integrity of `wall_surface_1s`: quantity is conserved per absolute price and side, and rows stay in their grid.

The sparse rule (an absent row means 'as in this price's last row, no flow') is part of what is checked: the depth at
the start of a row is compared with the depth at the end of the price's last row, however long ago, as long as the price
never left the grid in between; and in a window that stores every row (regular hours, the first of each minute and of
the file), a price that rested before and has no row is a violation too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

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
    ledger = _Ledger(
        ticks=_price_levels(session),
        tick=session.tick_size_int,
        grid=session.lake.settings.engine.grid_ticks,
    )
    windows = _windows(session)
    rows = 0
    for block in window_blocks(session, WALL, _COLUMNS):
        rows += block.height
        ledger.apply(block, windows)
    ledger.finish(windows)
    metadata = {
        "rows": rows,
        "identity_violations": ledger.identity,
        "carry_violations": ledger.carry,
        "vanished_rows": ledger.vanished,
    }
    count = ledger.identity + ledger.carry + ledger.vanished
    if count == 0:
        return Finding(0, f"quantity is conserved in all {rows:,} rows", metadata)
    message = (
        f"{ledger.identity:,} rows break the identity, {ledger.carry:,} start from another depth than the price's last "
        f"row ended with, {ledger.vanished:,} resting prices have no row; first: {ledger.examples[0]}"
    )
    return Finding(count, message, metadata, tuple(ledger.examples))


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
    ends = frame["window_end"].dt.epoch("ns").to_numpy()
    spot = frame["spot_ref_price_int"]
    stores_all = (ends - SECOND_NS) % _MINUTE_NS == 0
    if len(ends):
        stores_all[0] = True
    rth = rth_window(session.dt, session.symbol)
    if rth is not None:
        stores_all |= (ends - SECOND_NS >= rth[0]) & (ends <= rth[1])
    return _Windows(ends, spot.fill_null(0).to_numpy(), spot.is_not_null().to_numpy(), stores_all)


def _price_levels(session: Session) -> np.ndarray:
    """Every price that has a row, sorted."""
    return collect(scan(session, WALL, ["price_int"]).unique())["price_int"].sort().to_numpy()


@dataclass
class _Ledger:
    """Depth of every price and side as last reported, carried from window to window.

    `last[side, level]` is that depth; `near` and `far` delimit the levels inside the grid of the window before.
    """

    ticks: np.ndarray
    tick: int
    grid: int
    identity: int = 0
    carry: int = 0
    vanished: int = 0
    examples: list[str] = field(default_factory=list)
    last: np.ndarray = field(init=False)
    near: int = 0
    far: int = 0
    at: int = 0

    def __post_init__(self) -> None:
        self.last = np.zeros((2, len(self.ticks)), dtype=np.int64)

    def apply(self, block: pl.DataFrame, windows: _Windows) -> None:
        """Take the rows of whole windows, in order."""
        ends = block["window_end"].dt.epoch("ns").to_numpy()
        prices = block["price_int"].to_numpy()
        level = np.searchsorted(self.ticks, prices)
        side = block["side"].to_physical().to_numpy().astype(np.int64)
        start, end, add, pull, fill = (
            block[name].to_numpy().astype(np.int64)
            for name in ("depth_qty_start", "depth_qty_end", "add_qty", "pull_qty_total", "fill_qty")
        )
        broken = np.flatnonzero(end != start + add - pull - fill)
        self.identity += len(broken)
        for row in broken[:MAX_EXAMPLES]:
            self._quote(
                int(ends[row]),
                int(prices[row]),
                int(side[row]),
                f"{end[row]} != {start[row]} + {add[row]} - {pull[row]} - {fill[row]}",
            )
        for window, first, past in _spans(ends, windows.ends, self.at):
            rows = slice(first, past)
            self._window(windows, window, level[rows], side[rows], start[rows], end[rows])
            self.at = window + 1

    def finish(self, windows: _Windows) -> None:
        """Take the windows after the last row: in one that stores every row, nothing may rest any more."""
        none = np.empty(0, dtype=np.int64)
        for window in range(self.at, len(windows.ends)):
            self._window(windows, window, none, none, none, none)

    def _window(
        self,
        windows: _Windows,
        window: int,
        level: np.ndarray,
        side: np.ndarray,
        start: np.ndarray,
        end: np.ndarray,
    ) -> None:
        if not windows.has_spot[window]:
            self.near = self.far = 0
            return
        spot, reach = windows.spots[window], self.grid * self.tick
        near = int(np.searchsorted(self.ticks, spot - reach, "left"))
        far = int(np.searchsorted(self.ticks, spot + reach, "right"))
        followed = (level >= self.near) & (level < self.far)
        expected = self.last[side, level]
        wrong = np.flatnonzero(followed & (start != expected))
        if len(wrong):
            self.carry += len(wrong)
            for row in wrong[:MAX_EXAMPLES]:
                text = f"starts at {start[row]}, the price's last row ended at {expected[row]}"
                self._quote(int(windows.ends[window]), int(self.ticks[level[row]]), int(side[row]), text)
        if windows.stores_all[window]:
            self.last[side, level] = 0
            both = slice(max(near, self.near), max(near, self.near, min(far, self.far)))
            if self.last[:, both].any():
                sides, levels = np.nonzero(self.last[:, both])
                self.vanished += len(levels)
                for one, where in zip(sides[:MAX_EXAMPLES], levels[:MAX_EXAMPLES] + both.start, strict=True):
                    text = f"rested {self.last[one, where]} before and has no row"
                    self._quote(int(windows.ends[window]), int(self.ticks[where]), int(one), text)
            self.last[:, near:far] = 0
        self.last[side, level] = end
        self.near, self.far = near, far

    def _quote(self, end_ns: int, price: int, side: int, text: str) -> None:
        if len(self.examples) < MAX_EXAMPLES:
            when = np.datetime64(int(end_ns), "ns").astype("datetime64[s]")
            self.examples.append(f"window_end={when} price_int={price} side={'BA'[side]}: {text}")


def _spans(ends: np.ndarray, all_ends: np.ndarray, after: int) -> Iterator[tuple[int, int, int]]:
    """Windows from `after` up to the last one of `ends`, each with its rows `[first, past)`; empty windows included.

    Rows of a window that `all_ends` does not have belong to no span: `spot_of_snapshot` reports them.
    """
    last = int(np.searchsorted(all_ends, ends[-1], "right"))
    wanted = all_ends[after:last]
    firsts = np.searchsorted(ends, wanted, "left").tolist()
    pasts = np.searchsorted(ends, wanted, "right").tolist()
    for offset, (first, past) in enumerate(zip(firsts, pasts, strict=True)):
        yield after + offset, first, past
