"""The tables: one module each, found by themselves. A new module with a `TableModel` is a new table.

Belongs here: what a table promises. Does not belong here: how its rows are computed (`spymaster.surfaces` and above) or
where they are stored (`spymaster.lake`).
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from spymaster.tables.errors import ContractError, UnknownTableError, Violation
from spymaster.tables.model import Column, Columns, Invariant, ParquetLayout, TableModel

__all__ = [
    "Column",
    "Columns",
    "ContractError",
    "Invariant",
    "ParquetLayout",
    "TableModel",
    "UnknownTableError",
    "Violation",
    "all_tables",
    "table",
]


@cache
def all_tables() -> dict[str, type[TableModel]]:
    """Every table model of this package by full name (`silver.wall_surface_1s`), in order of layer and name.

    Raises `TypeError` if two modules declare the same table.
    """
    found: dict[str, type[TableModel]] = {}
    for module_info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        for value in vars(module).values():
            if not (isinstance(value, type) and issubclass(value, TableModel)) or value.__module__ != module.__name__:
                continue
            if value is TableModel:
                continue
            if value.full_name in found:
                raise TypeError(f"two models declare {value.full_name}: {found[value.full_name]} and {value}")
            found[value.full_name] = value
    order = {"bronze": 0, "silver": 1, "gold": 2}
    return dict(sorted(found.items(), key=lambda item: (order[item[1].layer], item[0])))


def table(name: str) -> type[TableModel]:
    """The model of `layer.name`, or of a bare `name` if only one layer has it; `UnknownTableError` otherwise."""
    known = all_tables()
    if name in known:
        return known[name]
    bare = [model for full, model in known.items() if full.split(".", 1)[1] == name]
    if len(bare) == 1:
        return bare[0]
    raise UnknownTableError(f"no table '{name}'", hint=f"Known tables: {', '.join(known)}.")
