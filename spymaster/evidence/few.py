"""Groups in which there is nothing to test: neither the data nor any surrogate counts as much as a finding takes.

Such a group has no p and is in no family, where it would only weigh on the q of those that were tested. The question
is put to the data and to their surrogates alike, so that under the null its answer does not tell which are the data:
the p of what is left are as exact as before (filters of this kind: Bourgon, Gentleman & Huber 2010).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ParamSpec

from numpy.typing import NDArray

from spymaster.evidence.result import TestResult

LEAST_COUNTED = 5
"""Pairs, orders that came back, groups of layers. A verdict takes ten times as many messages."""
TOO_FEW = "too_few"

_Which = ParamSpec("_Which")


@dataclass
class Fullest:
    """How much is counted in the data, or in the surrogate with the most of those made so far."""

    counted: int

    def of(self, made: Callable[_Which, NDArray]) -> Callable[_Which, NDArray]:
        """What makes surrogates, looked at as they are made; counts lie along the last axis."""

        def looked(*args: _Which.args, **kwargs: _Which.kwargs) -> NDArray:
            sets = made(*args, **kwargs)
            self.counted = max(self.counted, int(sets.sum(axis=-1).max(initial=0)))
            return sets

        return looked


def if_enough(result: TestResult, counted: int, *, is_small: bool = False) -> TestResult:
    """The result, without its p where too little is counted. is_small: its p was told before, and it keeps one."""
    if is_small or counted >= LEAST_COUNTED:
        return result
    facts = {name: None if name.startswith("p_") else value for name, value in result.facts.items()}
    return replace(result, p_raw=None, p_floor=None, p_method="screened", notes=(TOO_FEW,), facts=facts)
