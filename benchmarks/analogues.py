"""Questions for analogues on a stored lake: processor seconds of cold and warm answers, and of the paths beside them.

Measured is what the sidecar does between the request and the bytes: `serving.alike.ask`, the document and its JSON.
`--setups N` fills the panel up to N setups with copies of its own that are moved by noise, to see a lake of many dates.
"""

from __future__ import annotations

import dataclasses
import json
import time
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import polars as pl
import typer

from spymaster.lake import Lake
from spymaster.research.kept import Kept
from spymaster.research.panels import Panel
from spymaster.research.retrieval import Rules
from spymaster.serving.alike import Asked, ask, document, paths_document
from spymaster.serving.catalog import Catalog, SessionKey

SECOND = 1_000_000_000
PANEL = Panel("s1", "touch", 120)


def main(
    lake: Annotated[Path, typer.Option(help="A lake with gold.retrieval_index, such as that of `spymaster demo`.")],
    dt: Annotated[str, typer.Option(help="The date that is asked about.")],
    symbol: str = "ES",
    questions: int = 200,
    setups: Annotated[int, typer.Option(help="Least setups of the panel; 0 leaves it as it is.")] = 0,
    k: Annotated[int | None, typer.Option(help="Neighbours; those of the profile if not given.")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Ask about seconds all over the date, and say what an answer costs."""
    opened = Lake.open(lake)
    kept, key = Kept(opened), SessionKey.parse(symbol, dt)
    info = Catalog(opened).get(key)
    end = kept.day(symbol, key.dt).builder.tape.end
    seconds = np.random.default_rng(1).choice(end[len(end) // 10 :], questions).tolist()
    began = time.process_time()
    kept = Kept(opened)
    _answer(kept, info, seconds[0], k)
    cold = time.process_time() - began
    if setups:
        _fill(kept, symbol, key.dt, setups)
    rows = len(kept.panel(symbol, key.dt, PANEL).rows)
    _answer(kept, info, seconds[0], k)
    costs: dict[str, list[float]] = {"answer": [], "paths": []}
    told = 0
    for second in seconds:
        began = time.process_time()
        query_id, neighbours = _answer(kept, info, second, k)
        costs["answer"].append(time.process_time() - began)
        told += neighbours > 0
        if setups:  # the copies have the paths of what they are copies of
            continue
        began = time.process_time()
        json.dumps(paths_document(ask(kept, info, Asked.parse(query_id), paths=True)[0], reveal=True))
        costs["paths"].append(time.process_time() - began)
    result: dict[str, Any] = {"questions": questions, "with_neighbours": told, "setups": rows, "cold_s": round(cold, 2)}
    for name, one in costs.items():
        if not one:
            continue
        p50, p95 = np.quantile(one, [0.5, 0.95])
        result |= {f"{name}_p50_ms": round(1000 * p50, 1), f"{name}_p95_ms": round(1000 * p95, 1)}
    print(json.dumps(result) if as_json else "\n".join(f"{name:20}{value}" for name, value in result.items()))


def _answer(kept: Kept, info: Any, second: int, k: int | None) -> tuple[str, int]:
    """Id and number of neighbours of the first answer, as bytes are made of all of them."""
    answers = ask(kept, info, Asked(info.key.symbol, second * SECOND, k=k))
    json.dumps(document(kept, answers, reveal=True)).encode()
    return answers[0].result["query_id"], answers[0].neighbours.height


def _fill(kept: Kept, symbol: str, dt: date, setups: int) -> None:
    """Copies of the setups of a panel, moved by noise, until there are enough."""
    known = kept.panel(symbol, dt, PANEL)
    library = known.library
    if library is None or not len(library):
        raise typer.BadParameter("the panel of that date is empty")
    rng = np.random.default_rng(2)
    take = np.concatenate([np.arange(len(library)), rng.integers(0, len(library), max(0, setups - len(library)))])
    points = library.points[take]
    points[len(library) :] += rng.normal(scale=0.5, size=points[len(library) :].shape).astype(np.float32)
    arrays = {f.name: getattr(library, f.name)[take] for f in dataclasses.fields(library) if f.name != "level_types"}
    arrays["points"] = points
    # many dates, so that neighbours are found on many
    arrays["session"] = library.session[take] - np.arange(len(take)) // 100
    kinds = tuple(library.level_types[k] for k in take.tolist())
    known.library = dataclasses.replace(library, **arrays, level_types=kinds)
    known.rows = known.rows[take.tolist()].with_columns(panel_row=pl.int_range(len(take), dtype=pl.Int32))
    known.usual(Rules.of(kept.lake.settings.retrieval, kept.lake.profile))


if __name__ == "__main__":
    typer.run(main)
