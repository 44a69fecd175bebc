"""The 35 numbers of a window that setup vectors are made of, for windows of any length.

Per side, from sums over the zone of 20 ticks around spot at the end of the window: the thirteen features of
`silver.radar_vacuum_1s`, by the same function, and `rest_share`, rested over all quantity at the end. Once, of a window
of D seconds:

    ofi_int       integrated order-flow imbalance (`fits`) over the mean depth of a price of the zone
    queue_imb     (bid - ask)/(bid + ask) of the quantities at the best prices at the end
    micro_disp    expected move of the mid at the end, ticks, by the fitted table
    signed_vol    (bought - sold)/(traded + E)
    sweep_share   traded by events through two prices or more/(traded + E)
    absorb_log    ln((traded + E)/(1 + ticks that the mid moved)) - prior median of a second's
    msg_rate_log  ln((records + 1)/(D prior median of a second's + 1))

Prior medians are those of the half hour in which the last second lies, from earlier sessions. Everything here is of the
market as it is, signs positive upwards; `canonical` turns it into the frame of a direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from spymaster.setups import fits
from spymaster.setups.condition_values import tod_bucket
from spymaster.setups.mids import SNAPSHOT_COLUMNS, Seconds
from spymaster.setups.vector_layout import BASE_FEATURES, BBO_DIST, PLAIN_FEATURES, SIDE_FEATURES, SIGNED_FEATURES
from spymaster.setups.zone_windows import SECOND_NS, ends_of, spot_ticks
from spymaster.surfaces.radar import FEATURES, radar_features
from spymaster.surfaces.windows import ZoneSums
from spymaster.surfaces.zones import END, REST, START
from spymaster.tables.move_condition_scale import TOD_BUCKETS, WHOLE_DAY
from spymaster.tables.move_measure_1s import OFI_LEVELS

MEASURE_COLUMNS: Final = (
    "window_end", "spot_ref_price_int", "valid", "msgs", *(f"ofi_{k}" for k in range(1, OFI_LEVELS + 1)), "queue_imb",
    "spread_ticks", "mid2_int",
)  # fmt: skip
TRADE_COLUMNS: Final = ("ts_event", "qty", "aggressor", "levels_consumed")
"""Columns read of `silver.move_measure_1s` and `silver.trade`; of the snapshot, those of `mids`."""

SWEEP_LEVELS: Final = 2
SMALLEST_SIGMA_TICKS: Final = 0.5
"""Half a tick, the finest that a mid moves by: nothing is divided by less."""

_RADAR_OF: Final = [
    tuple(FEATURES).index("bbo_dist_ticks" if name == BBO_DIST else name)
    for name in SIDE_FEATURES
    if name != "rest_share"
]
_SINGLE: Final = (*SIGNED_FEATURES, *PLAIN_FEATURES)


@dataclass(frozen=True)
class Priors:
    """What earlier sessions tell: NaN, or None, where they tell nothing."""

    weights: np.ndarray | None
    """float64[10] of the imbalances."""
    micro_price: np.ndarray | None
    """float64[33] by state."""
    msgs: np.ndarray
    absorb: np.ndarray
    """float64[48], medians by half hour."""

    @classmethod
    def of(cls, scale: pl.DataFrame) -> Priors:
        """Those in rows of `gold.move_condition_scale`."""
        second = scale.filter(pl.col("horizon_s") == 1)
        whole = {
            name: fits.from_json(text)
            for name, text in second.filter(tod_bucket=WHOLE_DAY).select("measure", "value_json").iter_rows()
        }
        medians = {}
        for name in ("msgs", "absorb"):
            values = np.full(TOD_BUCKETS, np.nan)
            rows = second.filter((pl.col("measure") == name) & pl.col("median").is_not_null())
            values[rows["tod_bucket"].to_numpy()] = rows["median"].to_numpy()
            medians[name] = values
        return cls(whole.get("ofi_weights"), whole.get("micro_price"), **medians)


class Tape:
    """A session's seconds as arrays, of which a window takes sums and ends; nothing looks ahead."""

    def __init__(
        self,
        measures: pl.DataFrame,
        trades: pl.DataFrame,
        snapshot: pl.DataFrame,
        priors: Priors,
        *,
        tick: int,
        eps: float,
    ) -> None:
        """Rows with `MEASURE_COLUMNS`, `TRADE_COLUMNS` and `mids.SNAPSHOT_COLUMNS`. tick: 1e-9. eps: smallest lot E."""
        self.tick, self.eps = tick, eps
        self.end = ends_of(measures)
        self.spot = spot_ticks(measures, tick)
        self.mid2 = _floats(measures["mid2_int"])
        self.sigma_15 = Seconds.of(snapshot.select(SNAPSHOT_COLUMNS), tick).sigma_at(self.end * SECOND_NS)
        self.bucket = measures.select(tod_bucket()).to_series().to_numpy()
        self.valid_run = _run_length(measures["valid"].to_numpy(), self.end)
        ofi = np.stack([_floats(measures[f"ofi_{k}"]) for k in range(1, OFI_LEVELS + 1)], axis=1)
        self._ofi = np.concatenate([np.zeros((1, OFI_LEVELS)), np.cumsum(np.nan_to_num(ofi), axis=0)])
        self._weights = priors.weights
        self.queue_imb = _floats(measures["queue_imb"])
        self.micro = _micro_price(self.queue_imb, _floats(measures["spread_ticks"]), priors.micro_price)
        bought, sold, traded, swept = _traded(trades, self.end)
        self._sums = {
            name: np.append(0.0, np.cumsum(np.nan_to_num(values)))
            for name, values in (
                ("signed", bought - sold),
                ("traded", traded),
                ("swept", swept),
                ("msgs", measures["msgs"].to_numpy().astype(np.float64)),
            )
        }
        self.usual_msgs, self.usual_absorb = priors.msgs[self.bucket], priors.absorb[self.bucket]

    def over(self, name: str, row: np.ndarray, length: np.ndarray) -> np.ndarray:
        """Sum of the seconds of windows that end with rows."""
        return self._sums[name][row + 1] - self._sums[name][row + 1 - length]

    def _integrated(self, row: np.ndarray, length: np.ndarray) -> np.ndarray:
        """Weighted imbalance of windows, lots; sums of whole lots, on which what was before leaves no trace."""
        if self._weights is None:
            return np.full(len(row), np.nan)
        result = np.zeros(len(row))
        for level in range(OFI_LEVELS):
            result += (self._ofi[row + 1, level] - self._ofi[row + 1 - length, level]) * self._weights[level]
        return result

    def singles(self, zone: ZoneSums, row: np.ndarray, length: np.ndarray) -> np.ndarray:
        """float64[k, 7]: `SIGNED_FEATURES` and `PLAIN_FEATURES` of windows, signs positive upwards.

        zone: their sums. row: int64[k], the second each ends with. length: int64[k], seconds; each of them and the one
        before are rows that follow on one another.
        """
        total = zone.sums.sum(axis=(1, 2)).astype(np.float64)
        depth = fits.mean_depth(total[:, START], total[:, END]) + self.eps
        traded = self.over("traded", row, length)
        moved = np.abs(self.mid2[row] - self.mid2[row - length]) / (2.0 * self.tick)
        return np.stack(
            [
                self._integrated(row, length) / depth,
                self.queue_imb[row],
                self.micro[row],
                self.over("signed", row, length) / (traded + self.eps),
                self.over("swept", row, length) / (traded + self.eps),
                np.log((traded + self.eps) / (1.0 + moved)) - self.usual_absorb[row],
                np.log((self.over("msgs", row, length) + 1.0) / (length * self.usual_msgs[row] + 1.0)),
            ],
            axis=1,
        )


def side_features(zone: ZoneSums, *, eps: float) -> np.ndarray:
    """float64[k, 2, 14]: `SIDE_FEATURES` of windows, bid then ask; the distance of the best price in ticks."""
    radar = radar_features(zone, eps_qty=eps)
    rest = zone.sums[..., REST].sum(axis=2) / (zone.sums[..., END].sum(axis=2) + eps)
    return np.concatenate([radar[..., _RADAR_OF], rest[..., None]], axis=2)


def canonical(sides: np.ndarray, singles: np.ndarray, direction: np.ndarray, sigma_60: np.ndarray) -> np.ndarray:
    """float64[v, ..., 35]: `BASE_FEATURES` in the frame of a direction.

    sides: float64[v, ..., 2, 14], bid then ask. singles: float64[v, ..., 7]. direction: int[v], +1 towards the ask, -1
    towards the bid. sigma_60: float64[v], ticks, which the distances are measured in.
    """
    shape = (len(direction), *(1,) * (singles.ndim - 2))
    up = (np.asarray(direction) > 0).reshape(*shape, 1)
    bid, ask = sides[..., 0, :], sides[..., 1, :]
    both = [np.where(up, ask, bid), np.where(up, bid, ask)]
    sigma = np.maximum(sigma_60, SMALLEST_SIGMA_TICKS).reshape(shape)
    for side in both:
        side[..., SIDE_FEATURES.index(BBO_DIST)] /= sigma
    sign = np.ones((*shape, len(_SINGLE)))
    sign[..., : len(SIGNED_FEATURES)] = np.asarray(direction).reshape(*shape, 1)
    result = np.concatenate([*both, singles * sign], axis=-1)
    assert result.shape[-1] == len(BASE_FEATURES)
    return result


def _micro_price(imbalance: np.ndarray, spread: np.ndarray, table: np.ndarray | None) -> np.ndarray:
    known = ~(np.isnan(imbalance) | np.isnan(spread))
    result = np.full(len(imbalance), np.nan)
    if table is not None:
        result[known] = table[fits.state_of(imbalance[known], spread[known])]
    return result


def _traded(trades: pl.DataFrame, end: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Bought, sold, all and swept quantity of each second; trades of seconds without a row are left out."""
    second = trades["ts_event"].to_physical().to_numpy() // SECOND_NS + 1
    row = np.minimum(np.searchsorted(end, second), max(len(end) - 1, 0))
    inside = end[row] == second if len(end) else np.zeros(len(second), dtype=bool)
    qty = trades["qty"].cast(pl.Float64).to_numpy()
    side = trades["aggressor"].cast(pl.String)
    swept = (trades["levels_consumed"] >= SWEEP_LEVELS).to_numpy()
    masks = ((side == "B").to_numpy(), (side == "A").to_numpy(), np.ones(len(qty), dtype=bool), swept)
    parts = [np.bincount(row[inside & mask], weights=qty[inside & mask], minlength=len(end)) for mask in masks]
    return parts[0], parts[1], parts[2], parts[3]


def _floats(column: pl.Series) -> np.ndarray:
    """float64[n], NaN for null."""
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _run_length(valid: np.ndarray, end: np.ndarray) -> np.ndarray:
    """int64[n]: how many rows up to each one are valid and follow on one another, second by second."""
    index = np.arange(len(valid))
    start = np.ones(len(valid), dtype=bool)
    start[1:] = np.diff(end) != 1
    since = np.maximum.accumulate(np.where(start, index, 0)) if len(index) else index
    bad = np.maximum.accumulate(np.where(valid, -1, index)) if len(index) else index
    return np.minimum(index - since + 1, index - bad)
