"""`spymaster tables`: the contracts, generated from the table models."""

from __future__ import annotations

from typing import Annotated

import typer

from spymaster.cli.options import JsonOption

LAYOUT = "vector_layout"
"""What `gold.setup_vector` holds at which position: no table, but asked for in the same way."""


def tables(
    name: Annotated[
        str | None,
        typer.Argument(metavar="TABLE", help="One table, e.g. silver.trade or trade; or vector_layout."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the tables, or the columns, units and rules of one.

    `vector_layout` names every number of the vectors in gold.setup_vector.
    """
    from spymaster.cli import output
    from spymaster.tables import all_tables, table

    if name is None:
        models = list(all_tables().values())
        if as_json:
            output.print_json([_contract(model) for model in models])
            return
        rows = [
            (model.full_name, len(model.columns), ", ".join(model.key), _first_sentence(model.description()))
            for model in models
        ]
        output.print_table("tables", ("table", "columns", "key", "holds"), rows, right=("columns",))
        return

    if name == LAYOUT:
        _print_layouts(as_json)
        return
    model = table(name)
    if as_json:
        output.print_json(_contract(model))
        return
    out = output.stdout()
    out.print(f"[bold]{model.full_name}[/bold]   key: {', '.join(model.key) or 'none'}\n")
    out.print(model.description() + "\n")
    output.print_table(
        "columns",
        ("column", "type", "unit", "null", "meaning"),
        [
            (column, output.type_text(spec.dtype), spec.unit, "nullable" if spec.nullable else "", spec.description)
            for column, spec in model.columns.items()
        ],
    )
    if model.invariants:
        output.print_table(
            "always true", ("rule", "sentence"), [(rule.name, rule.sentence) for rule in model.invariants]
        )


def _print_layouts(as_json: bool) -> None:
    """The dims of every family's stored layout."""
    from spymaster.cli import output
    from spymaster.setups.vector_layout import FAMILIES, layout

    made = [layout(name) for name in FAMILIES]
    if as_json:
        output.print_json({one.family.name: one.described() for one in made})
        return
    for one in made:
        output.print_table(
            f"{one.family.name}: layout {one.version}, {one.n} numbers of windows of {one.family.window_s} s",
            ("dim", "name", "weight"),
            [(dim.dim_index, dim.name, dim.weight) for dim in one.dims],
            right=("dim", "weight"),
        )


def _contract(model) -> dict[str, object]:
    """A table's contract as plain data."""
    return {
        "table": model.full_name,
        "description": model.description(),
        "key": list(model.key),
        "sort_by": list(model.sort_by),
        "schema_fingerprint": model.schema_fingerprint(),
        "columns": [
            {
                "name": name,
                "type": str(column.dtype),
                "unit": column.unit,
                "nullable": column.nullable,
                "description": column.description,
            }
            for name, column in model.columns.items()
        ],
        "rules": [{"name": rule.label, "sentence": rule.sentence} for rule in model.rules()],
    }


def _first_sentence(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split()).split(". ")[0].rstrip(".")
