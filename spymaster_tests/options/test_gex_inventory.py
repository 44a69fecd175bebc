"""Exposure by open interest and by flow against the inventory that dealers really have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from spymaster.market.dbn import ACTION_TRADE, SIDE_BID
from spymaster.options.chain import Chain
from spymaster.options.gex import GexPass
from spymaster.options.open_interest import InterestSteps
from spymaster.options.quotes import OptionPass
from spymaster.settings import OptionSettings
from spymaster.tables.gex_level_1m import GexLevel1m
from spymaster.tables.gex_surface_1s import GexSurface1s
from spymaster.tables.types import TIMESTAMP
from spymaster_tests.options.definitions import CONTRACT, definition, definitions
from spymaster_tests.options.exposures import SECOND, Session, two_expiries, walk
from spymaster_tests.simulator.chains import FinishedChain, finished_chain
from spymaster_tests.simulator.days import TUESDAY

GAMMA_IN_FILE = 2e-7
"""Rounding of a gamma stored as float32, and of what is recomputed from it."""


def planted(session: Session, seed: int = 2) -> dict[int, int]:
    """Dealers' inventory by instrument: long calls, short puts."""
    rng = np.random.default_rng(seed)
    return {
        row["instrument_id"]: int(rng.integers(1, 900)) * (1 if row["right"] == "C" else -1) for row in session.rows
    }


def test_flow_and_open_interest_agree_on_dealers_who_are_long_calls_and_short_puts() -> None:
    """The inventory comes about by customers' trades in the third second; its size is also the open interest."""
    rows = two_expiries(range(6_650, 6_951, 5))
    session = Session(rows, walk(60), per_second=len(rows))
    held = planted(session)
    session.interest = [(1, number, abs(lots)) for number, lots in held.items()]
    third = pl.col("window_end").to_physical() == session.ns[2]
    inventory = pl.col("instrument_id").cast(pl.Int64).replace_strict(held, return_dtype=pl.Int32)
    session.quotes = session.quotes.with_columns(
        buy_volume=pl.when(third & (inventory < 0)).then(-inventory).otherwise(0).cast(pl.Int32),
        sell_volume=pl.when(third & (inventory > 0)).then(inventory).otherwise(0).cast(pl.Int32),
    )
    surface, levels = session.run()
    traded = pl.col("window_end").to_physical() >= session.ns[2]
    before, after = surface.filter(~traded), surface.filter(traded)
    assert before["flow_gex"].to_list() == [0.0] * before.height
    np.testing.assert_allclose(after["flow_gex"].to_numpy(), after["gex"].to_numpy(), rtol=1e-9, atol=1e-3)
    assert (after["gex_call"] > 0).all()
    assert (after["gex_put"] < 0).all()
    last = levels.row(-1, named=True)
    assert last["flow_gex_total"] == pytest.approx(last["gex_total"], rel=1e-9)


@dataclass(frozen=True)
class Simulated:
    """An hour of a simulated chain: what was true, what the tables say, and what the tape says by itself."""

    chain: FinishedChain
    surface: pl.DataFrame
    levels: pl.DataFrame


@pytest.fixture(scope="module")
def quiet() -> Simulated:
    """So few messages that customers leave no orders: in all that is traded dealers are the passive side."""
    return tables_of(finished_chain(messages=3_000))


@pytest.fixture(scope="module")
def usual() -> Simulated:
    """Messages an hour as the preset `ci` has: customers trade with each other too, and makers with some of them."""
    return tables_of(finished_chain(messages=50_000))


@pytest.fixture(scope="module")
def busy() -> Simulated:
    """Customers leave many orders."""
    return tables_of(finished_chain(messages=80_000))


def tables_of(chain: FinishedChain) -> Simulated:
    """Quotes, forwards and exposures of a simulated hour, by the code that makes the tables."""
    first, last = chain.day.trading_hours()
    ends = np.arange(first // SECOND + 1, last // SECOND + 1) * SECOND
    place = np.searchsorted(chain.quotes.ts, ends, side="right") - 1
    mid = np.where(place >= 0, chain.quotes.mid[np.maximum(place, 0)], chain.quotes.mid[0])
    snapshot = pl.DataFrame(
        {
            "window_end": pl.Series(ends).cast(TIMESTAMP),
            "book_valid": [True] * len(ends),
            "best_bid_price_int": np.rint((mid - 0.125) * 1e9).astype(np.int64),
            "best_ask_price_int": np.rint((mid + 0.125) * 1e9).astype(np.int64),
            "mid_price": mid,
            "spot_ref_price_int": (np.floor(mid * 4) * 250_000_000).astype(np.int64),
            "window_valid": [True] * len(ends),
        }
    )
    rows = [
        definition(
            option.instrument_id, right=option.right, strike_price_int=option.strike * 10**9,
            expiration=datetime.fromtimestamp(chain.day.chain.expiries[option.expiry].expiration_ns / 1e9, UTC),
        )
        for option in chain.day.chain.options
    ]  # fmt: skip
    settings = OptionSettings(rate=0.04)
    universe = Chain.universe(definitions(rows), TUESDAY, CONTRACT, settings)
    assert len(universe) == len(rows)
    priced = list(
        OptionPass(
            [chain.records], chain=universe, snapshot=snapshot, contract=CONTRACT, future_tick=0.25, settings=settings
        )
    )
    before = {
        option.instrument_id: int(n) for option, n in zip(chain.day.chain.options, chain.interest.final, strict=True)
    }
    ids = np.array(sorted(before))
    gex = GexPass(
        [one["option_quote_1s"] for one in priced], pl.concat(one["option_forward_1s"] for one in priced), snapshot,
        chain=universe, interest=InterestSteps(np.zeros(len(ids), np.int64), ids, np.array([before[i] for i in ids])),
        underlying=CONTRACT, tick_size_int=250_000_000, settings=settings,
    )  # fmt: skip
    frames = list(gex)
    surface = pl.concat(frame["gex_surface_1s"] for frame in frames)
    levels = pl.concat(frame["gex_level_1m"] for frame in frames)
    return Simulated(chain, GexSurface1s.validate(surface), GexLevel1m.validate(levels))


def taken_by_aggressors(simulated: Simulated, until: int) -> np.ndarray:
    """What dealers took on by the tape alone, contracts per option: sold minus bought by aggressors."""
    live = simulated.chain.live
    trades = live[(live["action"] == ACTION_TRADE) & (live["ts_event"].astype(np.int64) < until)]
    number = {option.instrument_id: i for i, option in enumerate(simulated.chain.day.chain.options)}
    taken = np.zeros(len(number), np.int64)
    for trade in trades:
        size = int(trade["size"])
        taken[number[int(trade["instrument_id"])]] += -size if trade["side"] == SIDE_BID else size
    return taken


def test_flow_plus_what_was_held_before_is_the_exposure_of_the_true_inventory(quiet: Simulated) -> None:
    """Strike by strike and minute by minute, with the same gammas."""
    day = quiet.chain.day
    strikes = np.array([option.strike for option in day.chain.options])
    compared = moved = 0
    for m, end in enumerate(day.minutes.end):
        rows = quiet.surface.filter(pl.col("window_end").to_physical() == end)
        for row in rows.filter(pl.col("gamma_call").is_not_null()).iter_rows(named=True):
            here = strikes == row["strike_points"]
            unit = row["gamma_call"] * 50 * day.minutes.forward[m] ** 2 * 0.01
            truth, held = (float(one[here].sum()) for one in (day.minutes.rows[m]["inventory"], day.held_before))
            assert row["flow_gex"] + unit * held == pytest.approx(unit * truth, rel=GAMMA_IN_FILE, abs=unit * 1e-4)
            compared += 1
            moved += truth != held
    assert compared > 1_200
    assert moved > 200


MOST_OFF = 0.2
"""By how much the slope of the exposure by flow over the exact one may be off 1. Customers who take other customers'
orders make it larger than 1; makers who take them, smaller."""


@pytest.mark.parametrize("name", ["usual", "busy"])
def test_flow_tells_the_exposure_of_what_dealers_took_on(name: str, request: pytest.FixtureRequest) -> None:
    """Strike by strike on a chain of usual size, where who is the aggressor does not tell everything."""
    simulated: Simulated = request.getfixturevalue(name)
    day = simulated.chain.day
    assert day.series["lifted"].sum() < 0.1 * day.series["volume"].sum()
    strikes = np.array([option.strike for option in day.chain.options])
    for m in (len(day.minutes.end) // 2, len(day.minutes.end) - 2, len(day.minutes.end) - 1):
        rows = simulated.surface.filter(pl.col("window_end").to_physical() == day.minutes.end[m])
        rows = rows.filter(pl.col("gamma_call").is_not_null())
        assert rows.height >= 20
        unit = rows["gamma_call"].to_numpy() * 50 * day.minutes.forward[m] ** 2 * 0.01
        gained = day.minutes.rows[m]["inventory"] - day.held_before
        lots = np.array([gained[strikes == strike].sum() for strike in rows["strike_points"]])
        exact, told = unit * lots, rows["flow_gex"].to_numpy()
        assert np.corrcoef(exact, told)[0, 1] > 0.93
        assert np.polyfit(exact, told, 1)[0] == pytest.approx(1.0, abs=MOST_OFF)
        assert not np.allclose(exact, told)


@pytest.mark.parametrize("name", ["quiet", "usual", "busy"])
def test_flow_is_what_the_tape_says_of_aggressors(name: str, request: pytest.FixtureRequest) -> None:
    simulated: Simulated = request.getfixturevalue(name)
    day = simulated.chain.day
    strikes = np.array([option.strike for option in day.chain.options])
    traded = 0
    for m in range(0, len(day.minutes.end), 7):
        end = day.minutes.end[m]
        rows = simulated.surface.filter(pl.col("window_end").to_physical() == end)
        tape = taken_by_aggressors(simulated, end)
        for row in rows.filter(pl.col("gamma_call").is_not_null()).iter_rows(named=True):
            unit = row["gamma_call"] * 50 * day.minutes.forward[m] ** 2 * 0.01
            lots = tape[strikes == row["strike_points"]].sum()
            assert row["flow_gex"] == pytest.approx(unit * lots, rel=GAMMA_IN_FILE, abs=unit * 1e-6)
            traded += lots != 0
    assert traded > 30


def test_open_interest_gets_the_sign_of_most_strikes_right_on_simulated_chains(quiet: Simulated) -> None:
    """Dealers begin long calls and short puts, by less than what is open: calls, puts, and both together where one of
    the two clearly prevails have the sign of what they hold."""
    clear, of_rights = [], []
    for simulated in (quiet, *(tables_of(finished_chain(messages=3_000, seed=seed)) for seed in range(1, 6))):
        day = simulated.chain.day
        strikes = np.array([option.strike for option in day.chain.options])
        calls = np.array([option.right == "C" for option in day.chain.options])
        end = day.minutes.end[len(day.minutes.end) // 2]
        rows = simulated.surface.filter(pl.col("window_end").to_physical() == end).filter(pl.col("gex").is_not_null())
        for row in rows.iter_rows(named=True):
            here = strikes == row["strike_points"]
            held = [int(day.held_before[here & of_right].sum()) for of_right in (calls, ~calls)]
            of_rights += [held[0] * row["gex_call"] > 0, held[1] * row["gex_put"] > 0]
            if abs(row["gex"]) > 0.5 * (row["gex_call"] - row["gex_put"]):
                clear.append(sum(held) * row["gex"] > 0)
    assert len(of_rights) > 250
    assert np.mean(of_rights) >= 0.9
    assert len(clear) > 25
    assert np.mean(clear) >= 0.9


def test_gammas_of_the_simulated_chain_are_near_the_truth(busy: Simulated) -> None:
    """Quotes are in ticks, so gamma is not exact; at the money it is within some percent in every minute."""
    day = busy.chain.day
    off = []
    for m, end in enumerate(day.minutes.end):
        rows = busy.surface.filter(pl.col("window_end").to_physical() == end)
        true = {
            (option.strike, option.right): day.minutes.rows[m]["gamma"][i] for i, option in enumerate(day.chain.options)
        }
        near = rows.filter((pl.col("rel_ticks").abs() <= 80) & pl.col("gamma_call").is_not_null())
        off += [row["gamma_call"] / true[round(row["strike_points"]), "C"] - 1 for row in near.iter_rows(named=True)]
    assert len(off) > 300
    assert np.sqrt(np.mean(np.square(off))) < 0.03
