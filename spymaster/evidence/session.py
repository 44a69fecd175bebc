"""The search of a stored date: `gold.algo_law`, and `gold.algo_run` with tests, curves and exemplars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from spymaster.evidence.arrays import DayArrays
from spymaster.evidence.controls import Extent, passes, run_controls
from spymaster.evidence.families import Profile, run_tests
from spymaster.evidence.halves import look_at_halves
from spymaster.evidence.holdout import is_holdout
from spymaster.evidence.identity import identity
from spymaster.evidence.law import Law, Measured, measure, pool
from spymaster.evidence.load import session_arrays, session_market
from spymaster.evidence.no_agents import quiet_market
from spymaster.evidence.rows import Context, curve_rows, exemplar_rows, frame_of, result_rows
from spymaster.evidence.verdicts import Least
from spymaster.lake import Partition
from spymaster.market.calendar import session_dates
from spymaster.market.instruments import instrument
from spymaster.settings import EvidenceSettings, Settings
from spymaster.surfaces.session import selected_contract
from spymaster.tables.algo_curve import AlgoCurve
from spymaster.tables.algo_exemplar import AlgoExemplar
from spymaster.tables.algo_law import AlgoLaw
from spymaster.tables.algo_run import AlgoRun
from spymaster.tables.algo_test import AlgoTest

MESSAGE_LAW_COLUMNS = ("ts_event", "kind", "qty", "contract")
LIFE_LAW_COLUMNS = ("known_add", "n_reprice", "dist_add", "side", "size0", "ts_add")
"""Columns of `silver.order_event` and `silver.order_life` that a law is measured from."""
LAW_COLUMNS = ("sizes", "counts", "large_behind", "layer_total")
QUANTILES = {"capture_p50_ns": 0.5, "capture_p90_ns": 0.9, "capture_p99_ns": 0.99}


@dataclass(frozen=True)
class Inputs:
    """Partitions of one date that the tests read."""

    events: Partition
    lives: Partition
    trades: Partition
    quotes: Partition
    snapshot: Partition

    def all(self) -> tuple[Partition, ...]:
        """Every one of them."""
        return (self.events, self.lives, self.trades, self.quotes, self.snapshot)


@dataclass(frozen=True)
class OtherDay:
    """Trades, quotes and seconds of an earlier discovery date, which no message of the date can answer."""

    trades: Partition
    quotes: Partition
    snapshot: Partition

    def all(self) -> tuple[Partition, ...]:
        """Every one of them."""
        return (self.trades, self.quotes, self.snapshot)


def with_other_day(partitions: Sequence[Partition], dt: date, settings: Settings) -> Sequence[Partition]:
    """Of partitions of a table the date's own, after that of the last earlier discovery date that has rows."""
    earlier = [one for one in partitions if one.dt < dt and one.rows and not is_holdout(one.dt, settings.evidence)]
    return [*earlier[-1:], *(one for one in partitions if one.dt == dt)]


def other_day(
    trades: Sequence[Partition], quotes: Sequence[Partition], snapshots: Sequence[Partition]
) -> OtherDay | None:
    """The other day of what `with_other_day` chose of each table; None without one that all three have."""
    first = (trades[0], quotes[0], snapshots[0])
    alone = any(len(partitions) < 2 for partitions in (trades, quotes, snapshots))
    return None if alone or len({one.dt for one in first}) > 1 else OtherDay(*first)


def session_law(events: Partition, lives: Partition, *, settings: Settings) -> pl.DataFrame:
    """`gold.algo_law` of a date; no row where it has no messages."""
    messages = events.read(MESSAGE_LAW_COLUMNS)
    if messages.is_empty():
        return AlgoLaw.empty()
    measured = measure(messages, lives.read(LIFE_LAW_COLUMNS))
    row = {
        "session_date": trade_date(messages["ts_event"], events.symbol, settings),
        "contract": messages["contract"][0],
        "n_messages": messages.height,
        "sizes": list(measured.sizes),
        "counts": list(measured.counts),
        "large_behind": measured.large_behind,
        "layer_total": measured.layer_total,
        "provenance": events.manifest.provenance,
    }
    return pl.DataFrame([row], schema=AlgoLaw.schema())


def trade_date(times: pl.Series, symbol: str, settings: Settings) -> date:
    """Trade date of the exchange of the message in the middle."""
    middle = times.to_physical()[len(times) // 2]
    return session_dates(np.array([middle], np.int64), instrument(symbol, settings))[0].item()


def law_of(laws: Sequence[Partition], dt: date, settings: EvidenceSettings) -> Law:
    """What a date is tested with: the law of the last earlier discovery dates, or without one its own.

    laws: partitions of `gold.algo_law` up to the date itself. Raises ValueError if there is no earlier one and that
    of the date has no row.
    """
    earlier = earlier_law(laws, dt, settings)
    if earlier is not None:
        return earlier
    own = [measured for one in laws if one.dt == dt and one.rows for measured in _measured(one)]
    if not own:
        raise ValueError(f"gold.algo_law of {dt} has no row")
    return pool(own)


def earlier_law(laws: Sequence[Partition], dt: date, settings: EvidenceSettings) -> Law | None:
    """The law of the last earlier discovery dates, None without one. A date without messages has no row and is none."""
    known = {one.dt: one for one in laws if one.dt < dt and one.rows and not is_holdout(one.dt, settings)}
    dates = sorted(known)[-settings.law_sessions :]
    return pool([measured for day in dates for measured in _measured(known[day])], dates) if dates else None


def _measured(law: Partition) -> list[Measured]:
    return [
        Measured(tuple(row["sizes"]), tuple(row["counts"]), row["large_behind"], row["layer_total"])
        for row in law.read(LAW_COLUMNS).iter_rows(named=True)
    ]


def session_tests(
    inputs: Inputs,
    selection: Partition,
    definitions: Partition,
    laws: Sequence[Partition],
    *,
    settings: Settings,
    profile: str,
    other: OtherDay | None = None,
    controls: Extent | None = None,
) -> dict[str, pl.DataFrame]:
    """Run, tests, curves and exemplars of a date; no rows where it has no messages or no seconds.

    inputs, selection, definitions: partitions of the date. laws: of `gold.algo_law` up to it. profile: `standard` or
    `demo`, which has no controls; a control that fails blocks all verdicts. other: for one of the controls, without
    which it is left out. controls: instead of what settings and profile say of them.
    """
    symbol, dt = inputs.events.symbol, inputs.events.dt
    own = [one for one in laws if one.dt == dt]
    if not own or not own[0].rows or not inputs.snapshot.rows:
        return {model.name: model.empty() for model in (AlgoRun, AlgoTest, AlgoCurve, AlgoExemplar)}
    chosen = settings.evidence
    known = instrument(symbol, settings)
    contract, _, tick = selected_contract(selection, definitions, known)
    day = session_arrays(
        inputs.events, inputs.lives, inputs.trades, inputs.quotes, inputs.snapshot,
        tick_size_int=tick, law=law_of(laws, dt, chosen),
    )  # fmt: skip
    told = profile if controls is None else f"{profile}, controls {controls}"
    extent: Extent = controls or ("none" if profile == "demo" else chosen.controls)
    other = None if extent == "none" else other
    read = (*inputs.all(), *(other.all() if other else ()))
    context = Context(
        symbol=symbol,
        dt=dt,
        identity=identity(symbol, dt.isoformat(), read, day.law.json(), chosen, told),
        contract=contract,
        session_date=own[0].read(["session_date"])["session_date"][0],
        provenance=inputs.events.manifest.provenance,
        seed=chosen.seed,
        holdout=is_holdout(dt, chosen),
        least=Least.of(chosen),
    )
    depth = Profile.of(chosen, profile)
    found = run_tests(day, seed=chosen.seed, profile=depth)
    judged = look_at_halves(day, found, seed=chosen.seed, least=context.least)
    market = None if other is None else session_market(*other.all())
    ran = run_controls(
        day, extent=extent, seed=chosen.seed, profile=depth, other=market,
        background=partial(quiet_market, instrument=known, seed=chosen.seed),
    )  # fmt: skip
    passed = passes(ran) if ran else None
    context = replace(context, blocked=passed is False)
    of_controls = [
        result_rows(context, one.day, one.judged, control=one.kind, provenance=one.provenance) for one in ran
    ]
    tests = pl.concat([result_rows(context, day, judged), *of_controls]).sort("test_row_id")
    about = {"profile": profile, "controls": extent, "controls_passed": passed, "n_tests": tests.height}
    return {
        AlgoRun.name: run_row(context, day, inputs.events, depth, about),
        AlgoTest.name: tests,
        AlgoCurve.name: curve_rows(context, day, judged),
        AlgoExemplar.name: exemplar_rows(context, day, judged, inputs.events.read(["rel_ticks"])["rel_ticks"]),
    }


def run_row(context: Context, day: DayArrays, events: Partition, depth: Profile, about: dict[str, Any]) -> pl.DataFrame:
    """The row of `gold.algo_run`. about: profile, controls, whether they passed, and number of tests."""
    delay = pl.col("ts_recv").to_physical() - pl.col("ts_event").to_physical()
    quantiles = events.scan(["ts_event", "ts_recv"]).select(
        delay.quantile(share, "nearest").cast(pl.Int64).alias(name) for name, share in QUANTILES.items()
    )
    row = {
        "run_id": context.identity.run_id,
        "code_hash": context.identity.code_hash,
        "strata_hash": context.identity.strata_hash,
        "data_hash": context.identity.data_hash,
        "contract": context.contract,
        "session_date": context.session_date,
        "ts_start": day.start,
        "ts_end": day.end,
        "seed": context.seed,
        "n_surrogate": depth.surrogates,
        "n_surrogate_second": depth.more,
        "n_messages": len(day.messages.ts),
        "n_usable": int(day.messages.usable.sum()),
        "n_mass_cancel": day.n_mass_cancel,
        **quantiles.collect().row(0, named=True),
        "role": "holdout" if context.holdout else "discovery",
        "law_dates": list(day.law.dates),
        "law_json": day.law.json(),
        **about,
        "provenance": context.provenance,
    }
    return frame_of(AlgoRun, [row])
