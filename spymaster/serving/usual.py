"""What is usual for the components of pressure at a distance from spot: the values that the table was made with."""

from __future__ import annotations

import polars as pl

from spymaster.serving.session import Session
from spymaster.serving.surfaces import CALIBRATION
from spymaster.tables.pressure_surface_1s import COMPONENTS
from spymaster.tables.types import DISTANCE_BAND_EDGES

PRESSURE = "silver.pressure_surface_1s"


def pressure_usual(session: Session, rel_buckets: int) -> dict[str, float]:
    """Usual value of each component so many buckets from spot's, lots: the mean of a flow, the median of rest.

    A component without any is left out; so are all of them where the calibration may not be used. A side that is not
    expected to rest there (bids above spot, asks below) has none either: it counts as usual, whatever the scale says.
    """
    if session.calibration.status == "defaults":
        return {}
    band = next((name for name, (_, last) in DISTANCE_BAND_EDGES.items() if abs(rel_buckets) <= last), None)
    rows = session.info.partitions[CALIBRATION].read(["metric_name", "band", "kind", "scale", "n_rows"])
    known = rows.filter((pl.col("kind") == "ratio") & (pl.col("band") == band) & (pl.col("n_rows") > 0))
    scales = dict(zip(known["metric_name"], known["scale"], strict=True))
    unexpected = "rest_long" if rel_buckets > 0 else "rest_short" if rel_buckets < 0 else None
    return {name: scales[name] for name in COMPONENTS if name in scales and name != unexpected}
