"""How large an effect would have had to be to be found: what stands beside a null result."""

from __future__ import annotations

import numpy as np
import polars as pl

from spymaster.evidence.layers import LEAST_LAYERS
from spymaster.evidence.verdicts import Least

TO_FIND = 2.8
"""Standard errors that an effect is beyond the least one where four of five dates would find it: 1.96 of the interval,
0.84 of the chance."""
WIDTH = 2 * 1.96
"""Standard errors that a 95 % interval spans."""


def detectable(rows: pl.DataFrame, least: Least) -> dict[str, float | None]:
    """By unit of the effect, the median over groups of the effect that would have been found; None where not known.

    rows: of `algo_test`, without facts. A share must be beyond the least share by `TO_FIND` standard errors, a ratio
    beyond the least ratio by as many of its logarithm, and both must amount to the least number of messages
    (`Least.is_passed`). An interval without width, and one of a ratio that reaches 0, says nothing about its standard
    error.
    """
    known = rows.filter(pl.col("effect_lo").is_not_null())
    found: dict[str, float | None] = {}
    for unit in known["effect_unit"].unique().sort().to_list():
        part = known.filter(pl.col("effect_unit") == unit)
        low, high, n_ref = (part[name].cast(pl.Float64).to_numpy() for name in ("effect_lo", "effect_hi", "n_ref"))
        told = (high > low) if unit == "share" else (high > low) & (low > 0)
        if unit == "share":
            floor = np.maximum(least.share, least.messages / np.maximum(n_ref, 1))
            effects = floor + TO_FIND * (high - low) / WIDTH
        else:
            spread = np.log(np.where(told, high, 1.0)) - np.log(np.where(told, low, 1.0))
            beyond = np.exp(TO_FIND * spread / WIDTH)
            n_tgt, effect = (part[name].cast(pl.Float64).to_numpy() for name in ("n_tgt", "effect"))
            usual = np.maximum(n_tgt, 1) / np.where(told, effect, 1.0)
            # with an effect e = low * beyond, usual * e episodes are seen, (1 - 1 / low) of them in excess
            enough = 1 + least.messages / (LEAST_LAYERS * usual * beyond)
            effects = np.maximum(least.ratio, enough) * beyond
        middle = float(np.median(np.where(told, effects, np.inf)))
        found[unit] = middle if np.isfinite(middle) else None
    return found
