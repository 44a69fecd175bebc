"""`spymaster analogues`: which setups of earlier sessions resemble a second, and what came of them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spymaster.cli.options import JsonOption, LakeOption, lake_root

if TYPE_CHECKING:
    from spymaster.research.analogues import AnalogueResult

ABSTAINS, BAD_INPUT, MISSING = 3, 2, 4
"""Exit codes beside 0: the answer is that there is none; a question that cannot be asked; a table that is not there, or
no longer fits."""


class FamilyName(StrEnum):
    """Zooms to choose from."""

    AUTO = "auto"
    S1 = "s1"
    S5 = "s5"
    C120 = "c120"


class DirectionName(StrEnum):
    """Directions to choose from."""

    AUTO = "auto"
    UP = "up"
    DOWN = "down"


def analogues(
    symbol: Annotated[str, typer.Option("--symbol", "-s", metavar="ROOT", help="Root symbol such as ES.")],
    ts: Annotated[str, typer.Option("--ts", metavar="TIME", help="ISO time with a zone, or ns since the epoch, UTC.")],
    family: Annotated[FamilyName, typer.Option(help="Length of the windows; auto is s1.")] = FamilyName.AUTO,
    direction: Annotated[DirectionName, typer.Option(help="Way that is looked.")] = DirectionName.AUTO,
    k: Annotated[int | None, typer.Option(min=1, help="Neighbours.", show_default="that of the profile")] = None,
    horizon: Annotated[
        int | None, typer.Option(metavar="SECONDS", help="30, 120 or 360.", show_default="120, for c120 360")
    ] = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show shares, outcomes and paths after the decision.")
    ] = False,
    asof: Annotated[str | None, typer.Option(metavar="TIME", help="Refuse a question about a later time.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="Write the neighbours to a file, too.")] = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Setups of earlier sessions that resemble one second, nearest first.

    Shares of their outcomes (`--reveal`) come with the base rate beside them. Exit codes: 0 an answer, 3 none (the
    reason is printed), 2 a question that cannot be asked, 4 a table that is not there.
    """
    from spymaster.cli import output
    from spymaster.lake import Lake
    from spymaster.lake.errors import MissingPartitionError
    from spymaster.research import analogues as research
    from spymaster.research.errors import QueryError, StalePanelError

    opened = Lake.open(lake_root(lake))
    try:
        answers = research.analogues(
            opened, symbol, _time(ts, "--ts"), family=family, direction=direction, k=k, horizon_s=horizon,
            asof=None if asof is None else _time(asof, "--asof"),
        )  # fmt: skip
    except (QueryError, MissingPartitionError) as error:
        output.print_error(error, as_json=as_json)
        missing = isinstance(error, MissingPartitionError | StalePanelError)
        raise typer.Exit(MISSING if missing else BAD_INPUT) from None
    shown = answers if reveal else [one.concealed() for one in answers]
    if parquet is not None:
        import polars as pl

        frames = [one.neighbours.with_columns(query_id=pl.lit(one.result["query_id"])) for one in shown]
        pl.concat(frames, how="diagonal").write_parquet(parquet)
    if as_json:
        output.print_json([_document(one) for one in shown])
    else:
        for one in shown:
            _print(one)
    if all(one.result["abstain"] for one in shown):
        raise typer.Exit(ABSTAINS)


def _time(text: str, option: str) -> Any:
    """A time as the library takes it."""
    from datetime import datetime

    if text.lstrip("-").isdigit():
        return int(text)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"'{text}' is not a time (2026-01-06T14:41:00Z)", param_hint=option) from None


def _document(one: AnalogueResult) -> dict[str, Any]:
    """One answer as plain data; nanoseconds as text, which JSON numbers cannot hold."""
    import polars as pl

    neighbours = one.neighbours.with_columns(pl.col("ts_decision").to_physical().cast(pl.String)).to_dicts()
    result = {name: str(value) if name == "ts_query" else value for name, value in one.result.items()}
    return {"result": result, "neighbours": neighbours, "paths": one.paths.to_dict(as_series=False)}


def _print(one: AnalogueResult) -> None:
    from datetime import UTC, datetime

    from spymaster.cli import output
    from spymaster.tables.setup_outcome import OUTCOMES

    result = one.result
    way = "up" if result["direction"] > 0 else "down"
    when = datetime.fromtimestamp(result["ts_query"] // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    out = output.stdout()
    kind = f"{result['symbol']} {when}, {way}, {result['family']}, {result['kind']}, {result['horizon_s']} s"
    out.print(f"[bold]{kind}[/bold]   {result['provenance']} data")
    provisional = ", provisional" if result["provisional"] else ""
    out.print(
        f"{one.neighbours.height} of {result['k']} neighbours from {result['n_sessions']} earlier sessions{provisional}"
    )
    if result["abstain"]:
        out.print(f"no answer: {result['abstain_reason']}")
    if result.get("p_break") is not None:
        rows = [(name, result[f"p_{name}"], result[f"p0_{name}"]) for name in OUTCOMES]
        output.print_table("outcomes", ("outcome", "share", "base rate"), rows, right=("share", "base rate"))
    if one.neighbours.height:
        columns = [
            name
            for name in ("rank", "episode_id", "distance", "weight", "outcome", "mfe_ticks", "mae_ticks", "end_ticks")
            if name in one.neighbours.columns
        ]
        output.print_table("neighbours", columns, one.neighbours.select(columns).iter_rows(), right=("distance",))
