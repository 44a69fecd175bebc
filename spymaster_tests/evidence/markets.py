"""Small markets for the tests of the evidence: bursts without anybody automatic, and planted habits on top.

The rate of everything wanders together over tenths of seconds to minutes (a Cox process), smoothly against the cells of
the null models: a Poisson test is always wrong here, a surrogate test should not be.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from spymaster.evidence.arrays import SECOND_NS, DayArrays, day_arrays

START = 1_704_207_600 * SECOND_NS
"""2024-01-02 15:00:00 UTC, 10:00 New York."""
TICK = 250_000_000
SPOT = 4800 * 4 * TICK
MS = 1_000_000
SIZE_LAW = ((1, 0.72), (2, 0.12), (3, 0.05), (5, 0.05), (10, 0.04), (20, 0.02))


@dataclass
class Market:
    """Orders and trades under construction; `day` makes the arrays. Times are ns after `START`."""

    seconds: int
    seed: int
    orders: list[np.ndarray] = field(default_factory=list)
    """Columns add, end, side, size, distance, lots executed at its end, refills, times raised; an end of -1 is still
    open."""
    trades: list[np.ndarray] = field(default_factory=list)
    """Columns time, aggressor, quantity."""
    reprices: list[np.ndarray] = field(default_factory=list)
    """Columns time, number of the order (from 1, in order of `orders`), price before and after in ticks from spot."""
    refilled: list[np.ndarray] = field(default_factory=list)
    """Columns time, number of the order: it is displayed at its size again."""
    quotes: list[np.ndarray] = field(default_factory=list)
    """Columns time, bid, ask in ticks."""

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.rate = _wander(self.rng, self.seconds)

    def times(self, per_second: float) -> np.ndarray:
        """Sorted times of a process that follows the market's rate."""
        counts = self.rng.poisson(self.rate * per_second / 50)
        cells = np.repeat(np.arange(len(counts)), counts)
        return np.sort((cells * 20 * MS + self.rng.integers(0, 20 * MS, len(cells))).astype(np.int64))

    def background(self, orders: float = 60.0, trades: float = 8.0) -> Market:
        """Orders of all ages (a third of a second in the middle, no edges), and trades, so many a second."""
        add = self.times(orders)
        age = (10 ** self.rng.normal(8.5, 1.2, len(add)).clip(3, 12)).astype(np.int64)
        # cancels follow the wandering rate too: ages end where the market is busy
        busy = np.append(self.times(orders), -(10**12))
        end = busy[np.searchsorted(busy[:-1], add + age)] + self.rng.integers(0, MS, len(add))
        self.place(add, np.where(end < 0, -1, np.maximum(end, add + 1)))
        moments = self.times(trades)
        self.trade(moments)
        return self

    def place(
        self,
        add: np.ndarray,
        end: np.ndarray,
        *,
        size: int | None = None,
        side: int | None = None,
        distance: int = 1,
        filled: int = 0,
        refills: int = 0,
        ups: int = 0,
    ) -> Market:
        """Orders that enter at these times and are cancelled, or executed in full if `filled` lots, at those."""
        n = len(add)
        values, odds = zip(*SIZE_LAW, strict=True)
        sizes = self.rng.choice(values, n, p=odds) if size is None else np.full(n, size)
        sides = self.rng.integers(0, 2, n) if side is None else np.full(n, side)
        rest = (np.full(n, value) for value in (distance, filled, refills, ups))
        self.orders.append(np.stack([add, end, sides, sizes, *rest]))
        return self

    @property
    def last(self) -> int:
        """Number of the order placed last, if all are within the market's time."""
        return sum(part.shape[1] for part in self.orders)

    def reprice(self, at: np.ndarray, order: int | np.ndarray) -> Market:
        """An order moves up by a tick at each of these times; or each of some orders once, at its time."""
        self.reprices.append(np.stack([at, np.full(len(at), order), np.arange(len(at)), np.arange(len(at)) + 1]))
        return self

    def refill(self, at: np.ndarray, order: int | np.ndarray) -> Market:
        """An order is displayed again at each of these times; or each of some orders once, at its time."""
        self.refilled.append(np.stack([at, np.full(len(at), order)]))
        return self

    def trade(self, at: np.ndarray, aggressor: int | None = None) -> Market:
        """Trades of one lot."""
        sides = self.rng.integers(0, 2, len(at)) if aggressor is None else np.full(len(at), aggressor)
        self.trades.append(np.stack([at, sides, np.ones(len(at), np.int64)]))
        return self

    def trade_times(self, aggressor: int) -> np.ndarray:
        """Times of the trades so far of one aggressor."""
        rows = np.concatenate(self.trades, axis=1)
        return np.sort(rows[0][rows[1] == aggressor])

    def day(self) -> DayArrays:
        """The arrays, through the same door as a stored day."""
        horizon = self.seconds * SECOND_NS
        orders = np.concatenate(self.orders, axis=1)
        orders = orders[:, (orders[0] >= 0) & (orders[0] < horizon)]
        number = np.arange(orders.shape[1]) + 1
        gone = (orders[1] >= 0) & (orders[1] < horizon)
        rows = [
            _rows(orders[0], "add", orders[2], number, orders[3], orders[4]),
            *(
                _rows(orders[1][part], kind, orders[2][part], number[part], orders[3][part], orders[4][part])
                for kind, part in (("cancel", gone & (orders[5] == 0)), ("fill_full", gone & (orders[5] > 0)))
            ),
        ]
        moved = np.concatenate(self.reprices, axis=1) if self.reprices else np.zeros((4, 0), np.int64)
        moved = moved[:, (moved[0] >= 0) & (moved[0] < horizon)]
        which = moved[1] - 1
        rows.append(
            _rows(
                moved[0], "reprice", orders[2][which], moved[1], orders[3][which], orders[4][which], moved[2], moved[3]
            )
        )
        shown = np.concatenate(self.refilled, axis=1) if self.refilled else np.zeros((2, 0), np.int64)
        shown = shown[:, (shown[0] >= 0) & (shown[0] < horizon)]
        which = shown[1] - 1
        rows.append(_rows(shown[0], "refill", orders[2][which], shown[1], orders[3][which], orders[4][which]))
        trades = np.concatenate(self.trades, axis=1) if self.trades else np.zeros((3, 0), np.int64)
        trades = trades[:, trades[0] < horizon]
        rows.append(
            _rows(trades[0], "trade", trades[1], np.zeros(trades.shape[1]), trades[2], np.zeros(trades.shape[1]))
        )
        quotes = np.concatenate(self.quotes, axis=1) if self.quotes else np.zeros((3, 0), np.int64)
        quotes = quotes[:, np.argsort(quotes[0], kind="stable")]
        events = pl.concat(rows, how="diagonal").sort("ts", maintain_order=True).with_row_index("event")
        events = events.with_columns(pl.col("event").cast(pl.Int64) * 10)
        # a tick behind the best is at spot, what lies further behind is below it, or above
        behind = (pl.col("dist") - 1) * (2 * pl.col("side") - 1) * (pl.col("kind") != "trade")
        price = SPOT + pl.coalesce("to_ticks", behind) * TICK
        frame = events.select(
            ts_event=(pl.col("ts") + START).cast(pl.Datetime("ns", "UTC")),
            event_id="event",
            kind="kind",
            side=pl.col("side").replace_strict({0: "B", 1: "A"}, return_dtype=pl.String),
            order_id=pl.col("order").cast(pl.UInt64),
            price_int=price,
            prev_price_int=SPOT + pl.col("from_ticks") * TICK,
            qty=pl.col("size").cast(pl.Int32),
            size_after=pl.when(pl.col("kind").is_in(("cancel", "fill_full"))).then(0).otherwise("size").cast(pl.Int32),
            dist_ticks=pl.when(pl.col("kind") != "trade").then(pl.col("dist").cast(pl.Int32)),
            book_valid=pl.lit(True),
        )
        entry = events.filter(kind="add").select("order", added="event")
        exit_ = events.filter(pl.col("kind").is_in(("cancel", "fill_full"))).select("order", ended="event")
        changed = events.filter(kind="reprice").group_by("order").agg(changes=pl.len())
        lives = (
            pl.DataFrame(
                {
                    "order": number.astype(np.float64), "add": orders[0], "end": np.where(gone, orders[1], horizon - 1),
                    "side": orders[2], "size": orders[3], "dist": orders[4], "gone": gone,
                    "filled": orders[5], "refills": orders[6], "ups": orders[7],
                }
            )
            .join(entry, on="order").join(exit_, on="order", how="left").join(changed, on="order", how="left")
            .sort("gone", "end", descending=[True, False])
        )  # fmt: skip
        life = lives.select(
            order_id=pl.col("order").cast(pl.UInt64),
            side=pl.col("side").replace_strict({0: "B", 1: "A"}, return_dtype=pl.String),
            ts_add=(pl.col("add") + START).cast(pl.Datetime("ns", "UTC")),
            ts_end=(pl.col("end") + START).cast(pl.Datetime("ns", "UTC")),
            event_id_add="added",
            event_id_end="ended",
            end_reason=pl.when(~pl.col("gone"))
            .then(pl.lit("open"))
            .when(pl.col("filled") > 0)
            .then(pl.lit("fill"))
            .otherwise(pl.lit("cancel")),
            known_add=pl.lit(True),
            size0=pl.col("size").cast(pl.Int32),
            price_int_add=SPOT + ((pl.col("dist") - 1) * (2 * pl.col("side") - 1)).cast(pl.Int64) * TICK,
            dist_add=pl.col("dist").cast(pl.Int32),
            filled_qty=pl.col("filled").cast(pl.Int32),
            max_displayed=pl.col("size").cast(pl.Int32),
            n_reprice=pl.col("changes").fill_null(0).cast(pl.Int32),
            n_size_up=pl.col("ups").cast(pl.Int32),
            n_refill=pl.col("refills").cast(pl.Int32),
        )
        prints = frame.filter(kind="trade")
        seconds = np.arange(1, self.seconds + 1) * SECOND_NS + START
        snapshot = pl.DataFrame({"window_end": seconds}).select(
            pl.col("window_end").cast(pl.Datetime("ns", "UTC")), phase=pl.lit("continuous"), window_valid=pl.lit(True)
        )
        return day_arrays(
            frame,
            life,
            prints.select("ts_event", "event_id", "qty", aggressor="side"),
            pl.DataFrame(
                {
                    "ts_event": pl.Series(quotes[0] + START).cast(pl.Datetime("ns", "UTC")),
                    "event_id": np.arange(quotes.shape[1]) * 10 + 5,
                    "bid_price_int": quotes[1] * TICK,
                    "ask_price_int": quotes[2] * TICK,
                }
            ),
            snapshot,
            tick_size_int=TICK,
        )


def _rows(
    at: np.ndarray,
    kind: str,
    side: np.ndarray,
    order: np.ndarray,
    size: np.ndarray,
    dist: np.ndarray,
    before: np.ndarray | None = None,
    after: np.ndarray | None = None,
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "ts": at.astype(np.int64), "kind": [kind] * len(at), "side": side.astype(np.int64),
            "order": order.astype(np.float64), "size": size.astype(np.int64), "dist": dist.astype(np.int64),
            "from_ticks": pl.Series([None] * len(at) if before is None else before, dtype=pl.Int64),
            "to_ticks": pl.Series([None] * len(at) if after is None else after, dtype=pl.Int64),
        }
    )  # fmt: skip


def _wander(rng: np.random.Generator, seconds: int) -> np.ndarray:
    """Rate per cell of 20 ms, mean 1: smooth over 200 ms, wandering over minutes."""
    n = seconds * 50
    fast = np.convolve(rng.normal(size=n + 60), np.hanning(61) / np.linalg.norm(np.hanning(61)), "valid")[:n]
    slow = np.interp(np.arange(n), np.arange(0, n + 500, 500), rng.normal(size=len(np.arange(0, n + 500, 500))))
    rate = np.exp(0.9 * fast + 0.5 * slow)
    return rate / rate.mean()
