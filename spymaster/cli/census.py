"""Counts over the records of an MBO file: actions, flags, events and times, per instrument and in total."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from spymaster.market.dbn import F_BAD_TS_RECV, F_LAST, F_MAYBE_BAD_BOOK, F_MBP, F_SNAPSHOT, F_TOB

FLAGS = {
    "F_LAST": F_LAST,
    "F_TOB": F_TOB,
    "F_SNAPSHOT": F_SNAPSHOT,
    "F_MBP": F_MBP,
    "F_BAD_TS_RECV": F_BAD_TS_RECV,
    "F_MAYBE_BAD_BOOK": F_MAYBE_BAD_BOOK,
    "publisher 0x02": 0x02,
    "reserved 0x01": 0x01,
}
_NEVER = np.iinfo(np.uint64).max


@dataclass
class InstrumentCensus:
    """Counts of one instrument. Times in ns UTC, None where there is no such record."""

    instrument_id: int
    records: int = 0
    snapshot: int = 0
    events: int = 0
    """Closed live events: live records with F_LAST."""
    snapshots: int = 0
    """Runs of snapshot records."""
    actions: np.ndarray = field(default_factory=lambda: np.zeros((2, 256), np.int64))
    """[live or snapshot, action code]."""
    flags: np.ndarray = field(default_factory=lambda: np.zeros((2, len(FLAGS)), np.int64))
    """[live or snapshot, position in `FLAGS`]."""
    first_live: int | None = None
    last_live: int | None = None
    first_recv: int | None = None
    last_recv: int | None = None
    _in_snapshot: bool = False

    @property
    def live(self) -> int:
        """Records that are not part of a snapshot."""
        return self.records - self.snapshot

    def add(self, records: np.ndarray) -> None:
        """Count records of this instrument, in file order."""
        flags, actions = records["flags"], records["action"]
        in_snapshot = flags & F_SNAPSHOT != 0
        self.records += len(records)
        self.snapshot += int(in_snapshot.sum())
        self.snapshots += int((in_snapshot & ~np.concatenate(([self._in_snapshot], in_snapshot[:-1]))).sum())
        self._in_snapshot = bool(in_snapshot[-1])
        self.events += int((~in_snapshot & (flags & F_LAST != 0)).sum())
        for part, mask in enumerate((~in_snapshot, in_snapshot)):
            self.actions[part] += np.bincount(actions[mask], minlength=256)
            of_value = np.bincount(flags[mask], minlength=256)
            values = np.arange(256)
            self.flags[part] += [int(of_value[values & bit != 0].sum()) for bit in FLAGS.values()]
        live_times = records["ts_event"][~in_snapshot]
        received = records["ts_recv"][records["ts_recv"] != _NEVER]
        self.first_live, self.last_live = _span(live_times, self.first_live, self.last_live)
        self.first_recv, self.last_recv = _span(received, self.first_recv, self.last_recv)

    def of_action(self, letter: str) -> int:
        """Records of an action, live and snapshot together."""
        return int(self.actions[:, ord(letter)].sum())


def census(chunks: Iterable[np.ndarray], into: dict[int, InstrumentCensus]) -> None:
    """Count records (market.dbn.MBO_DTYPE, file order) into one entry per instrument id.

    `into` is filled as the chunks come, so that what was counted before an error in them is not lost.
    """
    for chunk in chunks:
        ids = chunk["instrument_id"]
        if (ids == ids[0]).all():
            into.setdefault(int(ids[0]), InstrumentCensus(int(ids[0]))).add(chunk)
            continue
        order = np.argsort(ids, kind="stable")
        rows = chunk[order]
        starts = np.flatnonzero(np.diff(rows["instrument_id"], prepend=rows["instrument_id"][0] + 1))
        for part in np.split(rows, starts[1:]):
            number = int(part["instrument_id"][0])
            into.setdefault(number, InstrumentCensus(number)).add(part)


def total(instruments: Iterable[InstrumentCensus]) -> InstrumentCensus:
    """The sum over instruments."""
    result = InstrumentCensus(0)
    for one in instruments:
        for name in ("records", "snapshot", "events", "snapshots"):
            setattr(result, name, getattr(result, name) + getattr(one, name))
        result.actions += one.actions
        result.flags += one.flags
        for name, better in (("first_live", min), ("last_live", max), ("first_recv", min), ("last_recv", max)):
            times = [time for time in (getattr(result, name), getattr(one, name)) if time is not None]
            setattr(result, name, better(times) if times else None)
    return result


def time_text(ns: int | None) -> str | None:
    """A time in ns as UTC text, all digits."""
    return None if ns is None else f"{np.datetime64(ns, 'ns')}Z"


def _span(times: np.ndarray, first: int | None, last: int | None) -> tuple[int | None, int | None]:
    if not len(times):
        return first, last
    low, high = int(times.min()), int(times.max())
    return low if first is None else min(first, low), high if last is None else max(last, high)
