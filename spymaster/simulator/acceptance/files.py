"""Measure a file of orders, of whatever origin: DBN in, tally out."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np

from spymaster.market.calendar import CONTINUOUS
from spymaster.market.dbn import F_SNAPSHOT, MBO_DTYPE, SIM_DATASET
from spymaster.market.instruments import instrument
from spymaster.settings import Settings
from spymaster.simulator.acceptance.portrait import Portrait, portrait
from spymaster.simulator.acceptance.tally import Tally, measured_window
from spymaster.simulator.errors import MeasureError
from spymaster.simulator.schedule import SECOND_NS, Segment, midnight_ns, segments

_CHUNK = 1 << 20


def tally_file(path: Path, root: str, *, settings: Settings | None = None) -> Tally:
    """Samples of the busiest contract of a DBN file of orders (schema `mbo`) of a root.

    The window is that of a simulated date, cut to the live records of the file. Raises MeasureError if the file is not
    one of orders or has too few of them in trading hours.
    """
    import databento

    try:
        store = databento.DBNStore.from_file(path)
    except Exception as error:
        raise MeasureError(f"{path} is not a readable DBN file: {error}") from error
    if str(store.schema) != "mbo":
        raise MeasureError(f"{path} has schema {store.schema}, not mbo", hint="Measures need the file of orders.")
    first, last, busiest = _extent(store)
    dt = datetime.fromtimestamp(last // SECOND_NS, UTC).date()
    parts = [part for part in segments(dt, root, None) if part.end_ns > first and part.start_ns <= last]
    cut = [Segment(part.phase, max(part.start_ns, first), min(part.end_ns, last)) for part in parts]
    window = measured_window(dt, root, cut)
    if window[1] - window[0] < 60 * SECOND_NS or not any(part.phase == CONTINUOUS for part in cut):
        raise MeasureError(f"{path} has no minute of {root} trading on {dt}")
    tally = Tally(dt, busiest, instrument(root, settings).tick_size_int, _from_midnight(window, dt))
    for block in _blocks(store):
        tally.add(block)
    return tally


def portrait_file(path: Path, root: str, *, settings: Settings | None = None) -> Portrait:
    """Portrait of a DBN file of orders; raises as `tally_file` does."""
    tally = tally_file(path, root, settings=settings)
    return portrait(tally, f"{root} {tally.dt}", provenance_of(path))


def provenance_of(path: Path) -> str:
    """`simulated` or `real`, as the file's own header says."""
    import databento

    return "simulated" if databento.DBNStore.from_file(path).dataset == SIM_DATASET else "real"


def _from_midnight(window: tuple[int, int], dt: date) -> tuple[int, int]:
    """The window on whole seconds of its date."""
    midnight = midnight_ns(dt)
    low, high = (-(-(window[0] - midnight) // SECOND_NS), (window[1] - midnight) // SECOND_NS)
    return midnight + low * SECOND_NS, midnight + high * SECOND_NS


def _blocks(store):
    for block in store.to_ndarray(count=_CHUNK):
        yield block.view(MBO_DTYPE)


def _extent(store) -> tuple[int, int, int]:
    """First and last live ts_event, and the instrument with the most live records."""
    first, last, many = 0, 0, {}
    for block in _blocks(store):
        live = block[block["flags"] & F_SNAPSHOT == 0]
        if not len(live):
            continue
        ts = live["ts_event"].astype(np.int64)
        first = first or int(ts[0])
        last = int(ts[-1])
        found, count = np.unique(live["instrument_id"], return_counts=True)
        for one, n in zip(found.tolist(), count.tolist(), strict=True):
            many[one] = many.get(one, 0) + n
    if not many:
        raise MeasureError("the file has no live orders", hint="It holds a snapshot only: name the file of a session.")
    return first, last, max(many, key=lambda one: many[one])
