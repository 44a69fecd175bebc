"""How easily price moves up or down from here, one row per second (`silver.physics_bands_1s`).

Bands AT 0-2, NEAR 3-5, MID 6-14, FAR 15-20 ticks; above are the asks at or above spot, below the bids at or below it.
A band is one body of liquidity: quantities are summed over it first, then the ratios of `surfaces.vacuum` are taken,
and scored by the band's own calibration rows. Per band and direction:

    vacuum_norm         mean N of the four signed metrics of the sums
    wall_erosion_norm   N(wall_erosion)
    wall_strength_norm  N(ln((mean depth_rest per tick + E) / (the side's median + E))); 0 for an empty band, one
                        without
                        depth at start and end, which so is easy to move through
    ease                0.50 vacuum + 0.35 erosion + 0.15 (1 - strength)

`score` = 0.60 ease(AT) + 0.40 ease(NEAR) per direction, total their mean; weights are configuration. Everything is null
where the window is not valid or has no spot; d1..d3 of the scores are null where one of their seconds is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import polars as pl

from spymaster.settings import BandSettings
from spymaster.surfaces.blocks import WallBlock, nanoseconds, with_snapshot
from spymaster.surfaces.scores import Norms
from spymaster.surfaces.vacuum import METRICS, SIGNED_METRICS
from spymaster.surfaces.windows import BandMetrics, Differences, ZoneSums, zone_sums
from spymaster.surfaces.zones import ASK, BID, END, START, WINDOW_NS, ZONE_QUANTITIES
from spymaster.tables.physics_bands_1s import BAND_METRICS, DIRECTIONS, SCORES
from spymaster.tables.types import BANDS

WALL_COLUMNS: Final = ("window_end", "price_int", "side", "rel_ticks", *ZONE_QUANTITIES)
SNAPSHOT_COLUMNS: Final = ("window_end", "contract", "spot_ref_price_int", "window_valid")

_SIDE_OF: Final = {"above": ASK, "below": BID}


def physics_bands(
    wall_batches: Iterable[pl.DataFrame],
    snapshot: pl.DataFrame,
    calibration: pl.DataFrame,
    *,
    eps_qty: float,
    weights: BandSettings | None = None,
    window_ns: int = WINDOW_NS,
) -> Iterator[pl.DataFrame]:
    """`silver.physics_bands_1s` in blocks, one row per snapshot row.

    wall_batches: frames with `WALL_COLUMNS`, sorted, of any size. snapshot: the session's rows with `SNAPSHOT_COLUMNS`.
    calibration: `gold.physics_norm_calibration` of the date. Raises SurfaceInputError for a wall row without its
    snapshot row, CalibrationError for a calibration without the bands' rows.
    """
    norms = Norms(calibration)
    weights = weights or BandSettings()
    state = BandMetrics(eps_qty=eps_qty, window_ns=window_ns)
    differences = Differences(window_ns=window_ns)
    for wall, shots in with_snapshot(wall_batches, snapshot):
        zone = zone_sums(WallBlock.of(wall), nanoseconds(shots["window_end"]))
        known = (shots["window_valid"] & shots["spot_ref_price_int"].is_not_null()).to_numpy()
        bands = band_norms(zone, state.update(zone), norms, weights)
        bands[~known] = np.nan
        scores = band_scores(bands, weights)
        columns = {
            f"{direction}_{band.lower()}_{metric}": bands[:, _SIDE_OF[direction], b, m]
            for direction in DIRECTIONS
            for b, band in enumerate(BANDS)
            for m, metric in enumerate(BAND_METRICS)
        }
        columns |= {name: scores[:, i] for i, name in enumerate(SCORES)}
        for order, change in enumerate(differences.update(zone.win_t, scores), start=1):
            columns |= {f"d{order}_{name}": change[:, i] for i, name in enumerate(SCORES)}
        yield shots.select("window_end", "contract", "spot_ref_price_int", "window_valid").with_columns(
            pl.Series(name, values.astype(np.float32), nan_to_null=True) for name, values in columns.items()
        )


def band_norms(zone: ZoneSums, metrics: np.ndarray, norms: Norms, weights: BandSettings) -> np.ndarray:
    """float64[m, 2, 4, 4]: strength, erosion, vacuum and ease of each window, side (0 bid, 1 ask) and band.

    zone: the windows' sums; metrics: float64[m, 2, 4, 8] of `BandMetrics.update(zone)`.
    """
    result = np.empty((*metrics.shape[:3], len(BAND_METRICS)), dtype=np.float64)
    for b, band in enumerate(BANDS):
        by_metric = {name: metrics[:, :, b, i] for i, name in enumerate(METRICS)}
        total = np.zeros(metrics.shape[:2], dtype=np.float64)
        for name in SIGNED_METRICS:
            total += norms.norm(name, band)(by_metric[name])
        vacuum = total / len(SIGNED_METRICS)
        erosion = norms.norm("wall_erosion", band)(by_metric["wall_erosion"])
        empty = (zone.sums[:, :, b, START] == 0) & (zone.sums[:, :, b, END] == 0)
        strength = norms.norm("wall_strength_log", band)(by_metric["wall_strength_log"])
        strength = np.where(empty, 0.0, strength)
        ease = weights.ease_vacuum * vacuum + weights.ease_erosion * erosion + weights.ease_strength * (1.0 - strength)
        for m, values in enumerate((strength, erosion, vacuum, np.clip(ease, 0.0, 1.0))):
            result[:, :, b, m] = values
    return result


def band_scores(bands: np.ndarray, weights: BandSettings) -> np.ndarray:
    """float64[m, 3]: above, below and total score of `band_norms`."""
    ease = bands[..., -1]
    score = np.clip(weights.score_at * ease[:, :, 0] + weights.score_near * ease[:, :, 1], 0.0, 1.0)
    above, below = score[:, ASK], score[:, BID]
    return np.stack([above, below, 0.5 * (above + below)], axis=1)
