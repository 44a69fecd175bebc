"""A date of the chain in memory: its records, block by block, and the truth behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np

from spymaster.market.calendar import CONTINUOUS
from spymaster.market.dbn import F_LAST, F_PUBLISHER, Records
from spymaster.simulator import laws
from spymaster.simulator.errors import SimulatorCapacityError
from spymaster.simulator.market import Feed, Orders
from spymaster.simulator.options import arrays
from spymaster.simulator.options.chain import TICK_INT, Chain
from spymaster.simulator.options.flow import best_quotes, run, start_trading, stop_trading
from spymaster.simulator.options.surface import atm_levels, variance_clock
from spymaster.simulator.profile import Profile
from spymaster.simulator.rng import seeded_words
from spymaster.simulator.schedule import DAY_SECONDS, SECOND_NS, Segment, intraday_shape, message_plan, midnight_ns
from spymaster.simulator.snapshot import snapshot_records

RATE = 0.04
"""Flat interest rate (assumption)."""
_STREAM = 100
"""Number of the first random stream of options; those of the future come before."""
_BUY_PUT, _SELL_CALL = 0.58, 0.55
_FIRST_ID, _FIRST_SEQUENCE = 7_800_000_000_000, 1_000
_CLOSE_NS = 1_000_000_000
_WITHDRAW_GAP_NS = 40_000
_NEAR, _MIDDLE = 0.01, 0.02
_EPS = 1e-9


@dataclass(frozen=True)
class Quotes:
    """Best prices of the first future: times (ns) at which they change and the middle from then on, in points."""

    ts: np.ndarray
    mid: np.ndarray


class Minutes:
    """What was true at whole minutes: one list entry each, arrays over series (prices in least ticks where quoted)."""

    def __init__(self) -> None:
        self.end: list[int] = []
        self.forward: list[float] = []
        self.bid: list[np.ndarray] = []
        self.ask: list[np.ndarray] = []
        self.rows: list[np.ndarray] = []

    def add(self, state: np.void) -> None:
        """Take down the present state."""
        n = int(state["n_series"])
        bid, ask = np.zeros(n, np.int64), np.zeros(n, np.int64)
        best_quotes(state, bid, ask)
        self.end.append(int(state["day"]) + (int(state["second"]) - 1) * SECOND_NS)
        self.forward.append(float(state["forward"]))
        self.bid.append(bid)
        self.ask.append(ask)
        self.rows.append(state["series"][:n][["theo", "mark", "gamma", "root_w", "inventory"]].copy())


class OptionsDay:
    """A date of a chain. `records()` yields the file's records in order; `minutes` and `series` fill up meanwhile."""

    def __init__(
        self,
        *,
        dt: date,
        root: str,
        chain: Chain,
        quotes: Quotes,
        profile: Profile,
        parts: list[Segment],
        messages: int,
        seed: int,
        feed: Feed | None = None,
    ) -> None:
        self.dt, self.chain, self.feed = dt, chain, feed or Feed()
        self._parts, self._day = parts, midnight_ns(dt)
        n = len(chain.options)
        shape = message_plan(intraday_shape(dt, profile.activity), np.ones(DAY_SECONDS), parts, self._day, messages)
        plan = np.zeros(DAY_SECONDS + 2)
        plan[1:-1] = np.cumsum(shape)
        plan[-1] = plan[-2]
        if n > arrays.MAX_SERIES or len(quotes.ts) > arrays.MAX_BBO or len(chain.expiries) > arrays.MAX_EXPIRIES:
            raise SimulatorCapacityError(f"{root} options {dt}: {n} series, {len(quotes.ts)} changes of the future")
        self._array = arrays.empty_chain()
        self.state = s = self._array[0]
        s["n_series"], s["n_expiries"], s["n_bbo"] = n, len(chain.expiries), len(quotes.ts)
        for row, expiry in zip(s["expiries"], chain.expiries, strict=False):
            s["variance"], row["variance"] = variance_clock(dt, root, expiry.expiration_ns)
            row["end"], row["open"] = expiry.expiration_ns, 1
            row["carry"] = profile.instrument.carry * expiry.underlying
            years = max(expiry.expiration_ns - self._day, 0) / SECOND_NS / (365 * DAY_SECONDS)
            row["discount"] = round(float(np.exp(-RATE * years)), 12)
        s["plan"], s["atm"] = plan, atm_levels(dt, seed)
        s["latency"], s["exp_table"] = laws.latency_table(profile.latency), laws.exponential_table()
        s["size_law"] = laws.size_law(profile.market_size.ranges, profile.market_size.tail)
        s["bbo_ts"][: len(quotes.ts)], s["bbo_mid"][: len(quotes.ts)] = quotes.ts, quotes.mid
        self.minutes = Minutes()
        self._set_feed(seed)
        self._set_series(quotes)

    @property
    def series(self) -> np.ndarray:
        """Rows of the listed options (`arrays.SERIES`)."""
        return self.state["series"][: len(self.chain.options)]

    @property
    def settled(self) -> np.ndarray:
        """What the options were worth when the date began, in points: as good as the settlement before."""
        return self.minutes.rows[0]["theo"] if self.minutes.rows else self.series["theo"]

    @property
    def messages(self) -> int:
        """Live records so far, closing records of their own not counted."""
        return int(self.state["messages"])

    def _set_feed(self, seed: int) -> None:
        s = self.state
        s["day"], s["bbo"], s["next_id"], s["sequence"] = self._day, -1, _FIRST_ID, _FIRST_SEQUENCE
        s["rng"] = seeded_words(seed, self.dt, _STREAM, arrays.STREAMS)
        s["last_flag"] = F_LAST | (F_PUBLISHER if self.feed.publisher_bit else 0)
        s["closing_from"] = self.feed.closing_from_ns
        s["buy_put"], s["sell_call"] = laws.probability(_BUY_PUT), laws.probability(_SELL_CALL)

    def _set_series(self, quotes: Quotes) -> None:
        series = self.series
        series["id"] = [option.instrument_id for option in self.chain.options]
        series["expiry"] = [option.expiry for option in self.chain.options]
        series["strike"] = [option.strike for option in self.chain.options]
        series["call"] = [option.right == "C" for option in self.chain.options]
        spot = float(quotes.mid[0]) if len(quotes.mid) else 1.0
        distance = np.abs(series["strike"] / spot - 1)
        series["makers"] = np.where(distance <= _NEAR + _EPS, 3, np.where(distance <= _MIDDLE, 2, 1))
        for name in ("first", "high", "low", "last"):
            series[name] = -1

    def records(self) -> Iterator[Records]:
        """Records of the file in blocks (views of a buffer that is used again): the snapshot, then the live ones."""
        s = self.state
        yield self._snapshot()
        if s["n_bbo"] == 0:
            return
        s["sequence"] += 100_000
        for part in self._parts:
            if part.phase != CONTINUOUS:
                continue
            closes = part is not self._parts[-1]
            s["clock"] = part.start_ns + 50_000_000
            s["last_recv"] = max(int(s["last_recv"]), part.start_ns)
            s["until"] = part.end_ns - (_CLOSE_NS if closes else 0)
            start_trading(s)
            while True:
                code = run(s)
                if code == arrays.MINUTE:
                    self.minutes.add(s)
                    continue
                yield from self._drain()
                if code == arrays.DONE:
                    break
            if closes:
                count = int((s["slots"]["qty"] > 0).sum())
                stop_trading(s, min(_WITHDRAW_GAP_NS, _CLOSE_NS // (2 * count + 2)))
                yield from self._drain()

    def _drain(self) -> Iterator[Records]:
        s = self.state
        count = int(s["n"])
        s["n"] = 0
        if count:
            yield self.state["out"][:count]

    def _snapshot(self) -> Records:
        """What customers left resting over night: far from the money, good till cancelled."""
        generator = np.random.Generator(np.random.PCG64([int(self.state["rng"][0, 0]), 1]))
        blocks = []
        slot = arrays.SLOTS - 1
        for i, option in enumerate(self.chain.options):
            rows: list[tuple[int, int, int, int, int, int]] = []
            row = self.state["slots"][i, arrays.BUY, slot]
            if generator.random() < 0.5:
                s = self.state
                s["next_id"] += 1 + int(generator.integers(0, 4))
                s["sequence"] += 1 + int(generator.integers(0, 3))
                row["id"], row["px"], row["qty"] = s["next_id"], 1, 1 + int(generator.integers(0, 20))
                row["priority"] = s["sequence"]
                age = int(generator.integers(3_600, 20 * DAY_SECONDS)) * SECOND_NS
                rows.append((row["id"], TICK_INT, 0, row["qty"], self._day - age, int(row["priority"])))
            blocks.append(snapshot_records(_orders(rows), option.instrument_id, self._day, self.feed.snapshot_form))
        found = np.concatenate(blocks)
        found["channel_id"] = 1
        return found


def _orders(rows: list[tuple[int, int, int, int, int, int]]) -> Orders:
    ids, price, side, size, ts, sequence = np.array(rows, np.int64).reshape(-1, 6).T
    none = np.zeros(len(ids), np.int64)
    return Orders(
        order_id=ids, price=price, side=side, size=size, hidden=none, peak=none, cls=none, ts=ts, sequence=sequence,
        agent=none,
    )  # fmt: skip
