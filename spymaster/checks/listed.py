"""Which options a session prices, and in which seconds an expiration of them is listed."""

from __future__ import annotations

import numpy as np
import polars as pl

from spymaster.checks.base import Session
from spymaster.checks.frames import OPTION_DEFINITION, SECOND_NS, SELECTION, collect, scan
from spymaster.options.chain import DEFINITION_COLUMNS, Chain
from spymaster.tables.types import TIMESTAMP


def chain_of(session: Session) -> Chain:
    """The options that the session prices, as its definitions say."""
    selected = collect(scan(session, SELECTION).filter("is_selected").select("contract"))["contract"].to_list()
    definitions = collect(scan(session, OPTION_DEFINITION, DEFINITION_COLUMNS))
    return Chain.universe(definitions, session.dt, next(iter(selected), ""), session.lake.settings.options)


def listed_seconds(chain: Chain, first: int, last: int) -> pl.DataFrame:
    """Seconds by expiration in which an option of it is known and it is not over: window_end, expiration, underlying.

    first, last: the first and the last window_end that count, ns.
    """
    frames = [pl.DataFrame(schema={"window_end": pl.Int64, "expiry": pl.Int64})]
    for expiry, expiration in enumerate(chain.expirations.tolist()):
        of_it = chain.expiry == expiry
        # +1 where a version begins to hold, -1 after the last second of it; known where the sum is above 0
        begins = np.maximum(chain.known_from[of_it] // SECOND_NS + 1, first // SECOND_NS)
        ends = np.minimum(chain.known_until[of_it], min(expiration, last)) // SECOND_NS
        some = begins <= ends
        if not some.any():
            continue
        steps = np.zeros((last - first) // SECOND_NS + 2, np.int64)
        np.add.at(steps, begins[some] - first // SECOND_NS, 1)
        np.add.at(steps, ends[some] + 1 - first // SECOND_NS, -1)
        seconds = np.flatnonzero(np.cumsum(steps)[:-1] > 0) * SECOND_NS + first
        frames.append(pl.DataFrame({"window_end": seconds, "expiry": np.full(len(seconds), expiry, np.int64)}))
    expiries = pl.DataFrame(
        {
            "expiry": np.arange(len(chain.expirations), dtype=np.int64),
            "expiration": pl.Series(chain.expirations).cast(TIMESTAMP),
            "underlying": pl.Series(list(chain.underlyings), dtype=pl.String),
        }
    )
    rows = pl.concat(frames).join(expiries, on="expiry", how="left")
    return rows.select(pl.col("window_end").cast(TIMESTAMP), "expiration", "underlying")
