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
from spymaster.simulator.handover import Feed
from spymaster.simulator.options import arrays
from spymaster.simulator.options.carry import (
    ChainCarried,
    chain_snapshot,
    first_orders,
    restore_orders,
    slot_orders,
)
from spymaster.simulator.options.chain import FUTURE_STEP, Chain
from spymaster.simulator.options.flow import run
from spymaster.simulator.options.interest import BUY_PUT, SELL_CALL
from spymaster.simulator.options.scene import planted_trades
from spymaster.simulator.options.surface import atm_levels, variance_clock
from spymaster.simulator.profile import Profile
from spymaster.simulator.rng import seeded_words
from spymaster.simulator.schedule import DAY_SECONDS, SECOND_NS, Segment, intraday_shape, message_plan, midnight_ns
from spymaster.simulator.script import Script

RATE = 0.04
"""Flat interest rate (assumption)."""
_STREAM = 100
"""Number of the first random stream of options; those of the future come before."""
_FIRST_ID, _FIRST_SEQUENCE = 7_800_000_000_000, 1_000
_OVERNIGHT_IDS, _OVERNIGHT_SEQUENCE = 1_000_000, 100_000
_CHANNEL = 1
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

    def add(self, state: np.void, bid: np.ndarray, ask: np.ndarray) -> None:
        """Take down the present state and best prices."""
        n = int(state["n_series"])
        self.end.append(int(state["day"]) + (int(state["second"]) - 1) * SECOND_NS)
        self.forward.append(float(state["forward"]))
        self.bid.append(bid.astype(np.int32))
        self.ask.append(ask.astype(np.int32))
        self.rows.append(state["series"][:n][["theo", "mark", "gamma", "root_w", "inventory"]].astype(_MINUTE))


_MINUTE = np.dtype([("theo", "f8"), ("mark", "f8"), ("gamma", "f8"), ("root_w", "f8"), ("inventory", "i8")])


class OptionsDay:
    """A date of a chain. `records()` yields the file's records in order; `minutes` and `responses` fill up meanwhile.

    `inventory` is what dealers hold of every option when it begins (none: nothing); `script` may plant customers, its
    prices counted from `base`, points. Raises SimulatorCapacityError if the chain outgrows its arrays,
    SimulatorConfigError if the script trades an option that is not listed.
    """

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
        carried: ChainCarried | None = None,
        inventory: np.ndarray | None = None,
        script: Script | None = None,
        base: float = 0.0,
    ) -> None:
        self.dt, self.chain, self.feed = dt, chain, feed or Feed()
        self._parts, self._day = parts, midnight_ns(dt)
        self._known = carried.orders if carried is not None else {}
        n, levels = len(chain.options), _levels(quotes)
        if (
            n > arrays.MAX_SERIES
            or len(levels) > arrays.MAX_BBO
            or len(chain.expiries) > arrays.MAX_EXPIRIES
            or (len(levels) and not 0 <= levels.min() <= levels.max() < arrays.LEVELS)
        ):
            raise SimulatorCapacityError(f"{root} options {dt}: {n} series, {len(levels)} changes of the future")
        self._array = arrays.empty_chain()
        self.state = s = self._array[0]
        s["n_series"], s["n_expiries"], s["n_bbo"] = n, len(chain.expiries), len(levels)
        for row, expiry in zip(s["expiries"], chain.expiries, strict=False):
            s["variance"], row["variance"] = variance_clock(dt, root, expiry.expiration_ns)
            row["end"], row["open"] = expiry.expiration_ns, 1
            row["carry"] = profile.instrument.carry * expiry.underlying
            years = max(expiry.expiration_ns - self._day, 0) / SECOND_NS / (365 * DAY_SECONDS)
            row["discount"] = round(float(np.exp(-RATE * years)), 12)
        shape = message_plan(intraday_shape(dt, profile.activity), np.ones(DAY_SECONDS), parts, self._day, messages)
        s["plan"][1:-1] = np.cumsum(shape)
        s["plan"][-1] = s["plan"][-2]
        s["atm"] = atm_levels(dt, seed)
        s["latency"], s["exp_table"] = laws.latency_table(profile.latency), laws.exponential_table()
        s["size_law"] = laws.size_law(profile.market_size.ranges, profile.market_size.tail)
        s["bbo_ts"][: len(levels)], s["bbo_level"][: len(levels)] = quotes.ts, levels
        trades = planted_trades(script, base, chain, parts, seed, dt)
        s["n_planted"], s["planted"][: len(trades)] = len(trades), trades
        self.minutes = Minutes()
        self.responses: list[np.ndarray] = []
        self._set_feed(seed, carried)
        self._set_series(quotes, carried)
        if inventory is not None:
            self.series["inventory"] = inventory
        self.held_before = self.series["inventory"].copy()
        first_orders(s, chain, self._known, [seed, dt.toordinal(), _STREAM])
        self.series["guests"] = (s["slots"]["qty"][:n, :, arrays.FIRMS :] > 0).sum(axis=(1, 2))

    @property
    def series(self) -> np.ndarray:
        """Rows of the listed options (`arrays.SERIES`)."""
        return self.state["series"][: len(self.chain.options)]

    @property
    def planted(self) -> np.ndarray:
        """Trades of the scene's customers (`arrays.PLANTED`)."""
        return self.state["planted"][: int(self.state["n_planted"])]

    @property
    def settled(self) -> np.ndarray:
        """What the options were worth when the date began, in points: as good as the settlement before."""
        return self.minutes.rows[0]["theo"] if self.minutes.rows else self.series["theo"]

    @property
    def messages(self) -> int:
        """Live records so far, closing records of their own not counted."""
        return int(self.state["messages"])

    def trading_hours(self) -> tuple[int, int]:
        """First and last moment of trading, ns UTC."""
        trading = [part for part in self._parts if part.phase == CONTINUOUS]
        return (trading[0].start_ns, trading[-1].end_ns) if trading else (self._day, self._day)

    def _set_feed(self, seed: int, carried: ChainCarried | None) -> None:
        s = self.state
        s["day"], s["bbo"], s["channel"] = self._day, -1, _CHANNEL
        s["next_id"] = carried.next_id if carried is not None else _FIRST_ID
        s["sequence"] = carried.sequence if carried is not None else _FIRST_SEQUENCE
        s["rng"] = seeded_words(seed, self.dt, _STREAM, arrays.STREAMS)
        s["last_flag"] = F_LAST | (F_PUBLISHER if self.feed.publisher_bit else 0)
        s["closing_from"] = self.feed.closing_from_ns
        s["buy_put"], s["sell_call"] = laws.probability(BUY_PUT), laws.probability(SELL_CALL)

    def _set_series(self, quotes: Quotes, carried: ChainCarried | None) -> None:
        series = self.series
        series["id"] = [option.instrument_id for option in self.chain.options]
        series["expiry"] = [option.expiry for option in self.chain.options]
        series["strike"] = [option.strike for option in self.chain.options]
        series["log_strike"] = np.log(series["strike"])
        series["call"] = [option.right == "C" for option in self.chain.options]
        spot = float(quotes.mid[0]) if len(quotes.mid) else 1.0
        distance = np.abs(series["strike"] / spot - 1)
        series["makers"] = np.where(distance <= _NEAR + _EPS, 3, np.where(distance <= _MIDDLE, 2, 1))
        late = np.array([option.late for option in self.chain.options], bool)
        series["makers"][late] *= -1
        self.state["late_from"], self.state["late_at"] = len(late) - late.sum(), self.chain.listing_ns
        for name in ("first", "high", "low", "last"):
            series[name] = -1
        if spot > 1.0:
            self.state["step"] = FUTURE_STEP
            self.state["base"] = spot - arrays.LEVELS // 2 * FUTURE_STEP
        if carried is None:
            return
        for i, option in enumerate(self.chain.options):
            number = option.instrument_id
            if number in carried.orders:
                restore_orders(self.state["slots"][i], carried.orders[number])

    def records(self) -> Iterator[Records]:
        """Records of the file in blocks (views of a buffer that is used again): the snapshot, then the live ones."""
        s = self.state
        yield chain_snapshot(s, self.chain, self.feed.snapshot_form)
        if s["n_bbo"] == 0:
            return
        s["sequence"] += _OVERNIGHT_SEQUENCE
        bid, ask = np.zeros((2, len(self.chain.options)), np.int64)
        for part in self._parts:
            if part.phase != CONTINUOUS:
                continue
            closes = part is not self._parts[-1]
            s["clock"] = part.start_ns + 50_000_000
            s["last_recv"] = max(int(s["last_recv"]), part.start_ns)
            s["until"] = part.end_ns - (_CLOSE_NS if closes else 0)
            step = arrays.OPEN
            while True:
                code = run(s, step, bid, ask)
                step = arrays.GO_ON
                if s["code"]:
                    raise SimulatorCapacityError(f"options {self.dt}: a moment has more records than the buffer")
                if code == arrays.MINUTE:
                    self.minutes.add(s, bid, ask)
                    continue
                yield from self._drain()
                if code == arrays.DONE:
                    break
            if closes:
                count = int((s["slots"]["qty"] > 0).sum())
                s["close_gap"] = min(_WITHDRAW_GAP_NS, _CLOSE_NS // (2 * count + 2))
                run(s, arrays.CLOSE, bid, ask)
                yield from self._drain()

    def _drain(self) -> Iterator[Records]:
        s = self.state
        count = int(s["n"])
        if s["n_responses"]:
            self.responses.append(s["responses"][: int(s["n_responses"])].copy())
        s["n"] = s["n_responses"] = 0
        if count:
            yield self.state["out"][:count]

    def carried(self, interest: dict[int, int]) -> ChainCarried:
        """What the next date starts from, once all records have been taken, given its open interest."""
        s, last = self.state, self._parts[-1]
        running = last.phase == CONTINUOUS and last.end_ns >= self._day + DAY_SECONDS * SECOND_NS
        orders, inventory = {}, {}
        strikes: dict[int, set[int]] = {}
        for i, option in enumerate(self.chain.options):
            orders[option.instrument_id] = slot_orders(s["slots"][i], day_orders=running)
            inventory[option.instrument_id] = int(self.series[i]["inventory"])
            strikes.setdefault(self.chain.expiries[option.expiry].expiration_ns, set()).add(option.strike)
        return ChainCarried(
            orders, interest, inventory, {ns: frozenset(listed) for ns, listed in strikes.items()},
            int(s["next_id"]) + _OVERNIGHT_IDS, int(s["sequence"]) + _OVERNIGHT_SEQUENCE,
        )  # fmt: skip


def _levels(quotes: Quotes) -> np.ndarray:
    """The future's middles in steps of half a tick, the first one in the middle of the ladder."""
    if not len(quotes.mid):
        return np.zeros(0, np.int64)
    return np.rint((quotes.mid - quotes.mid[0]) / FUTURE_STEP).astype(np.int64) + arrays.LEVELS // 2
