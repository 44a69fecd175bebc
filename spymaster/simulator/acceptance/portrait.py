"""A market's portrait: its figures, its distributions and the curves of its pictures, in one JSON document.

Two portraits can be laid side by side without the files that they were measured on: a simulated date and a real one,
today's simulator and the accepted one.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spymaster.simulator.acceptance.estimate import Estimate
from spymaster.simulator.acceptance.figures import Measured, measure
from spymaster.simulator.acceptance.tally import ACTIONS, Tally
from spymaster.simulator.errors import MeasureError
from spymaster.simulator.schedule import SECOND_NS

_POINTS = 100
_STRETCH = 300
LAGS = np.unique(np.round(np.geomspace(1, 200, 24)).astype(int))


@dataclass(frozen=True)
class Law:
    """A distribution: `cdf[i]` is the share of values up to `x[i]`, in ascending order; straight in between."""

    x: list[float]
    cdf: list[float]

    def at(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of values up to each point."""
        return np.interp(points, self.x, self.cdf, left=0.0, right=1.0)


@dataclass(frozen=True)
class Portrait:
    """What a market looks like. `label` says what was measured, `provenance` whether it is real or simulated."""

    label: str
    provenance: str
    figures: list[Measured]
    laws: dict[str, Law]
    curves: dict[str, tuple[list[float], list[float]]]
    patterns: dict[str, float]

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Portrait:
        """Read what `write` wrote. Raises MeasureError for anything else."""
        try:
            told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                told["label"],
                told["provenance"],
                [Measured(one["number"], one["metric"], Estimate(**one["estimate"])) for one in told["figures"]],
                {name: Law(**law) for name, law in told["laws"].items()},
                {name: (x, y) for name, (x, y) in told["curves"].items()},
                told["patterns"],
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise MeasureError(
                f"{path} holds no portrait of a market: {error}", hint="Make one with `spymaster simulate fit`."
            ) from error


def portrait(tally: Tally, label: str, provenance: str) -> Portrait:
    """Measure everything of a tally."""
    patterns = list(tally.patterns().items())[:12]
    whole = max(sum(tally.patterns().values()), 1)
    return Portrait(
        label, provenance, measure(tally), laws(tally), curves(tally), {name: count / whole for name, count in patterns}
    )


def law(values: ArrayLike, weights: ArrayLike | None = None) -> Law | None:
    """Distribution of weighted values, thinned to a hundred points; None without values."""
    x, at = np.unique(np.asarray(values, np.float64), return_inverse=True)
    mass = np.bincount(at, weights=None if weights is None else np.asarray(weights, np.float64))
    if not len(x) or mass.sum() <= 0:
        return None
    cdf = np.cumsum(mass) / mass.sum()
    kept = np.arange(len(x))
    if len(x) > _POINTS:
        kept = np.unique(np.append(np.searchsorted(cdf, np.arange(_POINTS) / _POINTS), len(x) - 1))
    return Law([float(f"{value:.6g}") for value in x[kept]], [round(float(share), 5) for share in cdf[kept]])


def laws(tally: Tally) -> dict[str, Law]:
    """Distributions behind the targets, by name; times and latencies as decimal logarithms."""
    quotes, trades, adds, events = tally.quotes(), tally.trades(), tally.adds(), tally.events()
    _, levels = tally.levels()
    _, lives = tally.lifetimes()
    _, sign, quantity = tally.aggressors()
    mids = tally.mids()
    low, high = ((edge - tally.start_ns) // SECOND_NS for edge in tally.window)
    rate = tally.per_second[low:high]
    acts = np.array([tally.actions[:, code].sum() for code in ACTIONS.values()])
    found: dict[str, Law | None] = {
        "action (1 add, 2 cancel, 3 modify, 4 fill, 5 trade)": law(np.arange(1, 6), acts),
        "messages per second": law(rate),
        "second of the window of a message": law(np.arange(len(rate)), rate),
        "mid change in 60 s, ticks": law(mids[60:] - mids[:-60]),
        "mid change in 1 s, ticks": law(np.diff(mids)),
    }
    if len(levels):
        depth = levels[:, :, 1].mean(axis=(0, 1))
        found["quantity at the best price"] = law(levels[:, :, 1, 0].ravel())
        found["level of a resting contract among the first 20"] = law(np.arange(1, len(depth) + 1), depth)
    if len(events):
        found["records of an event of several"] = law(events["n"])
    if len(quotes):
        held = np.diff(np.append(quotes["ts"], tally.window[1]))
        found["spread, ticks"] = law(quotes["ask"] - quotes["bid"], held)
    if len(adds):
        found["size of an added order"] = law(adds["size"])
        alone = adds[(adds["alone"] == 1) & (adds["distance"] >= -1)]
        found["distance of an added order, ticks"] = law(alone["distance"].clip(max=600))
    if len(lives):
        found["lifetime of a cancelled order, log10 s"] = law(np.log10(lives.clip(min=1e-6)))
    if len(trades):
        found["quantity of an aggressor"] = law(quantity)
        turns = np.flatnonzero(np.diff(sign) != 0)
        found["aggressors in a row on one side"] = law(np.diff(turns))
        found["capture latency, log10 us"] = law(np.log10(tally.latencies().clip(min=1_000) / 1e3))
    return {name: one for name, one in found.items() if one is not None}


def curves(tally: Tally) -> dict[str, tuple[list[float], list[float]]]:
    """Curves of the pictures that are no distributions: minutes since the start of the window, levels or lags as x."""
    ends, levels = tally.levels()
    mids = tally.mids()
    found: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {}
    if len(ends):
        minutes = (ends - tally.window[0]) / (60 * SECOND_NS)
        found["mid"] = (minutes[::10], (mids - mids[0])[::10])
        depth = levels[:, :, 1].mean(axis=(0, 1))
        found["depth"] = (np.arange(1, len(depth) + 1), depth)
        stretch = ((ends - 1 - tally.window[0]) // (_STRETCH * SECOND_NS))[1:]
        moves = np.bincount(stretch, weights=np.abs(np.diff(mids)))
        found["volatility"] = ((np.arange(len(moves)) + 0.5) * _STRETCH / 60, moves / max(moves.mean(), 1e-9))
    low, high = ((edge - tally.start_ns) // SECOND_NS for edge in tally.window)
    rate = tally.per_second[low:high]
    rate = rate[: len(rate) // 60 * 60].reshape(-1, 60).mean(axis=1)
    found["message rate"] = (np.arange(len(rate)) + 0.5, rate / max(rate.mean(), 1e-9))
    trades = tally.trades()
    if len(trades):
        at = (trades["ts_event"].astype(np.int64) - tally.window[0]) // (_STRETCH * SECOND_NS)
        volume = np.bincount(at, weights=trades["size"])
        found["volume"] = ((np.arange(len(volume)) + 0.5) * _STRETCH / 60, volume / volume.mean())
    _, sign, _ = tally.aggressors()
    if len(sign) > 1_000:
        centred = sign - sign.mean()
        memory = np.array([(centred[lag:] * centred[:-lag]).mean() for lag in LAGS])
        found["sign memory"] = (LAGS, memory / centred.var())
    return {name: (_short(x), _short(y)) for name, (x, y) in found.items()}


def ks_distance(one: Law, other: Law) -> float:
    """Largest distance between two cumulative laws (Kolmogorov and Smirnov)."""
    points = np.union1d(one.x, other.x)
    return float(np.abs(one.at(points) - other.at(points)).max())


def wasserstein_distance(one: Law, other: Law) -> float:
    """Area between two cumulative laws, in units of their values."""
    points = np.union1d(one.x, other.x)
    gap = np.abs(one.at(points) - other.at(points))
    return float((0.5 * (gap[1:] + gap[:-1]) * np.diff(points)).sum())


def _short(values: NDArray[Any]) -> list[float]:
    return [float(f"{value:.5g}") for value in values]
