"""Quotes of options and the volatilities they mean, second by second (`silver.option_quote_1s`, `option_forward_1s`).

Records of a whole chain go through its books (`book.chain`), whose changed quotes are priced against the forward of
their second: the mid of the future where that is the selected contract and its book is known and uncrossed, else what
the expiry's own quotes say by put-call parity. A row of an option out of the money is priced from its own quote. One in
the money is priced from its sibling's, the option of the other right at the same strike, if that is accepted, else from
what its own quote makes the sibling worth; its own is mostly intrinsic value and says little.

A quote has no volatility for the first of these reasons that holds (`tables.types.REJECT_REASONS`):

    invalid_book    the option's book is not known at the end of the window
    muted           less than a minute to expiration
    one_sided       no bid or no ask
    crossed         the bid is above the ask (a locked quote names a price as well as any)
    minimum_tick    the bid is at or below the smallest price step
    wide            ask - bid is more than half the mid
    no_forward      no mid of the future and no pair of quotes for parity
    no_arbitrage    no volatility gives the mid

The rules from `one_sided` on look at the out-of-the-money quote that is used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

import numpy as np
import polars as pl

from spymaster.book.chain.engine import ChainEngine
from spymaster.options import pricing as pr
from spymaster.options.chain import Chain
from spymaster.options.quote_frames import forward_frame, quote_frame
from spymaster.options.strikes import Strikes, strikes_at
from spymaster.settings import OptionSettings
from spymaster.tables.types import REJECT_REASONS

QUOTE, FORWARD = "option_quote_1s", "option_forward_1s"
TABLES = (QUOTE, FORWARD)
"""Every table of the pass, by short name."""

SNAPSHOT_COLUMNS = ("window_end", "book_valid", "best_bid_price_int", "best_ask_price_int", "mid_price")
"""Columns of `silver.book_snapshot_1s` that forwards are read from."""

WINDOW_NS = 1_000_000_000
_PIECE_WINDOWS = 1_800
"""Windows that are priced at once: what bounds the rows of forwards held in memory."""


class OptionPass:
    """One pass over the records of a root's options, iterated as `{table: frame}` of whole windows.

    records: arrays of `market.dbn.MBO_DTYPE` in file order, cut anywhere. chain: the universe; records of other
    instruments are counted and skipped. snapshot: rows of `silver.book_snapshot_1s` with `SNAPSHOT_COLUMNS`, of
    `contract`. future_tick: of the future, in points. How records and blocks are cut changes no row.

    An option has rows only while a definition of it is known. There are no rows at all where `empty_reason` says why
    not, or the chain is without series. After exhaustion `counters` holds what the books saw, rows by reject reason,
    and the size of the universe, and `empty_reason` why there are no quotes, if there are none.
    """

    def __init__(
        self,
        records: Iterable[np.ndarray],
        *,
        chain: Chain,
        snapshot: pl.DataFrame,
        contract: str,
        future_tick: float,
        settings: OptionSettings,
        tables: Collection[str] = TABLES,
        window_ns: int = WINDOW_NS,
        block_rows: int = 65_536,
        empty_reason: str | None = None,
    ) -> None:
        unknown = set(tables) - set(TABLES)
        if unknown:
            raise ValueError(f"the option pass has no tables {sorted(unknown)}; it has {list(TABLES)}")
        self.empty_reason = empty_reason
        self._records = records
        self._chain = chain
        self._tick = future_tick
        self._tables = frozenset(tables)
        self._block_rows = block_rows
        self._engine: ChainEngine | None = None
        self._reasons: Counter[int] = Counter()
        self._market, self._snapshot_last = _market(chain, snapshot, contract, settings.rate, window_ns)
        self._ids = np.unique(chain.instrument_id)
        self._changes = chain.changes
        self._quotes = np.full((len(self._ids), pr.QUOTE_FIELDS), np.nan)
        self._expiries = np.full((len(chain.expirations), pr.EXPIRY_FIELDS), np.nan)
        self._expiries[:, pr.E_STRIKES] = 0
        self._series = np.full(len(self._ids), -1, np.int64)
        self._next = 0
        self._known = -1
        self._strikes: Strikes | None = None

    @property
    def counters(self) -> dict[str, int]:
        """Counters of the books (`book.chain.layout.COUNTER_NAMES`), rows by reject reason, size of the universe.

        `undefined_rows` are quotes that changed while nothing was known of the option.
        """
        chain, reasons = self._chain, self._reasons
        return {
            **(self._engine.counters if self._engine else {}),
            "universe_options": len(self._ids),
            "universe_versions": len(chain),
            "universe_expirations": len(chain.expirations),
            **{f"left_out_{reason}": count for reason, count in chain.left_out.items()},
            "priced": reasons[pr.PRICED],
            **{f"rejected_{name}": reasons[code] for code, name in enumerate(REJECT_REASONS) if reasons[code]},
            "undefined_rows": reasons[pr.UNKNOWN],
        }

    def __iter__(self) -> Iterator[dict[str, pl.DataFrame]]:
        if self.empty_reason or not len(self._chain):
            return
        self._engine = engine = ChainEngine(self._ids, window_ns=self._market.step, block_rows=self._block_rows)
        for chunk in self._records:
            for block in engine.process(chunk):
                yield from self._block(block)
        for block in engine.finish():
            yield from self._block(block)
        if self._snapshot_last:
            yield from self._until(self._snapshot_last, _no_rows())
        if not sum(count for code, count in self._reasons.items() if code != pr.UNKNOWN):
            self.empty_reason = f"no quote of the {len(self._ids)} options of the universe changed"

    def _block(self, block: dict[str, np.ndarray]) -> Iterator[dict[str, pl.DataFrame]]:
        ends = block["window_end"]
        if not self._next:
            self._next = int(ends[0])
            if self._snapshot_last:
                self._next = min(self._next, self._market.mid_start)
        yield from self._until(int(ends[-1]), block)

    def _until(self, last: int, block: dict[str, np.ndarray]) -> Iterator[dict[str, pl.DataFrame]]:
        """Price every window up to `last`; `block` has all changed quotes of these windows."""
        self._next = self._next or self._market.mid_start
        ends, step, done = block["window_end"], self._market.step, 0
        while self._next <= last:
            stop = min(last, self._next + (_PIECE_WINDOWS - 1) * step, self._learn())
            upto = int(np.searchsorted(ends, stop, side="right"))
            piece = {name: values[done:upto] for name, values in block.items()}
            yield self._price(piece, stop)
            self._next, done = stop + step, upto

    def _learn(self) -> int:
        """Take in the definitions known in the next window; returns the last window that knows no others."""
        step, known = self._market.step, int(np.searchsorted(self._changes, self._next, side="left"))
        if known != self._known or self._strikes is None:
            self._known = known
            self._strikes = strikes_at(self._chain, self._ids, self._next)
            series = self._chain.series_of(self._ids, self._next)
            self._quotes[_is_another(self._chain, self._series, series), pr.Q_IV] = np.nan
            self._series = series
            self._expiries[:, [pr.E_QUOTES_NEW, pr.E_SMILE_NEW]] = 1.0
            self._memo = np.zeros((len(self._strikes.strike), pr.MEMO_FIELDS))
            self._work = np.empty((5, int(np.diff(self._strikes.first).max()) + 1))
        if known == len(self._changes):
            return 2**62
        return int(self._changes[known]) // step * step

    def _price(self, piece: dict[str, np.ndarray], last: int) -> dict[str, pl.DataFrame]:
        assert self._strikes is not None
        ends = piece["window_end"]
        rows = pr.Rows(ends, piece["number"], piece["bid_price_int"], piece["ask_price_int"], piece["valid"])
        n = len(ends)
        priced = pr.Priced(np.empty(n), np.empty(n), np.empty(n), np.empty(n, np.int8))
        windows = (last - self._next) // self._market.step + 1
        forwards = _room(windows * len(self._chain.expirations))
        count = pr.price_windows(
            self._next, last, self._market, rows, self._strikes, self._quotes, self._expiries, self._memo,
            self._work, priced, forwards,
        )  # fmt: skip
        for code, times in enumerate(np.bincount(priced.reason - pr.UNKNOWN).tolist(), start=pr.UNKNOWN):
            self._reasons[code] += times
        frames: dict[str, pl.DataFrame] = {}
        if QUOTE in self._tables:
            frames[QUOTE] = quote_frame(piece, priced)
        if FORWARD in self._tables:
            kept = pr.Forwards(*(column[:count] for column in forwards))
            frames[FORWARD] = forward_frame(kept, self._chain, self._tick)
        return frames


def _market(chain: Chain, snapshot: pl.DataFrame, contract: str, rate: float, window_ns: int) -> tuple[pr.Market, int]:
    """What the kernels know of the future, and the last window of its snapshot (0 without one)."""
    ends = snapshot["window_end"].to_physical().to_numpy()
    start, last = (int(ends[0]), int(ends[-1])) if len(ends) else (0, 0)
    usable = snapshot.select(
        (pl.col("book_valid") & (pl.col("best_bid_price_int") < pl.col("best_ask_price_int"))).fill_null(False)
    ).to_series()
    mid = np.full((last - start) // window_ns + 1 if len(ends) else 0, np.nan)
    known = usable.to_numpy()
    mid[(ends[known] - start) // window_ns] = snapshot["mid_price"].filter(usable).to_numpy()
    on_future = np.array([name == contract for name in chain.underlyings], bool)
    return pr.Market(chain.expirations, on_future, mid, start, window_ns, float(rate)), last


def _is_another(chain: Chain, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Instruments whose version is of another option than the one before it."""
    if not len(chain):
        return np.zeros(len(before), bool)
    old, new = np.maximum(before, 0), np.maximum(after, 0)
    differs = (before < 0) | (after < 0)
    for column in (chain.expiry, chain.strike_price_int, chain.is_call):
        differs |= column[old] != column[new]
    return differs


def _no_rows() -> dict[str, np.ndarray]:
    names = ("window_end", "instrument_id", "number", "bid_price_int", "bid_qty", "ask_price_int", "ask_qty",
             "buy_volume", "sell_volume", "add_qty", "pull_qty")  # fmt: skip
    return {name: np.zeros(0, np.int64) for name in names} | {"valid": np.zeros(0, bool)}


def _room(rows: int) -> pr.Forwards:
    """Memory for rows of forwards."""
    narrow = {"end": np.int64, "expiry": np.int64, "source": np.int8, "strikes": np.int32}
    return pr.Forwards(**{name: np.empty(rows, narrow.get(name, np.float64)) for name in pr.Forwards._fields})
