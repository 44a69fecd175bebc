"""A date of the chain on disk: the files of one product type, made from the future's best prices."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np

from spymaster.market.dbn import SIM_DATASET, Compression, DbnWriter
from spymaster.market.instruments import PRICE_SCALE
from spymaster.simulator.acceptance import Target
from spymaster.simulator.contracts import Contract
from spymaster.simulator.handover import Feed
from spymaster.simulator.layout import FRONT, TICKS
from spymaster.simulator.market import MarketDay
from spymaster.simulator.options.carry import ChainCarried
from spymaster.simulator.options.chain import ChainSize, build_chain, listing_time
from spymaster.simulator.options.day import OptionsDay, Quotes
from spymaster.simulator.options.files import option_symbols, write_option_definitions, write_option_statistics
from spymaster.simulator.options.interest import first_inventory, interest_after, open_interest
from spymaster.simulator.options.truth import option_targets, write_option_truth
from spymaster.simulator.profile import Profile
from spymaster.simulator.schedule import DAY_SECONDS, SECOND_NS, Segment, midnight_ns
from spymaster.simulator.script import Script
from spymaster.simulator.truth import TruthWriter


@dataclass(frozen=True)
class ChainResult:
    """Files written (path and raw table) and what the report says of a date's options."""

    files: list[tuple[Path, str]] = field(repr=False)
    series: int
    messages: int
    targets: list[Target] = field(repr=False)
    carried: ChainCarried = field(repr=False)


@dataclass(frozen=True)
class ChainRequest:
    """What to simulate on a date: on which futures, the size of the chain, messages, and how the feed looks."""

    dt: date
    root: str
    exchange: str
    contracts: tuple[Contract, ...]
    profile: Profile
    size: ChainSize
    messages: int
    seed: int
    parts: list[Segment]
    feed: Feed = field(default_factory=Feed)
    dbn_version: int = 3
    compression: Compression = "zstd"
    carried: ChainCarried | None = None
    script: Script | None = None
    base: float = 0.0
    """What the script's prices are counted from, points."""


def front_quotes(market: MarketDay) -> Quotes:
    """Changes of the middle of the first future's best prices, while both sides are there and not crossed."""
    blocks = market.truth.quotes
    if not blocks:
        return Quotes(np.zeros(0, np.int64), np.zeros(0))
    ts, bid, ask = (np.concatenate([block[name] for block in blocks]) for name in ("ts", "bid", "ask"))
    sound = (bid >= 0) & (ask < TICKS) & (ask > bid)
    ts, twice = ts[sound], (bid + ask)[sound]
    kept = np.ones(len(ts), bool)
    kept[1:] = twice[1:] != twice[:-1]
    row = market.state["inst"][FRONT]
    mid = (2 * int(row["origin"]) + twice[kept] * int(row["tick_size"])) / (2 * PRICE_SCALE)
    return Quotes(ts[kept], mid)


def write_chain(request: ChainRequest, quotes: Quotes, folder: Path, truth: TruthWriter) -> ChainResult | None:
    """Simulate the options on a finished date of the future into `folder`; None if the future never had a price."""
    if not len(quotes.ts):
        return None
    dt, spot = request.dt, float(quotes.mid[0])
    before = request.carried
    chain = build_chain(
        dt, request.root, spot, request.contracts, request.size, before.strikes if before is not None else None,
        listing_time(request.parts),
    )  # fmt: skip
    interest = open_interest(dt, request.seed, chain, spot, before)
    day = OptionsDay(
        dt=dt, root=request.root, chain=chain, quotes=quotes, profile=request.profile, parts=request.parts,
        messages=request.messages, seed=request.seed, feed=request.feed, carried=before,
        inventory=first_inventory(dt, request.seed, chain, interest, before), script=request.script, base=request.base,
    )  # fmt: skip
    start, stem = midnight_ns(dt), f"sim-{dt:%Y%m%d}"
    folder.mkdir()
    orders = folder / f"{stem}.mbo{'.dbn.zst' if request.compression == 'zstd' else '.dbn'}"
    with DbnWriter(
        orders, dataset=SIM_DATASET, symbols=option_symbols(dt, chain), start_ns=start,
        end_ns=start + DAY_SECONDS * SECOND_NS, version=request.dbn_version, compression=request.compression,
    ) as writer:  # fmt: skip
        for block in day.records():
            writer.write(block)
    definition, statistics = (folder / f"{stem}.{name}.dbn.zst" for name in ("definition", "statistics"))
    first, last = request.parts[0].start_ns, request.parts[-1].end_ns
    write_option_definitions(
        definition, dt, request.root, chain, request.contracts, request.exchange, (first + last) // 2
    )
    write_option_statistics(statistics, dt, request.root, chain, day.series, day.settled, interest)
    write_option_truth(truth, day, interest, request.contracts[FRONT].instrument_id, request.script, request.base)
    carried = day.carried(interest_after(chain, interest, day.held_before, day.series["inventory"]))
    files = [(orders, "market_by_order_dbn"), (definition, "definition"), (statistics, "statistics")]
    return ChainResult(files, len(chain.options), day.messages, option_targets(day, request.messages), carried)
