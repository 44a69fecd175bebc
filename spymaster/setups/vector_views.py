"""The f* and u* families of the mission as views of a setup vector; of radar rows see `surfaces.views`.

A vector of the layout `L28` holds every feature of the canonical frame in every block and order, so the views that are
declared beside the radar model apply to it, too: d1_, d2_ and d3_ are its orders. Distances of the best prices are kept
over the deviation of the mid; here they are ticks again.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from spymaster.setups.base_features import SMALLEST_SIGMA_TICKS
from spymaster.setups.errors import SetupInputError
from spymaster.setups.vector_layout import BBO_DIST, ORDERS, Layout
from spymaster.surfaces.views import VIEWS, Direction

_AHEAD: Final[dict[Direction, str]] = {"down": "bid", "up": "ask"}
_DIRECTIONS: Final[dict[int, Direction]] = {1: "up", -1: "down"}


def fu_view(
    vector: np.ndarray, made: Layout, direction: int, sigma_60: float, *, block: str = "w0"
) -> dict[str, float]:
    """Views of one vector by name: f* of an approach from above (-1), u* of one from below (+1), each with d1_ to d3_.

    vector: float32[n] of the layout. sigma_60: deviation of the mid over 60 s at its cut-off, ticks. block: which mean
    or difference over windows is looked at. Raises `SetupInputError` where the layout lacks an order of the block.
    """
    way = _DIRECTIONS[direction]
    ahead = _AHEAD[way]
    position = {dim.name: dim.dim_index for dim in made.dims}
    sigma = max(sigma_60, SMALLEST_SIGMA_TICKS)

    def value(order: str, column: str) -> float:
        side, _, feature = column.partition("_")
        own = "ah" if side == ahead else "bh"
        scale = sigma if feature == "bbo_dist_ticks" else 1.0
        name = f"{block}.{order}.{own}_{BBO_DIST if feature == 'bbo_dist_ticks' else feature}"
        if name not in position:
            raise SetupInputError(f"layout {made.version} has no dim {name}", hint="Views need layout L28.")
        return scale * float(vector[position[name]])

    return {
        f"{'' if order == 'v' else order + '_'}{name}": sum(
            weight * value(order, column) for column, weight in weights.items()
        )
        for order in ORDERS
        for name, weights in VIEWS[way].items()
    }
