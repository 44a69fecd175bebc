"""The code location as daemons of tests load it: without pictures, which have tests of their own.

`unsensed` is without sensors too: nothing but what is asked for is made, where otherwise runs for new raw files would
make it first.
"""

import dagster as dg

from spymaster.surfaces import pictures
from spymaster_assets.definitions import defs

pictures.DRAWINGS.clear()

unsensed = dg.Definitions(
    assets=defs.assets,
    asset_checks=defs.asset_checks,
    jobs=defs.jobs,
    resources=defs.resources,
    executor=defs.executor,
)

__all__ = ["defs", "unsensed"]
