"""The reference of all tables as one Markdown page, generated from the models.

`python -m spymaster.tables.reference docs/reference/tables.md` writes the committed page; a test keeps it current.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import polars as pl

from spymaster.tables import all_tables
from spymaster.tables.model import Column, PolarsType, TableModel

_LAYERS = {
    "bronze": "Faithful copies of what the exchange sent, every contract of the root.",
    "silver": "One contract per date and symbol, second by second and event by event.",
    "gold": "What is learned from many sessions.",
}

_INTRODUCTION = """\
# Tables

Generated from the models in `spymaster/tables` by `python -m spymaster.tables.reference docs/reference/tables.md`; do
not edit by hand.

A partition is one Parquet file for one UTC date and one instrument root:
`<lake>/<layer>/<table>/symbol=<root>/dt=<date>/part-00000.parquet`. `symbol` and `dt` are in the path and not in the
file; readers that understand Hive partitioning add them. Every row is validated against the rules below before the
file appears, so a partition that exists keeps them.

Prices that identify a level are integers in units of 1e-9 of the price (`6900.25` is `6900250000000`). Quantities are
whole lots. Timestamps are nanoseconds in UTC. `E` is the instrument's `eps_qty`.
"""


def markdown(models: Mapping[str, type[TableModel]] | None = None) -> str:
    """The page for `models` (default: every table), with one second-level heading per table."""
    models = all_tables() if models is None else models
    parts = [_INTRODUCTION, "\n".join(_contents(models.values()))]
    parts += ["\n".join(_section(model)) for model in models.values()]
    return "\n".join(f"{part.rstrip()}\n" for part in parts)


def type_text(dtype: PolarsType) -> str:
    """A data type for people: `Int64`, `timestamp`, `enum(B, A)`."""
    if isinstance(dtype, pl.Enum):
        return f"enum({', '.join(dtype.categories)})"
    if isinstance(dtype, pl.Datetime):
        return f"timestamp({dtype.time_unit}, {dtype.time_zone})"
    return str(dtype)


def range_text(column: Column) -> str:
    """The interval or set a column's values keep, empty if any value of the type will do."""
    if column.isin is not None:
        return ", ".join(str(value) for value in column.isin)
    low = f"[{column.ge:g}" if column.ge is not None else f"({column.gt:g}" if column.gt is not None else "("
    high = f"{column.le:g}]" if column.le is not None else f"{column.lt:g})" if column.lt is not None else ")"
    return "" if (low, high) == ("(", ")") else f"{low}, {high}"


def _contents(models: Iterable[type[TableModel]]) -> Iterator[str]:
    layer = ""
    for model in models:
        if model.layer != layer:
            layer = model.layer
            yield f"\n**{layer.capitalize()}**: {_LAYERS[layer]}\n"
        summary = model.description().splitlines()[0].rstrip(".")
        yield f"- [{model.full_name}](#{model.full_name.replace('.', '')}): {summary}"


def _section(model: type[TableModel]) -> Iterator[str]:
    yield f"## {model.full_name}\n"
    yield f"{model.description()}\n"
    order = ", ".join(f"`{name}`" for name in model.sort_by) or "file order"
    yield f"- Key: {order}, strictly increasing" if model.key else f"- Order: {order}"
    if model.constant:
        yield f"- Constant in a partition: {', '.join(f'`{name}`' for name in model.constant)}"
    if model.parameters:
        yield f"- Depends on: {', '.join(f'`{name}`' for name in model.parameters)}"
    yield f"- Version: `{model.code_version()}`\n"
    yield "| column | type | unit | null | range | meaning |"
    yield "|---|---|---|---|---|---|"
    for name, column in model.columns.items():
        cells = (
            f"`{name}`",
            type_text(column.dtype),
            column.unit,
            "yes" if column.nullable else "",
            range_text(column),
            column.description,
        )
        yield f"| {' | '.join(_cell(cell) for cell in cells)} |"
    if model.invariants:
        yield "\nAlways true:\n"
        yield from (f"- `{rule.name}`: {rule.sentence}" for rule in model.invariants)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main(arguments: list[str]) -> None:
    """Write the page to the file named by the only argument."""
    if len(arguments) != 1:
        raise SystemExit("usage: python -m spymaster.tables.reference FILE")
    path = Path(arguments[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(markdown(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
