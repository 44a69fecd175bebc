"""Kinds of planted participants: the parameters of each in units of people, and the row that kernels use.

Frequencies are those of a full day of usual volume (`FULL_DAY_RATE`) and scale with the messages per second of the day
that is simulated. Ages and lags are milliseconds, sizes contracts, distances ticks behind the best price.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from spymaster.simulator import agents, laws, layout
from spymaster.simulator.agent_hedging import PER_CONTRACT
from spymaster.simulator.profile import Count, Positive, Section, Share

FULL_DAY_SECONDS = 23 * 3_600
FULL_DAY_RATE = 10_900_000 / FULL_DAY_SECONDS
"""Messages per second of the day for which frequencies are given."""

_MS = 1_000_000
_SECOND = 1_000 * _MS
Lag = Annotated[float, Field(ge=0.001)]
Spread = Annotated[float, Field(ge=0)]
Distance = Annotated[int, Field(ge=0, le=40)]


class AgentSection(Section):
    """What every kind has."""

    kind: ClassVar[str]
    code: ClassVar[int]
    strength: Positive = 1.0

    @abstractmethod
    def row(self, scale: float) -> dict[str, Any]:
        """Fields of the agent's row; `scale` is the day's rate over that of a full day, times the strength."""


class NativeIceberg(AgentSection):
    """Orders that show a peak of their total."""

    kind = "native_iceberg"
    code = agents.NATIVE_ICEBERG
    per_session: Positive
    peak: Count
    total: Count
    life_s: Positive

    @model_validator(mode="after")
    def _hides_something(self) -> NativeIceberg:
        if self.total <= self.peak:
            raise ValueError("total must exceed peak")
        return self

    def row(self, scale: float) -> dict[str, Any]:
        return {
            "period": _interval(self.per_session, scale),
            "size": self.peak,
            "total": self.total,
            "life": round(self.life_s * _SECOND),
        }


class PeriodicBot(AgentSection):
    """New orders every period for a share of each cycle, at whole periods of the clock or at moments of its own.

    Where the volume of the day asks for more than being always busy can give, there are more orders each period.
    """

    kind = "periodic_bot"
    code = agents.PERIODIC_BOT
    period_ms: Annotated[float, Field(ge=1)]
    jitter_ms: Spread
    size: Count
    distance: Distance
    busy: Share
    cycle_s: Positive
    clock_aligned: bool = False
    orders: Annotated[int, Field(ge=1, le=layout.MAX_HELD)] = 1

    @model_validator(mode="after")
    def _jitter_is_short(self) -> PeriodicBot:
        if self.jitter_ms >= 0.9 * self.period_ms:
            raise ValueError("jitter_ms must be shorter than period_ms")
        return self

    def row(self, scale: float) -> dict[str, Any]:
        cycle = round(self.cycle_s * _SECOND)
        wanted = self.orders * self.busy * scale
        orders = min(max(math.ceil(wanted - 0.25), 1), layout.MAX_HELD)
        return {
            "aligned": int(self.clock_aligned),
            "orders": orders,
            "period": round(self.period_ms * _MS),
            "jitter": round(self.jitter_ms * _MS),
            "size": self.size,
            "distance": self.distance,
            "cycle": cycle,
            "busy": round(cycle * min(wanted / orders, 1.0)),
        }


class FleetingQuoter(AgentSection):
    """Orders cancelled at a fixed age."""

    kind = "fleeting_quoter"
    code = agents.FLEETING_QUOTER
    per_session: Positive
    age_ms: Lag
    age_sd_ms: Spread
    size: Count
    distance: Distance

    def row(self, scale: float) -> dict[str, Any]:
        return {
            "period": _interval(self.per_session, scale),
            "lag": round(self.age_ms * _MS),
            "lag_sd": round(self.age_sd_ms * _MS),
            "size": self.size,
            "distance": self.distance,
        }


class ReactionBot(AgentSection):
    """Answers a share of trades, of quote changes or of large new orders after a fixed lag."""

    kind = "reaction_bot"
    code = agents.REACTION_BOT
    trigger: Literal["trade", "bbo", "large_add"]
    least: Count = 20
    """Contracts from which on a new order is large."""
    action: Literal["add", "cancel", "reprice"]
    share: Share
    lag_ms: Lag
    lag_sd_ms: Spread
    size: Count
    distance: Distance
    life_ms: Lag
    orders: Annotated[int, Field(ge=1, le=layout.MAX_HELD)] = 8

    @model_validator(mode="after")
    def _does_not_answer_itself(self) -> ReactionBot:
        if self.trigger == "large_add" and self.size >= self.least:
            raise ValueError("size must be smaller than least: the bot would answer its own orders")
        return self

    def row(self, scale: float) -> dict[str, Any]:
        return {
            "trigger": ("trade", "bbo", "large_add").index(self.trigger),
            "least": self.least,
            "action": ("add", "cancel", "reprice").index(self.action),
            "p": laws.probability(min(self.share * self.strength, 1.0)),
            "lag": round(self.lag_ms * _MS),
            "lag_sd": round(self.lag_sd_ms * _MS),
            "size": self.size,
            "distance": self.distance,
            "life": round(self.life_ms * _MS),
            "period": round(self.life_ms * _MS),
            "orders": self.orders,
        }


class Peg(AgentSection):
    """Orders that follow the best price of their side."""

    kind = "peg"
    code = agents.PEG
    orders: Annotated[int, Field(ge=1, le=layout.MAX_HELD)]
    lag_ms: Lag
    lag_sd_ms: Spread
    chain: Count
    size: Count
    distance: Distance

    def row(self, scale: float) -> dict[str, Any]:
        return {
            "orders": min(max(round(self.orders * scale), 2), layout.MAX_HELD),
            "lag": round(self.lag_ms * _MS),
            "lag_sd": round(self.lag_sd_ms * _MS),
            "chain": self.chain,
            "size": self.size,
            "distance": self.distance,
            "period": _SECOND,
        }


class Layerer(AgentSection):
    """Large orders on several levels that go when a small one on the other side is hit."""

    kind = "layerer"
    code = agents.LAYERER
    per_session: Positive
    levels: Annotated[int, Field(ge=1, le=layout.MAX_HELD - 1)]
    multiple: Count
    size: Count
    lag_ms: Lag
    lag_sd_ms: Spread
    distance: Distance
    life_s: Positive

    def row(self, scale: float) -> dict[str, Any]:
        return {
            "period": _interval(self.per_session, scale),
            "orders": self.levels,
            "size": self.size,
            "total": self.size * self.multiple,
            "lag": round(self.lag_ms * _MS),
            "lag_sd": round(self.lag_sd_ms * _MS),
            "distance": self.distance,
            "life": round(self.life_s * _SECOND),
        }


class SyntheticIceberg(AgentSection):
    """Large orders in slices: when one is filled, the next comes at the same price under a new id."""

    kind = "synthetic_iceberg"
    code = agents.SYNTHETIC_ICEBERG
    per_session: Positive
    size: Count
    size_jitter: Annotated[int, Field(ge=0)] = 0
    total: Count
    lag_ms: Lag
    lag_sd_ms: Spread
    life_s: Positive

    @model_validator(mode="after")
    def _has_slices(self) -> SyntheticIceberg:
        if self.total <= self.size or self.size_jitter >= self.size:
            raise ValueError("total must exceed size, and size exceed size_jitter")
        return self

    def row(self, scale: float) -> dict[str, Any]:
        return {
            "period": _interval(self.per_session, scale),
            "size": self.size,
            "vary": self.size_jitter,
            "total": self.total,
            "lag": round(self.lag_ms * _MS),
            "lag_sd": round(self.lag_sd_ms * _MS),
            "life": round(self.life_s * _SECOND),
        }


class CoPlacer(AgentSection):
    """A bid and an ask of one size in one microsecond, cancelled in one microsecond."""

    kind = "co_placer"
    code = agents.CO_PLACER
    per_session: Positive
    size: Count
    spread: Annotated[int, Field(ge=1, le=40)]
    life_ms: Annotated[float, Field(ge=1)]
    life_sd_ms: Spread

    def row(self, scale: float) -> dict[str, Any]:
        return {
            "period": _interval(self.per_session, scale),
            "size": self.size,
            "total": self.spread,
            "life": round(self.life_ms * _MS),
            "lag_sd": round(self.life_sd_ms * _MS),
        }


class Stuffer(AgentSection):
    """Bursts of adds and cancels, `multiple` times as many messages a second as the day has, that leave no depth."""

    kind = "stuffer"
    code = agents.STUFFER
    per_session: Positive
    multiple: Positive
    burst_ms: Lag
    size: Count
    distance: Distance

    def row(self, scale: float) -> dict[str, Any]:
        gap = _SECOND / (self.multiple * FULL_DAY_RATE * scale / self.strength)
        return {
            "period": _interval(self.per_session, scale),
            "lag": max(round(gap), 1),
            "lag_sd": round(gap / 5),
            "life": round(self.burst_ms * _MS),
            "size": self.size,
            "distance": self.distance,
        }


class Fingerprint(AgentSection):
    """A few orders of rare sizes, always the same in the same order."""

    kind = "fingerprint"
    code = agents.FINGERPRINT
    per_session: Positive
    sizes: Annotated[list[Annotated[int, Field(ge=1, le=layout.MAX_SIZE)]], Field(min_length=2, max_length=8)]
    gap_ms: Lag
    life_s: Positive
    distance: Distance

    @model_validator(mode="after")
    def _is_placed_before_it_goes(self) -> Fingerprint:
        if self.gap_ms * len(self.sizes) >= 1_000 * self.life_s:
            raise ValueError("life_s must exceed gap_ms times the number of sizes")
        return self

    def row(self, scale: float) -> dict[str, Any]:
        return {
            "period": _interval(self.per_session, scale),
            "orders": len(self.sizes),
            "sizes": [*self.sizes, *[0] * (layout.MAX_SIZES - len(self.sizes))],
            "lag": round(self.gap_ms * _MS),
            "life": round(self.life_s * _SECOND),
            "distance": self.distance,
        }


class DealerHedger(AgentSection):
    """Hedges a gamma in the future; positive sells what has risen, negative buys it."""

    kind = "dealer_hedger"
    code = agents.DEALER_HEDGER
    gamma: Annotated[float, Field(ge=-1_000, le=1_000)]
    """Contracts per tick, on a full day."""
    band_ticks: Count
    lag_ms: Lag
    lag_sd_ms: Spread

    @model_validator(mode="after")
    def _has_a_sign(self) -> DealerHedger:
        if self.gamma == 0:
            raise ValueError("gamma must not be 0")
        return self

    def row(self, scale: float) -> dict[str, Any]:
        units = round(self.gamma * scale * PER_CONTRACT)
        return {
            "gamma": units or (1 if self.gamma > 0 else -1),
            "distance": self.band_ticks,
            "lag": round(self.lag_ms * _MS),
            "lag_sd": round(self.lag_sd_ms * _MS),
        }


def _interval(per_session: float, scale: float) -> int:
    """Mean ns between arrivals."""
    return round(FULL_DAY_SECONDS * _SECOND / (per_session * scale))
