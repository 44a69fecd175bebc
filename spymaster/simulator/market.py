"""One UTC date of the market of a root, from its snapshot to its last record, as blocks of records and of truth."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np

from spymaster.market.calendar import CONTINUOUS, PRE_OPEN
from spymaster.market.dbn import F_LAST, F_PUBLISHER, Records
from spymaster.market.instruments import PRICE_SCALE, Instrument
from spymaster.simulator import laws, layout
from spymaster.simulator.activity import begin_second, random_path
from spymaster.simulator.agent_plan import PlannedAgent
from spymaster.simulator.agents import start_agents
from spymaster.simulator.background import start_metaorders
from spymaster.simulator.contracts import Contract
from spymaster.simulator.errors import SimulatorCapacityError
from spymaster.simulator.handover import Carried, Feed, Orders, Truth
from spymaster.simulator.implied import open_auction
from spymaster.simulator.loop import run
from spymaster.simulator.meetings import set_meetings
from spymaster.simulator.opening import expire_some, resting, restore, seed_book
from spymaster.simulator.profile import Profile
from spymaster.simulator.quotes import observe, schedule_jump, schedule_news
from spymaster.simulator.rng import seeded_streams
from spymaster.simulator.schedule import DAY_SECONDS, SECOND_NS, Segment, intraday_shape, message_plan, midnight_ns
from spymaster.simulator.script import Script, compiled
from spymaster.simulator.scripts import start_script
from spymaster.simulator.snapshot import SnapshotForm, snapshot_records

_SECOND_CONTRACT_SHARE = 0.12
_SPREAD_ORDERS, _SPREAD_REACH = 400, 10
_EXPIRY_NS = 50_000_000
_AUCTION_DELAY_NS = 300_000
_OVERFLOW = {
    layout.ORDERS_FULL: f"more than {layout.MAX_ORDERS} resting orders",
    layout.LADDER_END: f"the price left its ladder of {layout.TICKS} ticks",
    layout.EVENT_FULL: f"an event fills more than {layout.MAX_TOUCHED} orders",
    layout.WAKE_FULL: f"more than {layout.MAX_WAKE} wake-ups scheduled",
}


class MarketDay:
    """A date of a market. `records()` yields the file's records in order; `truth` fills up meanwhile.

    The market stops at each of `pauses` (whole seconds inside trading, ns UTC), which changes nothing in it, so that
    the caller can look at it there.

    Raises SimulatorCapacityError if the market outgrows its arrays.
    """

    def __init__(
        self,
        *,
        dt: date,
        instrument: Instrument,
        contracts: tuple[Contract, Contract, Contract],
        profile: Profile,
        parts: list[Segment],
        messages: int,
        seed: int,
        walk: bool = False,
        feed: Feed | None = None,
        carried: Carried | None = None,
        agents: tuple[PlannedAgent, ...] = (),
        pauses: tuple[int, ...] = (),
        script: Script | None = None,
    ) -> None:
        self.dt = dt
        self.contracts = contracts
        self.truth = Truth()
        self.feed = feed or Feed()
        self.agents = agents
        self.script = script
        self._parts = parts
        self._pauses = pauses
        self._array = layout.empty_market()
        self.state = self._array[0]
        self._set_laws(profile)
        self._set_feed(seed)
        self._set_flow(profile, messages, walk)
        self._set_instruments(instrument, profile, carried)
        if carried is None:
            self._first_books(profile)
        else:
            self._restore(carried, profile)
        self._set_agents()
        self._set_script(instrument, carried)

    # set-up

    def _set_laws(self, profile: Profile) -> None:
        m = self._array
        distances = laws.distance_weights(profile.add_distance)
        m["size_law"][0] = laws.size_law(profile.add_size.ranges, profile.add_size.tail)
        m["market_law"][0] = laws.size_law(profile.market_size.ranges, profile.market_size.tail)
        m["distance_law"][0] = laws.alias_table(distances)
        m["class_law"][0] = laws.class_laws(distances, profile.patience)
        shares, modify, meta = profile.shares, profile.modify, profile.metaorders
        m["kind_law"][0] = laws.alias_table(np.array([shares.add, shares.modify, shares.match, 0.0]))
        m["modify_law"][0] = laws.alias_table(np.array([modify.reprice, modify.smaller, modify.larger, modify.same]))
        m["inst_law"][0] = laws.alias_table(np.array(profile.instrument.activity))
        m["far_law"][0] = laws.far_laws(profile.book, profile.add_distance.round_ticks)
        m["meta_law"][0] = laws.pareto_law(meta.tail, meta.least, meta.most, m["meta_law"].shape[1])
        m["exp_table"][0] = laws.exponential_table()
        m["decay_table"][0] = laws.decay_table()
        m["logit"][0] = laws.logit_table()
        m["power"][0] = laws.power_table()
        m["latency"][0] = laws.latency_table(profile.latency)

    def _set_feed(self, seed: int) -> None:
        m = self.state
        m["rng"] = seeded_streams(seed, self.dt)
        m["day"] = m["clock"] = midnight_ns(self.dt)
        m["closing_from"] = self.feed.closing_from_ns
        m["last_flag"] = F_LAST | (F_PUBLISHER if self.feed.publisher_bit else 0)
        m["next_id"] = 6_400_000_000_000
        m["p_slip"] = laws.probability(self.feed.fifo_slip)

    def _set_flow(self, profile: Profile, messages: int, walk: bool) -> None:
        m, activity, special, price = self.state, profile.activity, profile.special, profile.price
        m["mode"] = layout.WALK if walk else layout.EMERGENT
        shape = intraday_shape(self.dt, activity)
        factor = np.ones(DAY_SECONDS)
        for seconds, spread in (
            (activity.ou_seconds, activity.ou_spread),
            (activity.burst_seconds, activity.burst_spread),
        ):
            path = np.empty(DAY_SECONDS)
            random_path(m, path, 1.0 / seconds)
            factor *= np.exp(spread * path - 0.5 * spread**2)
        factor = factor.round(6)
        base = message_plan(shape, factor, self._parts, int(m["day"]), messages)
        m["base"], m["shape"] = base, factor
        m["plan"][1:] = np.cumsum(base)
        busy = base[base > 0]
        # the rate around the average message
        m["reference_rate"] = float((busy**2).sum() / busy.sum()) if len(busy) else 1.0
        m["events_per_message"] = activity.events_per_message
        m["branching"] = sum(activity.hawkes_weights)
        m["per_half_life"] = [1.0 / (half_life * SECOND_NS) for half_life in activity.hawkes_half_lives]
        decays = [round(np.log(2) / half_life, 9) for half_life in activity.hawkes_half_lives]
        m["jump"] = [weight * decay for weight, decay in zip(activity.hawkes_weights, decays, strict=True)]
        lives = [round(np.log(2) / half_life, 12) for half_life in profile.patience.half_lives]
        m["theta"] = [*lives, round(np.log(2) / (20 * 86_400), 12)]
        m["modify_weight"] = [*profile.patience.modify_weights, 0.0]
        m["target_orders"] = profile.book.bid_orders + profile.book.ask_orders
        m["mean_queue"] = profile.book.mean_queue
        m["theta_ref"], m["theta_reinit"] = laws.probability(price.theta_ref), laws.probability(price.theta_reinit)
        m["repair_orders"], m["retreat"] = price.repair_orders, price.retreat
        m["news_rate"], m["foresight"] = price.news_rate, price.foresight
        m["walk_rate"] = price.walk_sigma_60**2 / 60.0
        m["p_iceberg"], m["p_stop"] = laws.probability(special.iceberg), laws.probability(0.0 if walk else special.stop)
        m["p_limit"], m["p_smp"] = laws.probability(special.limit_aggressor), laws.probability(special.self_match)
        m["p_unknown"], m["p_oversize"] = (
            laws.probability(special.unknown_fill),
            laws.probability(special.oversize_fill),
        )
        m["p_early_add"], m["p_implied"] = (
            laws.probability(special.early_add),
            laws.probability(0.0 if walk else special.implied),
        )
        m["p_exact"] = laws.probability(special.exact)
        m["max_levels"] = special.sweep_ticks
        m["p_round"] = laws.probability(profile.add_distance.round_share)
        m["round_ticks"] = profile.add_distance.round_ticks
        m["p_follow"] = laws.probability(profile.modify.follow)
        m["p_meta"], m["n_meta"] = laws.probability(profile.metaorders.share), profile.metaorders.active
        start_metaorders(m)

    def _set_instruments(self, instrument: Instrument, profile: Profile, carried: Carried | None) -> None:
        tick = instrument.tick_size_int
        front = carried.price if carried is not None else round(profile.instrument.front_price * PRICE_SCALE)
        front -= front % tick
        carry = round(profile.instrument.carry * PRICE_SCALE / tick) * tick
        spread_tick = round(profile.instrument.spread_tick * PRICE_SCALE)
        middles = (front, front + carry, carry)
        for inst, (contract, middle, step) in enumerate(
            zip(self.contracts, middles, (tick, tick, spread_tick), strict=True)
        ):
            row = self.state["inst"][inst]
            row["id"], row["tick_size"] = contract.instrument_id, step
            row["origin"] = middle - layout.MIDDLE * step

    def _set_agents(self) -> None:
        self.state["n_agents"] = len(self.agents)
        for row, agent in zip(self.state["agents"], self.agents, strict=False):
            row["stream"] = layout.LAYERS + agent.agent_id - 1
            row["id"] = agent.agent_id
            for name, value in agent.row.items():
                row[name] = value

    def _set_script(self, instrument: Instrument, carried: Carried | None) -> None:
        if self.script is None:
            return
        m = self.state
        if self.script.meetings is not None:
            set_meetings(m, self.script.meetings)
            return
        origin = int(m["inst"][layout.FRONT]["origin"])
        start = origin + layout.MIDDLE * instrument.tick_size_int
        rows = compiled(self.script, start, origin, instrument.tick_size_int)
        m["n_path"], m["n_directives"] = len(rows.path), len(rows.directives)
        m["path"][: len(rows.path)] = rows.path
        m["directives"][: len(rows.directives)] = rows.directives
        if carried is not None:
            m["rested_before"] = carried.rested

    def _first_books(self, profile: Profile) -> None:
        m, book = self.state, profile.book
        age = int(book.age_days * 86_400) * SECOND_NS
        seed_book(m, layout.FRONT, book.bid_orders, book.ask_orders, 0, age)
        self._young_books(profile, age)

    def _young_books(self, profile: Profile, age: int) -> None:
        book = profile.book
        second = [max(20, int(n * _SECOND_CONTRACT_SHARE)) for n in (book.bid_orders, book.ask_orders)]
        seed_book(self.state, layout.NEXT, second[0], second[1], 0, age // 4)
        seed_book(self.state, layout.SPREAD, _SPREAD_ORDERS // 2, _SPREAD_ORDERS // 2, _SPREAD_REACH, age // 4)

    def _restore(self, carried: Carried, profile: Profile) -> None:
        m = self.state
        m["next_id"] = carried.next_id
        for inst, contract in enumerate(self.contracts):
            orders = carried.books.get(contract.symbol)
            if orders is None:
                # after a roll this contract is new to the simulation
                age = int(profile.book.age_days * 86_400) * SECOND_NS
                if inst == layout.SPREAD:
                    n = _SPREAD_ORDERS // 2
                    seed_book(m, inst, n, n, _SPREAD_REACH, age // 4)
                else:
                    share = 1.0 if inst == layout.FRONT else _SECOND_CONTRACT_SHARE
                    seed_book(
                        m, inst, int(profile.book.bid_orders * share), int(profile.book.ask_orders * share), 0, age // 4
                    )
                continue
            row = m["inst"][inst]
            ticks = (orders.price - int(row["origin"])) // int(row["tick_size"])
            kept = (ticks >= 16) & (ticks < layout.TICKS - 16)
            # what yesterday's agents left behind belongs to nobody
            classes = np.where(orders.cls == layout.AGENT_CLASS, layout.FIRST_DAYS_LONG - 1, orders.cls)
            restore(
                m, inst, *(column[kept] for column in (
                    orders.order_id, ticks, orders.side, orders.size, orders.hidden, orders.peak, classes,
                    orders.ts, orders.sequence,
                ))
            )  # fmt: skip

    # the day

    def records(self) -> Iterator[Records]:
        """Records of the file in blocks (views of a buffer that is used again): the snapshot, then the live ones.

        A pause shows as an empty block, after all records before it.
        """
        m = self.state
        yield self.snapshot(int(m["day"]), self.feed.snapshot_form)
        m["sequence"] = 1
        m["next_id"] += 1_000
        for part in self._parts:
            m["clock"] = part.start_ns
            m["next_second"] = part.start_ns + SECOND_NS
            m["last_recv"] = max(int(m["last_recv"]), part.start_ns)
            m["phase"] = part.phase
            m["until"] = part.end_ns
            if part.phase == CONTINUOUS:
                yield from self._trade(part)
            elif part.phase == PRE_OPEN:
                begin_second(m, (part.start_ns - int(m["day"])) // SECOND_NS)
                yield from self._run()
        yield from self._drain()

    def _trade(self, part: Segment) -> Iterator[Records]:
        m = self.state
        m["clock"] += _AUCTION_DELAY_NS
        begin_second(m, (part.start_ns - int(m["day"])) // SECOND_NS)
        for inst in range(layout.INSTRUMENTS):
            open_auction(m, inst)
        observe(m)
        if m["mode"] == layout.WALK:
            schedule_jump(m)
        else:
            schedule_news(m)
        start_agents(m)
        start_script(m)
        closes = part is not self._parts[-1]
        if closes:
            m["until"] = part.end_ns - _EXPIRY_NS
        yield from self._run()
        m["n_wake"] = 0
        m["inst"]["repair"] = 0
        if closes:
            yield from self._expire()

    def _expire(self) -> Iterator[Records]:
        """Orders that end with the session are cancelled in its last moments."""
        m = self.state
        ending = int(m["n_class"][: layout.FIRST_DAYS_LONG].sum()) + int(m["n_class"][layout.AGENT_CLASS])
        step = _EXPIRY_NS // (2 * ending + 2)
        while expire_some(m, max(step, 1), layout.CHUNK // 2):
            yield from self._drain()
        m["until"] = m["next_second"]
        yield from self._run()

    def _run(self) -> Iterator[Records]:
        m = self.state
        end = int(m["until"])
        for stop in (*(at for at in self._pauses if m["clock"] < at < end), end):
            m["until"] = stop
            while (code := run(m)) != layout.DONE:
                if code != layout.DRAIN:
                    raise SimulatorCapacityError(f"{self.contracts[0].symbol} {self.dt}: {_OVERFLOW[code]}")
                yield from self._drain()
            if stop < end:
                yield from self._drain()
                yield self._array["out"][0, :0]

    def _drain(self) -> Iterator[Records]:
        m, truth = self._array, self.truth
        for name, blocks in (
            ("events", truth.events), ("tags", truth.tags), ("seconds", truth.seconds),
            ("latent", truth.latent), ("quotes", truth.quotes), ("responses", truth.responses),
        ):  # fmt: skip
            count = int(m[f"n_{name}"][0])
            if count:
                blocks.append(m[name][0, :count].copy())
                if name == "seconds":
                    truth.levels.append(m["levels"][0, :count].copy())
            m[f"n_{name}"][0] = 0
        count = int(m["n"][0])
        if count:
            yield m["out"][0, :count]
        m["n"][0] = 0

    # looking

    def snapshot(self, at_ns: int, form: SnapshotForm) -> Records:
        """All resting orders of all instruments as the records of a snapshot that is received at `at_ns`."""
        parts = [
            snapshot_records(self.resting(inst), self.contracts[inst].instrument_id, at_ns, form)
            for inst in range(layout.INSTRUMENTS)
        ]
        return np.concatenate(parts)

    def trading_hours(self) -> tuple[int, int]:
        """First and last ns of continuous trading in the file."""
        trading = [part for part in self._parts if part.phase == CONTINUOUS]
        if not trading:
            return int(self.state["day"]), int(self.state["day"])
        return trading[0].start_ns, trading[-1].end_ns

    def resting(self, inst: int) -> Orders:
        """Orders of one instrument in queue order: bids from the best down, asks from the best up."""
        slots = np.empty(layout.MAX_ORDERS, np.int64)
        count = resting(self.state, inst, slots)
        rows = self.state["orders"][slots[:count]]
        row = self.state["inst"][inst]
        tick = (rows["cell"].astype(np.int64) >> 1) % layout.TICKS
        return Orders(
            order_id=rows["id"].copy(),
            price=int(row["origin"]) + tick * int(row["tick_size"]),
            side=rows["cell"].astype(np.int64) & 1,
            size=rows["qty"].astype(np.int64),
            hidden=rows["hidden"].astype(np.int64),
            peak=rows["peak"].astype(np.int64),
            cls=rows["cls"].astype(np.int64),
            ts=rows["ts"].copy(),
            sequence=rows["seq"].astype(np.int64),
            agent=rows["agent"].astype(np.int64),
        )

    def carried(self) -> Carried:
        """What the next date starts from, once all records have been taken: at 24:00 UTC a session may be running."""
        m = self.state
        books = {contract.symbol: self.resting(inst) for inst, contract in enumerate(self.contracts)}
        last = self._parts[-1]
        if last.phase != CONTINUOUS or last.end_ns < int(m["day"]) + DAY_SECONDS * SECOND_NS:
            books = {symbol: orders.without_day_orders() for symbol, orders in books.items()}
        front = m["inst"][layout.FRONT]
        tick = int(front["last"]) if front["last"] >= 0 else layout.MIDDLE
        price = int(front["origin"]) + tick * int(front["tick_size"])
        return Carried(books, int(m["next_id"]) + 1_000_000, price, m["rested_before"] + m["rested"])
