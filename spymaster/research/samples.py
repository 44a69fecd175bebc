"""Samples: setups of one panel as arrays, with all that a model may know of each and what came of it.

A sample is a setup with a vector and a scored outcome. What is known of it ends with its cut-off, `lead_s` before the
decision; the label begins with the decision. Setups of other kinds, horizons, families or leads are other panels and
are never pooled. Arrays have one entry per sample, in order of the decisions, and hold no missing number but in `knn`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

import numpy as np

from spymaster.research.errors import NotCausalError, SampleError
from spymaster.tables.setup_outcome import OUTCOMES

BREAK, REJECT, CHOP = (OUTCOMES.index(name) for name in ("break", "reject", "chop"))
SECOND_NS: Final = 1_000_000_000
HALF_HOUR_S: Final = 1800

_ROUNDING: Final = 1e-9

HEADS: Final = ("resolve", "side")
"""`resolve`: a barrier is reached or none is; `side`: given that one is, it is that of break."""

CONDITION_FEATURES: Final = ("z_r_ah", "z_n_ah", "z_r_bh", "z_n_bh", "soft_and", "drive", "vacuum")
"""Of `silver.move_conditions_1s`, five seconds back, in the frame of the direction: ah is the side ahead."""
VECTOR_FEATURES: Final = ("ofi_int", "queue_imb", "micro_disp", "sweep_share", "absorb_log")
"""Of the last window of the stored vector, not scaled."""
REGISTERED: Final = (*CONDITION_FEATURES, *VECTOR_FEATURES)
"""The twelve features of the logistic model, fixed before anything was fitted."""
B2_NAMES: Final = ("return_15", "return_60", "sigma_ratio", "spread_ticks")
"""Moves of the mid in the 15 and 60 s up to the cut-off, along direction, in usual moves of that time; the size of its
changes from second to second in the last 60 s against the usual; the spread."""
B3_NAMES: Final = ("queue_imb", "micro_disp")
CONTEXT_NAMES: Final = ("sigma_60", "tod_sec", "touch_index")


@dataclass(frozen=True)
class Samples:
    """See the module. Raises `NotCausalError` if a sample knows what came after its decision, less the lead."""

    kind: str
    horizon_s: int
    family: str
    lead_s: int
    session: np.ndarray
    """int64[n], trade date in days since the epoch."""
    episode_id: np.ndarray
    """object[n]."""
    ts_cutoff: np.ndarray
    """int64[n], ns: nothing from then on is in any feature."""
    ts_decision: np.ndarray
    """int64[n], ns."""
    ts_label_end: np.ndarray
    """int64[n], ns."""
    direction: np.ndarray
    """int8[n], +1 price came from below, -1 from above."""
    outcome: np.ndarray
    """int8[n], position in `spymaster.tables.setup_outcome.OUTCOMES`."""
    features: Mapping[str, np.ndarray]
    """float64[n] each: `REGISTERED`."""
    vectors: np.ndarray
    """float32[n, d], scaled."""
    vector_names: tuple[str, ...]
    b1: np.ndarray
    """float64[n, 3]: probabilities of the outcomes for a walk without drift, in order of `OUTCOMES`."""
    b2: np.ndarray
    """float64[n, 4]: `B2_NAMES`."""
    b3: np.ndarray
    """float64[n, 2]: `B3_NAMES`."""
    context: np.ndarray
    """float64[n, 3]: `CONTEXT_NAMES`."""
    level_types: np.ndarray
    """object[n]: tuples of the kinds of the levels, as in `gold.setup_episode`."""
    group_id: np.ndarray
    """object[n]."""
    is_placebo: np.ndarray
    """bool[n]."""
    match_set_id: np.ndarray
    """object[n]: the real setup that a placebo is compared with, of a real one its own; None if not matched."""
    knn: np.ndarray
    """float64[n, 3]: shares of the outcomes among similar earlier setups; NaN where nothing is said."""
    b2_names: tuple[str, ...] = field(default=B2_NAMES)
    b3_names: tuple[str, ...] = field(default=B3_NAMES)

    def __post_init__(self) -> None:
        late = self.ts_cutoff > self.ts_decision - self.lead_s * SECOND_NS
        if late.any():
            row = int(np.flatnonzero(late)[0])
            raise NotCausalError(
                f"sample {self.episode_id[row]} knows what is up to {self.ts_cutoff[row]}, but was decided at "
                f"{self.ts_decision[row]} and has a lead of {self.lead_s} s",
                hint="Take features of windows that end no later than the decision less the lead.",
            )
        n = len(self.session)
        for name, values in self._by_row().items():
            if len(values) != n:
                raise SampleError(f"{name} has {len(values)} entries, session has {n}")
        numbers = {**self.features, "vectors": self.vectors, "b1": self.b1, "b2": self.b2, "b3": self.b3,
                   "context": self.context}  # fmt: skip
        holes = [name for name, values in numbers.items() if not np.isfinite(values).all()]
        if holes:
            raise SampleError(f"samples with missing numbers in {', '.join(holes)}", hint="Leave those setups out.")

    def __len__(self) -> int:
        return len(self.session)

    @property
    def tod_sec(self) -> np.ndarray:
        """int64[n], seconds since 09:30 New York, negative before."""
        return self.context[:, CONTEXT_NAMES.index("tod_sec")].astype(np.int64)

    @property
    def tod_bucket(self) -> np.ndarray:
        """int64[n], half hours since 09:30 New York."""
        return self.tod_sec // HALF_HOUR_S

    @property
    def sessions(self) -> np.ndarray:
        """int64[s], the sessions, in order."""
        return np.unique(self.session)

    @property
    def resolved(self) -> np.ndarray:
        """bool[n], whether a barrier was reached."""
        return self.outcome != CHOP

    def select(self, chosen: np.ndarray) -> Samples:
        """Samples of a mask (bool[n]) or of positions (int[m])."""
        rows: dict[str, Any] = {name: getattr(self, name)[chosen] for name in _ARRAYS}
        return replace(self, **rows, features={name: values[chosen] for name, values in self.features.items()})

    def scored(self, head: str) -> np.ndarray:
        """bool[n], samples that count for a head."""
        return np.ones(len(self), dtype=bool) if head == "resolve" else self.resolved

    def label(self, head: str) -> np.ndarray:
        """bool[n], what the head tells the probability of; without meaning where it does not count."""
        return self.resolved if head == "resolve" else self.outcome == BREAK

    def offset(self, head: str) -> np.ndarray:
        """float64[n], log odds of the label for a walk without drift: 0 for `side` with barriers as far either way."""
        resolved = self.b1[:, BREAK] + self.b1[:, REJECT]
        if head == "resolve":
            return np.log(resolved / self.b1[:, CHOP])
        side = np.log(self.b1[:, BREAK] / self.b1[:, REJECT])
        return np.where(np.abs(side) < _ROUNDING, 0.0, side)  # rounding must not put samples in an order

    def matrix(self, names: tuple[str, ...] = REGISTERED) -> np.ndarray:
        """float64[n, k] of features."""
        return np.stack([self.features[name] for name in names], axis=1)

    def _by_row(self) -> dict[str, np.ndarray]:
        return {**{name: getattr(self, name) for name in _ARRAYS}, **self.features}


_ARRAYS: Final = tuple(
    one.name
    for one in fields(Samples)
    if one.name
    not in ("kind", "horizon_s", "family", "lead_s", "features", "vector_names", "b2_names", "b3_names")
)  # fmt: skip


def join(parts: list[Samples]) -> Samples:
    """Samples of one panel put together, in order of the decisions; raises `SampleError` for other panels or none."""
    if not parts:
        raise SampleError("no samples to put together")
    panels = {(one.kind, one.horizon_s, one.family, one.lead_s, one.vector_names) for one in parts}
    if len(panels) > 1:
        raise SampleError(f"samples of different panels: {sorted(panel[:4] for panel in panels)}")
    rows: dict[str, Any] = {name: np.concatenate([getattr(one, name) for one in parts]) for name in _ARRAYS}
    features = {name: np.concatenate([one.features[name] for one in parts]) for name in parts[0].features}
    made = replace(parts[0], **rows, features=features)
    return made.select(np.lexsort((made.episode_id.astype(str), made.ts_decision)))
