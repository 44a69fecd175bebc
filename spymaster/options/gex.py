"""Gamma exposure by strike around spot, second by second, and its levels, minute by minute.

`silver.gex_surface_1s` and `silver.gex_level_1m` come from one pass over the session's quotes. Per second and expiry
the smile is that of the last quotes (`gex_smile`), gamma that of every listed strike at the present forward, and

    gex_call = sum of gamma x open interest x multiplier x F^2 x 0.01 over the expiries, gex_put minus the same of puts

in money per move of 1 %: dealers are taken to be long the calls and short the puts. `flow_gex` replaces open interest
by what dealers took on in the session, customers' sales minus their purchases as the aggressors of `option_quote_1s`
tell them, of calls and puts alike. Sums are made for **all** strikes of every second; the grid around spot is cut out
of them afterwards: shares are of all strikes, and differences are those of the strike even where the grid moves.

What is null, and why:

- `gex_call`, `gex_put`: no expiry at this strike has both a gamma and a known open interest of that right. With one of
  the two known, `gex` and `gex_abs` are of that one; with neither they are null. A known open interest of 0 gives 0.
- `flow_gex`: no expiry at this strike has a gamma. Where nothing was traded yet it is 0: dealers took on nothing.
- `oi_call`, `oi_put`: of no option of that right at this strike is open interest known. They do not need a gamma.
- `gex_imbalance_ratio`: `gex_abs` is null or 0. `gex_share`: `gex_abs` is null, or that of all strikes is 0.
- `iv`, `moneyness`, `gamma_call`, `gamma_put`: the nearest expiry that counts (and lists some option by then) does not
  list the strike (that right), or has no forward or no smile in this second. Moneyness is in deviations of the
  strike's own volatility.
- differences: one of their seconds has no value, or is not there.

An expiry counts until 60 s before its expiration. In a second in which its forward is unknown it has no gamma.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from spymaster.errors import SpymasterError
from spymaster.options import gex_kernels as kernels
from spymaster.options.chain import Chain
from spymaster.options.gex_levels import TOTALS, Levels, levels_of
from spymaster.options.gex_state import COUNTERS, new_state
from spymaster.options.open_interest import InterestSteps
from spymaster.settings import OptionSettings
from spymaster.tables.gex_level_1m import GexLevel1m
from spymaster.tables.gex_surface_1s import DIFFERENCED, GexSurface1s
from spymaster.tables.types import TIMESTAMP

QUOTE_COLUMNS: Final = (
    "window_end", "instrument_id", "bid_price_int", "ask_price_int", "buy_volume", "sell_volume", "iv", "delta",
    "gamma",
)  # fmt: skip
"""Columns of `silver.option_quote_1s` that are read."""
FORWARD_COLUMNS: Final = ("window_end", "expiration", "underlying", "years", "forward")
"""Columns of `silver.option_forward_1s` that are read."""
SNAPSHOT_COLUMNS: Final = ("window_end", "spot_ref_price_int", "window_valid")
"""Columns of `silver.book_snapshot_1s` that are read."""

SECOND_NS: Final = 1_000_000_000
MINUTE_NS: Final = 60 * SECOND_NS
BLOCK_SECONDS: Final = 900
SPACING_TICKS: Final = 20
"""Step of the grid, in ticks of the future, where a chain of one strike has none."""


class GexInputError(SpymasterError):
    """Rows of an input that are not in the order of their time."""


class _Quotes(NamedTuple):
    """Rows of a block as the kernels take them: [n] each; NaN where unknown."""

    ns: np.ndarray
    instrument: np.ndarray
    bought: np.ndarray
    sold: np.ndarray
    iv: np.ndarray
    delta: np.ndarray
    gamma: np.ndarray
    width: np.ndarray
    forward: np.ndarray
    years: np.ndarray


class _Seconds(NamedTuple):
    """Seconds of a block: [n] each, forwards and years [n, E]; quotes first_quote[i] to [i + 1] become known in i."""

    ns: np.ndarray
    spot: np.ndarray
    has_spot: np.ndarray
    first_quote: np.ndarray
    forward: np.ndarray
    years: np.ndarray
    fallback_step: int


class _Forwards:
    """Forward and time to expiry by second and expiry."""

    def __init__(self, frame: pl.DataFrame, chain: Chain) -> None:
        number = {key: e for e, key in enumerate(zip(chain.expirations.tolist(), chain.underlyings, strict=True))}
        keys = pl.DataFrame(
            {
                "expiration": pl.Series([ns for ns, _ in number], dtype=pl.Int64).cast(TIMESTAMP),
                "underlying": pl.Series([name for _, name in number], dtype=pl.String),
                "expiry": pl.Series(list(number.values()), dtype=pl.Int64),
            }
        )
        rows = frame.select(FORWARD_COLUMNS).join(keys, on=["expiration", "underlying"], how="inner")
        self.ns, at = np.unique(_ns(rows["window_end"]), return_inverse=True)
        self.values = np.full((2, len(self.ns) + 1, len(number)), np.nan)
        self.values[0, at, rows["expiry"].to_numpy()] = _floats(rows["forward"])
        self.values[1, at, rows["expiry"].to_numpy()] = _floats(rows["years"])

    def at(self, ns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Forwards and years [n, E] of seconds; NaN in those without a row."""
        place = np.searchsorted(self.ns, ns)
        last = len(self.ns)
        absent = place == last
        absent[~absent] = self.ns[place[~absent]] != ns[~absent]
        place[absent] = last
        return self.values[0, place], self.values[1, place]


class GexPass:
    """The pass over a session; iterating yields the frames of both tables, block by block, by short table name.

    quotes: `silver.option_quote_1s` in batches (`QUOTE_COLUMNS`, in order, of any size); forwards, snapshot: rows of
    `silver.option_forward_1s` and `silver.book_snapshot_1s`; underlying: the selected contract; tick_size_int: tick of
    the future, 1e-9. A chain without series gives no rows; `empty_reason` is for the caller to say why there are none.
    `counters` is complete once the pass is.
    """

    def __init__(
        self,
        quotes: Iterable[pl.DataFrame],
        forwards: pl.DataFrame,
        snapshot: pl.DataFrame,
        *,
        chain: Chain,
        interest: InterestSteps,
        underlying: str,
        tick_size_int: int,
        settings: OptionSettings | None = None,
        block_seconds: int = BLOCK_SECONDS,
        empty_reason: str | None = None,
    ) -> None:
        self.empty_reason = empty_reason
        self._settings = settings or OptionSettings()
        self._chain, self._underlying, self._tick = chain, underlying, tick_size_int
        self._rows = _Upto(quotes)
        self._snapshot, self._block = snapshot, block_seconds
        self._state, self._versions = new_state(chain)
        self._ids = np.unique(chain.instrument_id)
        self._forwards = _Forwards(forwards, chain)
        self._steps = (interest.known_ns, self._instruments(interest.instrument_id), interest.quantity)
        self._left_out = 0

    @property
    def counters(self) -> dict[str, int]:
        """What was counted, for the manifest."""
        counted = dict(zip(COUNTERS, self._state.counters.tolist(), strict=True))
        return counted | {"quotes_outside_universe": self._left_out, "series": len(self._chain)}

    def __iter__(self) -> Iterator[Mapping[str, pl.DataFrame]]:
        if not len(self._chain):
            return
        for start in range(0, self._snapshot.height, self._block):
            yield self._frames(self._snapshot[start : start + self._block])

    def _instruments(self, instrument_id: np.ndarray) -> np.ndarray:
        """Number of each instrument in the state, int64; -1 for those outside of the universe."""
        if not len(self._ids):
            return np.full(len(instrument_id), -1, np.int64)
        place = np.minimum(np.searchsorted(self._ids, instrument_id), len(self._ids) - 1)
        return np.where(self._ids[place] == instrument_id, place, -1).astype(np.int64)

    def _frames(self, shots: pl.DataFrame) -> dict[str, pl.DataFrame]:
        ns = _ns(shots["window_end"])
        if (np.diff(ns) <= 0).any():
            raise GexInputError("rows of book_snapshot_1s are out of order", hint="Sort them by window_end.")
        quotes = self._quotes(self._rows.take(int(ns[-1])))
        forward, years = self._forwards.at(ns)
        seconds = _Seconds(
            ns=ns,
            spot=shots["spot_ref_price_int"].fill_null(0).to_numpy().copy(),
            has_spot=shots["spot_ref_price_int"].is_not_null().to_numpy().copy(),
            first_quote=np.concatenate([[0], np.searchsorted(quotes.ns, ns, side="right")]).astype(np.int64),
            forward=forward,
            years=years,
            fallback_step=SPACING_TICKS * self._tick,
        )
        n, grid = len(ns), 2 * self._settings.grid_strikes + 1
        whole, numbers = np.empty((n, 3, grid), np.int64), np.empty((n, kernels.OUTPUTS, grid))
        has_grid = np.zeros(n, bool)
        minutes: list[tuple[int, Levels]] = []
        at = 0
        while at < n:
            at, _ = kernels.advance(
                self._state, self._versions, self._steps, quotes, seconds, self._settings.rate, SECOND_NS,
                at, n, whole, numbers, has_grid, MINUTE_NS,
            )  # fmt: skip
            i = at - 1
            if ns[i] % MINUTE_NS == 0:
                spot = float(seconds.spot[i]) / 1e9 if seconds.has_spot[i] else float("nan")
                levels = levels_of(self._state, int(ns[i]), forward[i], years[i], self._settings.rate, spot)
                minutes.append((i, levels))
        shown = np.flatnonzero(has_grid)
        return {
            GexSurface1s.name: self._surface(shots[shown], whole[shown], numbers[shown]),
            GexLevel1m.name: self._levels(shots, minutes),
        }

    def _quotes(self, frame: pl.DataFrame) -> _Quotes:
        """Rows of a block with what they are of; those of no series of the universe are left out and counted."""
        if frame.is_empty():
            whole, real = np.zeros(0, np.int64), np.zeros(0)
            return _Quotes(whole, whole, whole, whole, real, real, real, real, real, real)
        ns, ids = _ns(frame["window_end"]), frame["instrument_id"].cast(pl.Int64).to_numpy()
        series = self._chain.series_of(ids, ns)
        ours = np.flatnonzero(series >= 0)
        self._left_out += len(ns) - len(ours)
        frame, ns, series = frame[ours], ns[ours], series[ours]
        expiry = self._chain.expiry[series]
        forward, years = self._forwards.at(ns)
        rows = np.arange(len(ns))
        return _Quotes(
            ns=ns,
            instrument=self._instruments(self._chain.instrument_id[series]),
            bought=frame["buy_volume"].cast(pl.Int64).to_numpy().copy(),
            sold=frame["sell_volume"].cast(pl.Int64).to_numpy().copy(),
            iv=_floats(frame["iv"]),
            delta=_floats(frame["delta"]),
            gamma=_floats(frame["gamma"]),
            width=_floats((frame["ask_price_int"] - frame["bid_price_int"]) / 1e9),
            forward=forward[rows, expiry],
            years=years[rows, expiry],
        )

    def _surface(self, shots: pl.DataFrame, whole: np.ndarray, numbers: np.ndarray) -> pl.DataFrame:
        grid = whole.shape[2]
        repeated = shots.select(pl.all().repeat_by(grid).list.explode()) if shots.height else shots
        strike = whole[:, 0].ravel()
        spot = repeated["spot_ref_price_int"].to_numpy()
        values: dict[str, np.ndarray] = {
            name: numbers[:, column].ravel()
            for name, column in (
                ("gamma_call", kernels.OUT_GAMMA_CALL), ("gamma_put", kernels.OUT_GAMMA_PUT), ("iv", kernels.OUT_IV),
                ("gex_call", kernels.OUT_CALL), ("gex_put", kernels.OUT_PUT), ("gex_abs", kernels.OUT_ABS),
                ("gex", kernels.OUT_NET), ("gex_imbalance_ratio", kernels.OUT_RATIO),
                ("gex_share", kernels.OUT_SHARE), ("flow_gex", kernels.OUT_FLOW),
                ("moneyness", kernels.OUT_MONEYNESS),
            )
        }  # fmt: skip
        for metric, name in enumerate(DIFFERENCED):
            for order in range(3):
                values[f"d{order + 1}_{name}"] = numbers[:, kernels.OUT_CHANGES + 3 * metric + order].ravel()
        columns = {
            "window_end": repeated["window_end"],
            "underlying": pl.Series([self._underlying], dtype=pl.String).new_from_index(0, len(strike)),
            "spot_ref_price_int": repeated["spot_ref_price_int"],
            "window_valid": repeated["window_valid"],
            "strike_price_int": pl.Series(strike),
            "strike_points": pl.Series(strike / 1e9),
            "rel_ticks": pl.Series(np.rint((strike - spot) / self._tick).astype(np.int32)),
        }
        for name, column in (("oi_call", kernels.OUT_OI_CALL), ("oi_put", kernels.OUT_OI_PUT)):
            lots = pl.Series(whole[:, column].ravel())
            columns[name] = lots.set(lots == kernels.NONE, None)
        columns |= {name: pl.Series(number, nan_to_null=True) for name, number in values.items()}
        return pl.DataFrame([columns[name].cast(dtype).alias(name) for name, dtype in GexSurface1s.schema().items()])

    def _levels(self, shots: pl.DataFrame, minutes: list[tuple[int, Levels]]) -> pl.DataFrame:
        rows = shots[[i for i, _ in minutes]]
        found = [levels for _, levels in minutes]
        totals = np.array([levels.totals for levels in found]).reshape(len(found), len(TOTALS))
        columns: dict[str, pl.Series] = {
            "window_end": rows["window_end"],
            "underlying": pl.Series([self._underlying], dtype=pl.String).new_from_index(0, len(found)),
            "spot_ref_price_int": rows["spot_ref_price_int"],
            "call_wall_price_int": pl.Series([levels.call_wall for levels in found], dtype=pl.Int64),
            "put_wall_price_int": pl.Series([levels.put_wall for levels in found], dtype=pl.Int64),
            "zero_gamma_price_int": pl.Series(
                [None if one.roots is None else np.rint(one.roots * 1e9).astype(np.int64).tolist() for one in found],
                dtype=pl.List(pl.Int64),
            ),
            "priced_series": pl.Series([levels.priced for levels in found], dtype=pl.Int32),
            "oi_share": pl.Series(
                [one.interest_known / one.priced if one.priced else None for one in found], dtype=pl.Float32
            ),
        }
        columns |= {name: pl.Series(totals[:, i], nan_to_null=True) for i, name in enumerate(TOTALS)}
        return pl.DataFrame([columns[name].cast(dtype).alias(name) for name, dtype in GexLevel1m.schema().items()])


class _Upto:
    """A stream of rows in the order of `window_end`, handed out by time; never more than a batch is held."""

    def __init__(self, batches: Iterable[pl.DataFrame]) -> None:
        self._batches = iter(batches)
        self._rest: pl.DataFrame | None = None
        self._latest = -(1 << 62)

    def take(self, until_ns: int) -> pl.DataFrame:
        """Rows not handed out yet whose `window_end` is at most `until_ns`."""
        taken: list[pl.DataFrame] = []
        while True:
            frame = self._rest if self._rest is not None else self._next()
            if frame is None:
                break
            upto = int(frame["window_end"].to_physical().search_sorted(until_ns, side="right"))
            taken.append(frame[:upto])
            self._rest = frame[upto:] if upto < frame.height else None
            if self._rest is not None:
                break
        return pl.concat(taken, rechunk=True) if taken else pl.DataFrame()

    def _next(self) -> pl.DataFrame | None:
        for batch in self._batches:
            if batch.height:
                frame = batch.select(QUOTE_COLUMNS)
                ns = _ns(frame["window_end"])
                if ns[0] < self._latest or (np.diff(ns) < 0).any():
                    raise GexInputError(
                        f"rows of option_quote_1s are out of order near {np.datetime64(int(ns[0]), 'ns')}",
                        hint="They must come by window_end.",
                    )
                self._latest = int(ns[-1])
                return frame
        return None


def _ns(column: pl.Series) -> np.ndarray:
    """A timestamp column as writable int64 ns."""
    return column.cast(TIMESTAMP).to_physical().to_numpy().copy()


def _floats(column: pl.Series) -> np.ndarray:
    """A column as writable float64, NaN for null."""
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy().copy()
