"""Quotes against a pricer of its own: Black-76 on the planted surface, rounded to prices that may be quoted."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spymaster.simulator.options.day import Minutes
from spymaster.simulator.options.surface import atm_levels, variance_clock
from spymaster.simulator.schedule import midnight_ns
from spymaster_tests.simulator.chains import FinishedChain, finished_chain
from spymaster_tests.simulator.days import TUESDAY

SEED = 7
MILLISECOND = 1_000_000


class WhoQuotes(Minutes):
    """Takes down at whole minutes which orders are the first firm's."""

    def __init__(self) -> None:
        super().__init__()
        self.first_firm: dict[int, tuple[int, int]] = {}

    def add(self, state: np.void, bid: np.ndarray, ask: np.ndarray) -> None:
        super().add(state, bid, ask)
        slots = state["slots"][: int(state["n_series"]), :, 0]
        for i, side in zip(*np.nonzero(slots["qty"] > 0), strict=True):
            self.first_firm[int(slots[i, side]["id"])] = int(i), int(side)


@pytest.fixture(scope="module")
def watched() -> tuple[FinishedChain, WhoQuotes]:
    minutes = WhoQuotes()
    return finished_chain(seed=SEED, minutes=minutes), minutes


def normal(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


class Surface:
    """What the documents say of the surface: SSVI, moved when it is off by half a percent or half a minute old."""

    def __init__(self, finished: FinishedChain) -> None:
        (expiry,) = finished.day.chain.expiries
        self.atm = atm_levels(TUESDAY, SEED)
        self.clock, self.end = variance_clock(TUESDAY, "ES", expiry.expiration_ns)
        years = (expiry.expiration_ns - midnight_ns(TUESDAY)) / 1e9 / (365 * 86_400)
        self.discount = math.exp(-0.04 * years)
        self.used: list[float] = []
        first = 15 * 3_600
        moved = first
        for second in range(first, first + 3_601):
            theta = self.theta(second)
            if not self.used:
                self.used.append(theta)
                continue
            wrong = abs(theta / self.used[-1] - 1) >= 0.005 or second - moved >= 30
            if wrong and (second + 2) % 60 >= 3:
                moved = second
                self.used.append(theta)
            else:
                self.used.append(self.used[-1])
        self.first = first

    def theta(self, second: int) -> float:
        variance = self.end - self.clock[second]
        return float(self.atm[second] ** 2 * variance * (1 + 0.05 * min(math.sqrt(12 * variance), 1)))

    def quote(self, second: int, forward: float, strike: float, call: bool, side: int) -> int:
        """Price of a bid (side 0) or an ask in least ticks."""
        theta = self.used[second - self.first]
        k = math.log(strike / forward)
        phi = 1.2 / math.sqrt(theta)
        w = theta / 2 * (1 - 0.7 * phi * k + math.sqrt((phi * k - 0.7) ** 2 + 1 - 0.7**2))
        d1 = -k / math.sqrt(w) + math.sqrt(w) / 2
        price = forward * normal(d1) - strike * normal(d1 - math.sqrt(w))
        price = (price if call else price - forward + strike) * self.discount * 20
        tick = 5 if math.floor(price) > 100 else 1
        vega = forward * math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi) * self.discount * 20
        point = vega * 0.01 * math.sqrt(self.moved_variance(second))
        inside = max(-k if call else k, 0.0)
        half = max(tick * (1 + 2 * min(inside / 0.01, 1)), 0.15 * point * (1 + 2 * min(abs(k) / 0.03, 1)))
        target = price - half if side == 0 else price + half
        nearest = math.floor(target + 0.5)
        return nearest if nearest <= 100 else max(5 * math.floor(target / 5 + 0.5), 100)

    def moved_variance(self, second: int) -> float:
        """Variance years to expiry when the surface was last moved."""
        theta, at = self.used[second - self.first], second
        while at > self.first and self.used[at - 1 - self.first] == theta:
            at -= 1
        return float(self.end - self.clock[at])


def test_quotes_are_the_surfaces_prices_rounded_by_the_tick_rules(
    watched: tuple[FinishedChain, WhoQuotes],
) -> None:
    """Each price that the first firm sends is right for a state of the future that it can have acted on."""
    finished, minutes = watched
    surface, series, quotes = Surface(finished), finished.day.series, finished.quotes
    prices: dict[int, int] = {}
    sent, right = 0, 0
    for row in finished.live:
        order = int(row["order_id"])
        if order not in minutes.first_firm or row["action"] not in (ord("A"), ord("M")):
            continue
        px = int(row["price"]) // 50_000_000
        if prices.get(order) == px:
            continue  # only its size has changed
        prices[order] = px
        i, side = minutes.first_firm[order]
        now = int(row["ts_event"])
        seen = np.searchsorted(quotes.ts, now - MILLISECOND // 5, side="right") - 1
        oldest = np.searchsorted(quotes.ts, now - 5 * MILLISECOND, side="right") - 1
        second = (now - midnight_ns(TUESDAY)) // 10**9
        wanted = {
            max(surface.quote(second, float(quotes.mid[max(at, 0)]), float(series[i]["strike"]),
                              bool(series[i]["call"]), side), side)
            for at in range(oldest, seen + 1)
        }  # fmt: skip
        sent += 1
        right += px in wanted
    assert sent > 10_000
    # the rest met another firm's order and stopped a tick before it
    assert right / sent > 0.999


def test_firms_answer_the_future_after_their_lag(watched: tuple[FinishedChain, WhoQuotes]) -> None:
    answers = np.concatenate(watched[0].day.responses)
    lag = answers["ts"] - answers["ts_trigger"]
    assert lag.min() >= 200_000
    assert np.quantile(lag, 0.99) <= 2_100_000
    assert 0.9e6 < np.median(lag) < 1.3e6


def test_seven_of_ten_reprices_are_modifies(watched: tuple[FinishedChain, WhoQuotes]) -> None:
    live = watched[0].live
    prices: dict[int, int] = {}
    modified = 0
    for row in live[(live["action"] == ord("A")) | (live["action"] == ord("M"))]:
        order, price = int(row["order_id"]), int(row["price"])
        modified += row["action"] == ord("M") and prices[order] != price if order in prices else 0
        prices[order] = price
    one, two = live[:-1], live[1:]
    replaced = (one["action"] == ord("C")) & (two["action"] == ord("A")) & (one["side"] == two["side"])
    replaced &= (one["instrument_id"] == two["instrument_id"]) & (two["ts_event"] - one["ts_event"] < 1_000)
    assert modified / (modified + replaced.sum()) == pytest.approx(0.7, abs=0.03)
