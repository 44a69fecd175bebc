"""Is the simulated market like a real one? Bounds for the figures, and the verdict that the data allow.

A target is missed when three standard errors do not reach the bounds from the value; met when the value lies within and
the bounds are wider than what the span leaves open; otherwise it stays open. Bounds marked `anchored` come from real
files; the others are assumptions. Once a profile is fitted to real days they move to the measured value: 10 % around
it, or three of its own standard errors if those are more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from spymaster.simulator.acceptance.figures import Measured, measure
from spymaster.simulator.acceptance.tally import Tally

Verdict: TypeAlias = Literal["pass", "miss", "open", "n/a"]

STANDARD_ERRORS = 3.0
_OF_THE_BACKGROUND = {1, 7, 8, 9, 15}
"""Targets for the mix, the lives, the sizes and the bursts of orders: set for a market without agents, whose habits are
steadier."""
_MOST_PLANTED = 0.05
_PATH, _FLOW = "the path of the price is planted", "planted orders have lives and sizes of their own"
_BY_SCRIPT = {8: _FLOW, 9: _FLOW, 10: _PATH, 11: _PATH, 12: _PATH, 13: _PATH, 16: _PATH}
"""Targets that a script puts out of reach, and why."""
_ALWAYS_JUDGED = {3, 17, 18}
"""Targets that need no regular hours."""
_FITTED = 0.10

_SHARES = {
    "es": {"A": 0.34, "C": 0.30, "M": 0.20, "F": 0.11, "T": 0.05},
    "cl": {"A": 0.39, "C": 0.43, "M": 0.07, "F": 0.07, "T": 0.04},
}
_ANCHORED: dict[str, tuple[float, float]] = {
    "events that are single A, C, M": (0.90, 1.0),
    "TFC over TFM": (1.0, 20.0),
    "TFM over TFFCC": (1.0, 100.0),
    "crossed events while trading": (0, 0),
}
_ANCHORED_ES: dict[str, tuple[float, float]] = {
    "resting orders at the end": (8_000, 16_000),
    "bid prices at the end": (700, 1_100),
    "ask prices at the end": (400, 750),
}
_ASSUMED: dict[str, tuple[float, float]] = {
    "share of TFC among events": (0.012, 0.048),
    "share of TFM among events": (0.0065, 0.026),
    "share of TFFCC among events": (0.0025, 0.010),
    "records of the longest event": (20, 10_000),
    "time with a spread of one tick": (0.97, 1.0),
    "depth of levels 5-10 over level 1": (1.0, 20.0),
    "depth of levels 11-20 over 5-10": (0.5, 2.0),
    "best queue: distance from its Gamma law": (0.0, 0.10),
    "best queue: shape of its Gamma law": (0.5, 5.0),
    # a real hour with the anchored shares has 0.61: every fill takes an order that no cancel can
    "cancelled over added orders": (0.55, 0.95),
    "cancelled orders younger than 1 ms": (0.08, 0.13),
    "cancelled orders younger than 10 ms": (0.14, 0.21),
    "cancelled orders younger than 50 ms": (0.18, 0.27),
    "cancelled orders younger than 2 s": (0.40, 0.50),
    "tail exponent of the density of lifetimes": (-1.6, -0.8),
    "median size": (1, 1),
    "share of size 1": (0.68, 0.78),
    "tail exponent of sizes": (1.3, 1.8),
    "slope of the trade-sign correlation": (-0.7, -0.4),
    "trade-sign correlation at lag 50": (0.02, 1.0),
    "correlation of trade price moves": (-1.0, 0.0),
    "correlation of minute returns": (-0.03, 0.03),
    "correlation of sizes of returns at 30 min": (0.05, 1.0),
    "kurtosis at 1 s over 60 s": (1.0, 1e4),
    "signature: variance rate at 300 s over 1 s": (0.0, 1.25),
    "first RTH hour over midday": (2.0, 3.0),
    "99.9 % busiest second over mean": (10.0, 1e4),
    "standard deviation of mid in 60 s, ticks": (4.0, 10.0),
    "range in RTH, ticks": (60, 400),
    "median capture latency, us": (100, 200),
    "least capture latency, us": (75, 1e6),
    "capture latency at 90 %, us": (300, 1_200),
    "capture latency at 99 %, us": (1_000, 4_000),
    "refills among modifies after fills": (0.05, 0.15),
    "cancels without a fill in events of several": (0.003, 0.03),
    "fills larger than the order": (0.001, 0.010),
    "modifies that change nothing": (0.002, 0.010),
}
_ASSUMED_BY_PROFILE: dict[str, dict[str, tuple[float, float]]] = {
    "es": {
        "prints without an aggressor": (0.01, 0.08),
        "fills of unknown orders": (0.0003, 0.003),
        "modifies to a smaller size": (0.08, 0.14),
    },
    "cl": {
        "prints without an aggressor": (0.05, 0.08),
        "fills of unknown orders": (0.01, 0.04),
        "modifies to a smaller size": (0.13, 0.25),
    },
}
_ONE_SIDED = {"records of the longest event", "kurtosis at 1 s over 60 s", "least capture latency, us",
              "best queue: distance from its Gamma law", "99.9 % busiest second over mean",
              "signature: variance rate at 300 s over 1 s"}  # fmt: skip
"""Bounds that say at least or at most: what a real day had does not move them."""
_BY_MODE: dict[str, dict[str, tuple[float, float]]] = {
    "emergent": {"R2 of order flow at 10 s": (0.40, 0.70)},
    "walk": {"predictive R2 of order flow": (0.0, 0.002), "prints without an aggressor": (0.0, 0.0)},
}


@dataclass(frozen=True)
class Target:
    """One figure, what it should be, and whether it is. `value` None: the span cannot show it.

    `error` is the value's standard error; None: the value is exact, or nothing is said about it.
    """

    number: int
    metric: str
    value: float | None
    low: float
    high: float
    anchored: bool = False
    error: float | None = None
    reason: str = ""
    """Why a date that could show it does not."""

    @property
    def verdict(self) -> Verdict:
        """What the value and its error say about the bounds."""
        if self.value is None:
            return "n/a"
        reach = STANDARD_ERRORS * (self.error or 0.0)
        if self.value + reach < self.low or self.value - reach > self.high:
            return "miss"
        within = self.low <= self.value <= self.high
        return "pass" if within and reach <= self.high - self.low else "open"

    @property
    def passed(self) -> bool | None:
        """Whether the target is met; None where that is open or cannot be shown."""
        return {"pass": True, "miss": False}.get(self.verdict)


def targets(
    tally: Tally, messages: int, profile: str, price_mode: str, fitted: Mapping[str, tuple[float, float]] | None = None
) -> list[Target]:
    """All targets of one date of a market of the base `profile` (`es`, `cl`), planned to have `messages`.

    `fitted` are figures measured on real days, value and standard error: they take the place of assumed bounds.
    """
    plan = Target(3, "messages over plan", tally.records / messages, 0.97, 1.03)
    found = [*judge(measure(tally), profile, price_mode, fitted), plan]
    return sorted(found, key=lambda one: one.number)


def judge(
    figures: Iterable[Measured], profile: str, price_mode: str, fitted: Mapping[str, tuple[float, float]] | None = None
) -> list[Target]:
    """Figures with the bounds that there are for them; a figure without bounds is no target."""
    anchored = _anchored(profile)
    assumed = _ASSUMED | _ASSUMED_BY_PROFILE[profile] | _BY_MODE[price_mode]
    found = []
    for one in figures:
        bounds = anchored.get(one.metric) or assumed.get(one.metric)
        if bounds is None:
            continue
        known = one.metric in anchored
        if not known and fitted and one.metric in fitted and one.metric not in _ONE_SIDED:
            middle, off = fitted[one.metric]
            reach = max(_FITTED * abs(middle), STANDARD_ERRORS * off)
            bounds = middle - reach, middle + reach
        value, error = one.estimate.value, one.estimate.error
        found.append(Target(one.number, one.metric, value, *bounds, anchored=known, error=error))
    return found


def judged_beside(found: Iterable[Target], *, planted: float, scripted: bool, evening: bool) -> list[Target]:
    """Targets without those that a date with agents or a script, or a Sunday evening, cannot show.

    `planted` is the share of the messages that agents wrote; above a twentieth the mix of messages is theirs
    as well as the profile's. Nothing is loosened: where a figure means something, its bounds are what they are.
    """
    kept = []
    for target in found:
        if evening and target.number not in _ALWAYS_JUDGED:
            target = replace(target, value=None, reason="no regular hours")
        elif scripted and target.number in _BY_SCRIPT:
            target = replace(target, value=None, reason=_BY_SCRIPT[target.number])
        elif planted > _MOST_PLANTED and target.number in _OF_THE_BACKGROUND:
            target = replace(target, value=None, reason=f"agents wrote {planted:.0%} of the messages")
        kept.append(target)
    return kept


def assumed_metrics(profile: str) -> set[str]:
    """Names of the figures whose bounds are assumptions."""
    return set(_ASSUMED | _ASSUMED_BY_PROFILE[profile] | _BY_MODE["emergent"])


def failed(found: Iterable[Target]) -> list[Target]:
    """Targets that were missed."""
    return [target for target in found if target.verdict == "miss"]


def _anchored(profile: str) -> dict[str, tuple[float, float]]:
    shares = {f"share of {name}": (share - 0.04, share + 0.04) for name, share in _SHARES[profile].items()}
    return shares | _ANCHORED | (_ANCHORED_ES if profile == "es" else {})
