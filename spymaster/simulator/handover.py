"""What a date of the market is given, keeps for the truth, and leaves to the next one."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from spymaster.simulator import layout
from spymaster.simulator.snapshot import SnapshotForm


@dataclass(frozen=True)
class Feed:
    """Conventions of the feed (closing form, publisher bit, form of the snapshot, share of fills out of turn).

    With `switch_ns` the closing form changes from F_LAST on the last record to a closing record at that time.
    """

    sentinel: bool = False
    publisher_bit: bool = False
    snapshot_form: SnapshotForm = "clear_terminated"
    fifo_slip: float = 0.0
    switch_ns: int | None = None

    @property
    def closing_from_ns(self) -> int:
        """Events from this time on (ns UTC) end with a closing record."""
        if self.switch_ns is not None:
            return self.switch_ns
        return 0 if self.sentinel else layout.NEVER


@dataclass(frozen=True)
class Orders:
    """Resting orders of one instrument in queue order; prices 1e-9. What passes from one date to the next."""

    order_id: np.ndarray
    price: np.ndarray
    side: np.ndarray
    size: np.ndarray
    hidden: np.ndarray
    peak: np.ndarray
    cls: np.ndarray
    ts: np.ndarray
    sequence: np.ndarray
    agent: np.ndarray

    def __len__(self) -> int:
        return len(self.order_id)

    def without_day_orders(self) -> Orders:
        """What is left after the end of a session."""
        kept = (self.cls >= layout.FIRST_DAYS_LONG) & (self.cls != layout.AGENT_CLASS)
        return Orders(*(getattr(self, name)[kept] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Carried:
    """What a date leaves to the next one: books by symbol, last order id, the first contract's price, usual depth."""

    books: dict[str, Orders]
    next_id: int
    price: int
    rested: np.ndarray
    """Counts of what has rested near the price on the dates so far (see `scripts`)."""


@dataclass
class Truth:
    """Blocks of truth rows as the kernels wrote them (dtypes in `layout`)."""

    events: list[np.ndarray] = field(default_factory=list)
    tags: list[np.ndarray] = field(default_factory=list)
    seconds: list[np.ndarray] = field(default_factory=list)
    levels: list[np.ndarray] = field(default_factory=list)
    latent: list[np.ndarray] = field(default_factory=list)
    quotes: list[np.ndarray] = field(default_factory=list)
    responses: list[np.ndarray] = field(default_factory=list)
