"""What is fitted on earlier sessions for the features of a setup: weights of the imbalances, and the micro-price.

**Integrated imbalance.** Imbalances of the ten best prices, each over the mean depth of the zone, move together. Their
first principal vector, of absolute sum 1, weights them into one (Cont, Cucuringu & Zhang 2023, Quant. Finance).

**Micro-price.** A second is in a state: imbalance of the best quantities, balance or one of five bins either way, and
spread, 1, 2 or at least `SPREADS` ticks. With Q the chances of each state next second without a move of the mid, T
those with one, and k the expected move, the mid is expected to end up away from itself by

    g = (1 - Q)^-1 k,    adjustment = g + B g + B^2 g + ...,    B = (1 - Q)^-1 T

ticks (Stoikov 2018, Quant. Finance). Every transition counts together with its mirror image, so that the adjustment is
antisymmetric in the imbalance. Each state is given one more move that leads to itself and to nowhere, so that it is
left sometime.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from spymaster.surfaces.blocks import nanoseconds
from spymaster.surfaces.zones import ZONE_TICKS
from spymaster.tables.move_measure_1s import MOVE_SIDES, OFI_LEVELS, measure

BINS_A_SIDE: Final = 5
IMBALANCE_BINS: Final = 2 * BINS_A_SIDE + 1
"""(-1 to -0.8), ..., exactly 0, ..., (0.8 to 1]: a bin and its mirror image hold mirrored imbalances, edges too."""
SPREADS: Final = 3
LARGEST_MOVE_TICKS: Final = 4.0
"""Moves of a second beyond this count as this: one jump should not make a state."""

SECOND_NS: Final = 1_000_000_000
_STATES: Final = IMBALANCE_BINS * SPREADS
_DEPTHS: Final = tuple(measure(name, side, 1) for name in ("q0", "q1") for side in MOVE_SIDES)
COLUMNS: Final = (
    "window_end", "valid", *(f"ofi_{k}" for k in range(1, OFI_LEVELS + 1)), *_DEPTHS, "queue_imb", "spread_ticks",
    "mid2_int",
)  # fmt: skip
"""Columns of `silver.move_measure_1s` that the fits read."""


def state_of(queue_imb: np.ndarray, spread_ticks: np.ndarray) -> np.ndarray:
    """int64[n]: the state of each second. queue_imb in [-1, 1], spread in ticks, both known."""
    size = np.ceil(np.abs(queue_imb) * BINS_A_SIDE)
    spread = np.clip(spread_ticks, 1, SPREADS) - 1
    return (spread * IMBALANCE_BINS + BINS_A_SIDE + np.sign(queue_imb) * size).astype(np.int64)


def mean_depth(total_start: np.ndarray, total_end: np.ndarray) -> np.ndarray:
    """Mean quantity at a price of the zone, lots. Arguments: quantity of both sides of the zone at start and end."""
    return (total_start + total_end) / (4.0 * (ZONE_TICKS + 1))


@dataclass
class Fits:
    """Sums over sessions, added one after the other; equal sessions in equal order give equal bytes."""

    eps_qty: float
    seconds: int = 0
    pairs: int = 0
    total: np.ndarray = field(default_factory=lambda: np.zeros(OFI_LEVELS))
    square: np.ndarray = field(default_factory=lambda: np.zeros((OFI_LEVELS, OFI_LEVELS)))
    stay: np.ndarray = field(default_factory=lambda: np.zeros((_STATES, _STATES)))
    leave: np.ndarray = field(default_factory=lambda: np.zeros((_STATES, _STATES)))
    moved: np.ndarray = field(default_factory=lambda: np.zeros(_STATES))

    def add(self, rows: pl.DataFrame, tick_size_int: int) -> None:
        """Add a session: its rows with `COLUMNS`, in order of time."""
        rows = rows.filter("valid")
        self.seconds += rows.height
        q0_ask, q0_bid, q1_ask, q1_bid = (rows[name].cast(pl.Float64).to_numpy() for name in _DEPTHS)
        depth = mean_depth(q0_ask + q0_bid, q1_ask + q1_bid) + self.eps_qty
        ofi = np.stack([rows[f"ofi_{k}"].cast(pl.Float64).to_numpy() / depth for k in range(1, OFI_LEVELS + 1)])
        self.total += ofi.sum(axis=1)
        self.square += np.stack([(ofi * ofi[k]).sum(axis=1) for k in range(OFI_LEVELS)])
        self._transitions(rows.drop_nulls(["queue_imb", "spread_ticks"]), tick_size_int)

    def _transitions(self, rows: pl.DataFrame, tick: int) -> None:
        end = nanoseconds(rows["window_end"])
        follows = np.diff(end) == SECOND_NS
        imbalance, spread = rows["queue_imb"].to_numpy(), rows["spread_ticks"].to_numpy()
        half_ticks = np.diff(rows["mid2_int"].to_numpy()) / tick
        move = np.clip(half_ticks / 2.0, -LARGEST_MOVE_TICKS, LARGEST_MOVE_TICKS)[follows]
        self.pairs += int(follows.sum())
        for sign in (1, -1):
            state = state_of(sign * imbalance, spread)
            before, after = state[:-1][follows], state[1:][follows]
            np.add.at(self.stay, (before[move == 0], after[move == 0]), 1.0)
            np.add.at(self.leave, (before[move != 0], after[move != 0]), 1.0)
            np.add.at(self.moved, before, sign * move)

    def ofi_weights(self) -> list[float] | None:
        """Weights of the ten imbalances, of absolute sum 1; None where they never varied."""
        if self.seconds < 2:
            return None
        mean = self.total / self.seconds
        values, vectors = np.linalg.eigh(self.square / self.seconds - np.outer(mean, mean))
        if values[-1] <= 0.0:
            return None
        first = vectors[:, -1]
        first = first * (1.0 if first.sum() >= 0.0 else -1.0)
        return [float(one) for one in first / np.abs(first).sum()]

    def micro_price(self) -> list[float] | None:
        """Adjustment of the mid by state, ticks, `IMBALANCE_BINS` of each spread; None without two seconds."""
        if not self.pairs:
            return None
        leave = self.leave + np.eye(_STATES)
        count = self.stay.sum(axis=1) + leave.sum(axis=1)
        away = np.eye(_STATES) - self.stay / count[:, None]
        step = np.linalg.solve(away, self.moved / count)
        onward = np.linalg.solve(away, leave / count[:, None])
        adjustment = np.zeros(_STATES)
        for _ in range(_TERMS):
            adjustment += step
            step = onward @ step
        mirror = adjustment.reshape(SPREADS, IMBALANCE_BINS)[:, ::-1].reshape(-1)
        return [float(one) for one in (adjustment - mirror) / 2.0]  # antisymmetric but for rounding: exactly


_TERMS: Final = 50
"""Terms of the sum of adjustments; B shrinks what is antisymmetric, and the tenth is below a thousandth already."""


def as_json(values: list[float] | None) -> str | None:
    """A fit as it is stored."""
    return None if values is None else json.dumps(values)


def from_json(text: str | None) -> np.ndarray | None:
    """A stored fit, float64[n]."""
    return None if text is None else np.array(json.loads(text), dtype=np.float64)
