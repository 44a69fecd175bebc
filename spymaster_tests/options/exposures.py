"""Sessions of options on a smooth surface that is known, and what gamma exposure must come to: slowly, by dictionaries.

The volatility of a strike never changes (sticky strike), so a quote that is filled forward is as true as a new one.
Nothing here uses the code under test, nor the project's own Black-76.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from spymaster.options.chain import Chain
from spymaster.options.gex import GexPass
from spymaster.options.open_interest import InterestSteps
from spymaster.settings import OptionSettings
from spymaster.tables.gex_level_1m import GexLevel1m
from spymaster.tables.gex_surface_1s import GexSurface1s
from spymaster.tables.types import TIMESTAMP
from spymaster_tests.options.definitions import CLOSE, CONTRACT, MIDNIGHT, definitions, pairs

SECOND = 1_000_000_000
TICK = 250_000_000
START = int(MIDNIGHT.timestamp()) * SECOND + 15 * 3_600 * SECOND
"""15:00 UTC, six hours before the close."""
YEAR = 365 * 86_400
DT = MIDNIGHT.date()

Surface = Callable[[float, float], float]
"""Volatility at (strike in points, years to expiry)."""


def smooth_surface(strike: float, years: float) -> float:
    """A skewed, curved smile that nothing in the code under test is made of."""
    k = math.log(strike / 6_800)
    return 0.16 * math.exp(-1.4 * k + 6.0 * k * k) + 0.02 * years


def density(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def black_gamma(forward: float, strike: float, years: float, volatility: float) -> float:
    root = volatility * math.sqrt(years)
    return density(math.log(forward / strike) / root + root / 2) / (forward * root)


def black_delta(forward: float, strike: float, years: float, volatility: float, *, call: bool) -> float:
    root = volatility * math.sqrt(years)
    below = math.erfc(-(math.log(forward / strike) / root + root / 2) / math.sqrt(2)) / 2
    return below if call else below - 1


def ns_of(moment: datetime) -> int:
    return int(moment.timestamp()) * SECOND


@dataclass
class Session:
    """Inputs of the pass; rows of quotes may be changed before `run`."""

    rows: list[dict]
    """Definitions."""
    spots: Sequence[float | None]
    """Spot of each second, points."""
    interest: list[tuple[int, int, int]] = field(default_factory=list)
    """(second known, instrument, lots); -1 is unknown."""
    surface: Surface = smooth_surface
    settings: OptionSettings = field(default_factory=OptionSettings)
    width: float = 0.05
    per_second: int = 40
    seed: int = 3
    forwards: pl.DataFrame = field(init=False)
    quotes: pl.DataFrame = field(init=False)
    snapshot: pl.DataFrame = field(init=False)

    def __post_init__(self) -> None:
        self.ns = [START + (i + 1) * SECOND for i in range(len(self.spots))]
        self.forward = [6_800.0 if spot is None else spot + 0.125 for spot in self.spots]
        self.expirations = sorted({ns_of(row["expiration"]) for row in self.rows})
        self.forwards = pl.DataFrame(
            [
                {"window_end": t, "expiration": end, "underlying": CONTRACT, "years": self.years(t, end), "forward": f}
                for t, f in zip(self.ns, self.forward, strict=True)
                for end in self.expirations
            ],
            schema={
                "window_end": pl.Int64, "expiration": pl.Int64, "underlying": pl.String, "years": pl.Float64,
                "forward": pl.Float64,
            },
        ).cast({"window_end": TIMESTAMP, "expiration": TIMESTAMP})  # fmt: skip
        self.snapshot = pl.DataFrame(
            {
                "window_end": pl.Series(self.ns).cast(TIMESTAMP),
                "spot_ref_price_int": pl.Series(
                    [None if spot is None else round(spot * 1e9) for spot in self.spots], dtype=pl.Int64
                ),
                "window_valid": [spot is not None for spot in self.spots],
            }
        )
        self.quotes = self._quotes()

    @staticmethod
    def years(t: int, end: int) -> float:
        return max((end - t) / SECOND, 60) / YEAR

    def _quotes(self) -> pl.DataFrame:
        """Every option in the first second, then some of them in each."""
        rng = np.random.default_rng(self.seed)
        rows = []
        by_id = {row["instrument_id"]: row for row in self.rows if row["right"] and not row["is_deleted"]}
        ids = sorted(by_id)
        for i, t in enumerate(self.ns):
            chosen = ids if i == 0 else sorted(rng.choice(ids, min(self.per_second, len(ids)), replace=False).tolist())
            rows += [self.quote(by_id[number], i, t, rng) for number in chosen]
        return quote_frame(rows)

    def quote(self, option: dict, i: int, t: int, rng: np.random.Generator) -> dict:
        strike, years = option["strike_price_int"] / 1e9, self.years(t, ns_of(option["expiration"]))
        iv, forward = self.surface(strike, years), self.forward[i]
        call = option["right"] == "C"
        bid = round(rng.integers(4, 400)) * 50_000_000
        return {
            "window_end": t, "instrument_id": option["instrument_id"], "bid_price_int": bid,
            "ask_price_int": bid + round(self.width * 1e9), "buy_volume": int(rng.integers(0, 6)) if i else 0,
            "sell_volume": int(rng.integers(0, 6)) if i else 0, "iv": iv,
            "delta": black_delta(forward, strike, years, iv, call=call),
            "gamma": black_gamma(forward, strike, years, iv),
        }  # fmt: skip

    @property
    def chain(self) -> Chain:
        return Chain.universe(definitions(self.rows), DT, CONTRACT, self.settings)

    @property
    def steps(self) -> InterestSteps:
        known = sorted(self.interest, key=lambda one: one[0])
        columns = [[START + one[0] * SECOND for one in known], [one[1] for one in known], [one[2] for one in known]]
        return InterestSteps(*(np.array(column, np.int64) for column in columns))

    def gex(self, *, batch: int = 977, block_seconds: int = 50) -> GexPass:
        batches = (self.quotes[at : at + batch] for at in range(0, self.quotes.height, batch))
        return GexPass(
            batches, self.forwards, self.snapshot, chain=self.chain, interest=self.steps, underlying=CONTRACT,
            tick_size_int=TICK, settings=self.settings, block_seconds=block_seconds,
        )  # fmt: skip

    def run(self, **options: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Both tables, their contracts kept."""
        surface, levels = [GexSurface1s.empty()], [GexLevel1m.empty()]
        for frames in self.gex(**options):
            surface.append(frames["gex_surface_1s"])
            levels.append(frames["gex_level_1m"])
        return GexSurface1s.validate(pl.concat(surface)), GexLevel1m.validate(pl.concat(levels))


def quote_frame(rows: Iterable[dict]) -> pl.DataFrame:
    """Rows of quotes with the columns that are read."""
    schema = {
        "window_end": pl.Int64, "instrument_id": pl.UInt32, "bid_price_int": pl.Int64, "ask_price_int": pl.Int64,
        "buy_volume": pl.Int32, "sell_volume": pl.Int32, "iv": pl.Float32, "delta": pl.Float32, "gamma": pl.Float32,
    }  # fmt: skip
    frame = pl.DataFrame(list(rows), schema=schema, orient="row").cast({"window_end": TIMESTAMP})
    return frame.sort("window_end", "instrument_id", maintain_order=True)


def two_expiries(strikes: Iterable[float] = range(6_600, 7_001, 5)) -> list[dict]:
    """Calls and puts that expire today at the close and tomorrow at the close."""
    listed = list(strikes)
    return [*pairs(listed), *pairs(listed, first_id=5_000, expiration=CLOSE + timedelta(days=1))]


def walk(seconds: int, seed: int = 8, start: float = 6_801.0, step: float = 0.75) -> list[float]:
    """Spots, multiples of a tick."""
    rng = np.random.default_rng(seed)
    return (start + np.cumsum(rng.choice([-step, -0.25, 0.0, 0.25, step], seconds))).tolist()


def all_interest(rows: Iterable[dict], second: int = 1, seed: int = 5) -> list[tuple[int, int, int]]:
    """Open interest of every option, known from one second on."""
    rng = np.random.default_rng(seed)
    return [(second, row["instrument_id"], int(rng.integers(0, 3_000))) for row in rows]


def expected(session: Session) -> list[dict[tuple[float, str], float | None]]:
    """What each second comes to: {(strike, name): value}, `None` where nothing is known; differences included."""
    bought: dict[int, int] = {}
    by_time: dict[int, list[dict]] = {}
    for row in session.quotes.iter_rows(named=True):
        by_time.setdefault(int(row["window_end"].timestamp()) * SECOND, []).append(row)
    found: list[dict[tuple[float, str], float | None]] = []
    for i, t in enumerate(session.ns):
        for row in by_time.get(t, ()):
            number = row["instrument_id"]
            bought[number] = bought.get(number, 0) + row["buy_volume"] - row["sell_volume"]
        lots: dict[int, int] = {}
        steps = sorted(session.interest, key=lambda one: one[0])
        lots |= {number: count for second, number, count in steps if START + second * SECOND <= t}
        found.append(_one_second(session, i, t, lots, bought))
        _differences(found)
    return found


def _one_second(
    session: Session, i: int, t: int, lots: dict[int, int], bought: dict[int, int]
) -> dict[tuple[float, str], float | None]:
    parts: dict[tuple[float, str], list[float]] = {}
    forward = session.forward[i]
    first = min((end for end in session.expirations if end - t >= 60 * SECOND), default=0)
    row_of: dict[tuple[float, str], float | None] = {}
    for option in session.rows:
        end = ns_of(option["expiration"])
        if end - t < 60 * SECOND:
            continue
        strike, years = option["strike_price_int"] / 1e9, session.years(t, end)
        iv = session.surface(strike, years)
        gamma = black_gamma(forward, strike, years, iv)
        call = option["right"] == "C"
        money = gamma * option["multiplier"] * forward * forward * 0.01
        number = option["instrument_id"]
        count = lots.get(number, -1)
        if count >= 0:
            parts.setdefault((strike, "gex_call" if call else "gex_put"), []).append(
                money * (count if call else -count)
            )
            parts.setdefault((strike, "oi_call" if call else "oi_put"), []).append(count)
        parts.setdefault((strike, "flow_gex"), []).append(-bought.get(number, 0) * money)
        parts.setdefault((strike, "flow_gross"), []).append(abs(bought.get(number, 0)) * money)
        if end == first:
            row_of[strike, "gamma_call" if call else "gamma_put"] = gamma
            row_of[strike, "iv"] = iv
            row_of[strike, "moneyness"] = (strike - forward) / (forward * iv * math.sqrt(years))
    row_of |= {key: math.fsum(values) for key, values in parts.items()}
    strikes = {strike for strike, _ in row_of}
    for strike in strikes:
        sides = [row_of.get((strike, name)) for name in ("gex_call", "gex_put")]
        known = [one for one in sides if one is not None]
        if known:
            row_of[strike, "gex"] = sum(known)
            row_of[strike, "gex_abs"] = sum(abs(one) for one in known)
    total = math.fsum(value or 0.0 for (_, name), value in row_of.items() if name == "gex_abs")
    for strike in strikes:
        gross, net = row_of.get((strike, "gex_abs")), row_of.get((strike, "gex"))
        if gross is not None and net is not None and gross > 0:
            row_of[strike, "gex_imbalance_ratio"] = net / gross
        if gross is not None and total > 0:
            row_of[strike, "gex_share"] = gross / total
    return row_of


def _differences(found: list[dict[tuple[float, str], float | None]]) -> None:
    """First differences of the newest second, and differences of these."""
    newest = found[-1]
    for name in ("gex_abs", "gex", "gex_imbalance_ratio"):
        for order in (1, 2, 3):
            of = name if order == 1 else f"d{order - 1}_{name}"
            for strike in {strike for strike, _ in newest}:
                now = newest.get((strike, of))
                before = found[-2].get((strike, of)) if len(found) > 1 else None
                if now is not None and before is not None:
                    newest[strike, f"d{order}_{name}"] = now - before


LEVELS = ("gex_call", "gex_put", "gex", "gex_abs", "flow_gex", "gamma_call", "gamma_put", "oi_call", "oi_put")
GAMMA_TOLERANCE = 1e-4
NET_OF = {"gex": "gex_abs", "flow_gex": "flow_gross"}
"""What is a difference of large numbers is as exact as these are."""


def compare(session: Session, frame: pl.DataFrame, names: tuple[str, ...], rtol: float, atol: float = 0.0) -> int:
    """Every value of the grid against the oracle's; returns how many were compared."""
    truth = expected(session)
    at = {t: i for i, t in enumerate(session.ns)}
    compared = 0
    seconds = frame["window_end"].to_physical().to_list()
    strikes = frame["strike_points"].to_list()
    for name in names:
        for t, strike, value in zip(seconds, strikes, frame[name].to_list(), strict=True):
            row = truth[at[t]]
            wanted = row.get((strike, name))
            if wanted is None or value is None:
                assert wanted is value, (name, t, strike, value, wanted)
                continue
            size = row[strike, NET_OF[name]] if name in NET_OF else abs(wanted)
            assert size is not None
            assert abs(value - wanted) <= rtol * size + atol, (name, at[t], strike, value, wanted)
            compared += 1
    return compared
