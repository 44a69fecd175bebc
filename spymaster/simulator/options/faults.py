"""Makes the files of a chain wrong as planned: orders that begin late or end early, and files that are not there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from spymaster.market.dbn import F_SNAPSHOT, RECORD_BYTES, Records, mbo_records
from spymaster.simulator.fault_plan import OptionFileMissing, OptionNoSnapshot, OptionTruncatedFile, PlannedFault
from spymaster.simulator.faults import LoggedFault


class ChainFaults:
    """Passes on the blocks of a chain with the planned faults made in them.

    `log` says what was made, `tail` holds the bytes that end a truncated file, after the last block.
    """

    def __init__(self, faults: Sequence[PlannedFault] = ()) -> None:
        self.log: list[LoggedFault] = []
        self.tail = b""
        self._written = 0
        self._late, self._early = (
            next((LoggedFault(one, 0) for one in faults if isinstance(one.section, kind)), None)
            for kind in (OptionNoSnapshot, OptionTruncatedFile)
        )
        self._missing = [LoggedFault(one, 0) for one in faults if isinstance(one.section, OptionFileMissing)]
        self.log += [*([self._late] if self._late else []), *self._missing]

    def through(self, block: Records) -> Iterator[Records]:
        """What becomes of the chain's next block. A block starts with whole events, in order of time."""
        live, ts = block["flags"] & F_SNAPSHOT == 0, block["ts_event"].astype(np.int64)
        kept = np.ones(len(block), bool)
        if self._late:
            kept = live & (ts >= self._late.fault.start_ns)
            self._late.records += int((~kept).sum())
        if self._early:
            cut = live & (ts >= self._early.fault.start_ns)
            if cut.any() and not self.tail:
                self.tail = mbo_records(1).tobytes()[: RECORD_BYTES // 2]
                self._early.record_index, self._early.records = self._written + int((kept & ~cut).sum()), 1
                self.log.append(self._early)
            kept &= ~cut
        part = block if kept.all() else block[kept]
        self._written += len(part)
        if len(part):
            yield part

    def has(self, table: str) -> bool:
        """Whether the raw file of a table is there."""
        return all(getattr(one.fault.section, "table", None) != table for one in self._missing)
