"""From a table's declaration to its rules: boolean Polars expressions, one per check."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from operator import ge, gt, le, lt

import polars as pl

from spymaster.tables.model import Column, Rule, TableModel

NOT_NULL = "not_null"
ORDER = "order"

_BOUNDS = (("ge", ">=", ge), ("gt", ">", gt), ("le", "<=", le), ("lt", "<", lt))


@cache
def table_rules(model: type[TableModel]) -> tuple[Rule, ...]:
    """Every rule of `model`: those of its columns in order, its invariants, constants, and the order of its rows."""
    return (*_all_column_rules(model), *_frame_rules(model))


def _all_column_rules(model: type[TableModel]) -> Iterator[Rule]:
    for name, column in model.columns.items():
        yield from _column_rules(name, column, shown=tuple(dict.fromkeys((*model.sort_by, name))))


def _column_rules(name: str, column: Column, shown: tuple[str, ...]) -> Iterator[Rule]:
    values = pl.col(name)

    def rule(check: str, sentence: str, rows: pl.Expr, sufficient: pl.Expr | None = None) -> Rule:
        return Rule(check, sentence, rows, column=name, shown=shown, sufficient=sufficient)

    if not column.nullable:
        yield rule(NOT_NULL, "never null", values.is_not_null(), values.null_count() == 0)
    if column.is_float:
        # A sum with NaN or infinity in it is not finite; one that overflowed is not, either.
        yield rule("finite", "no NaN, no infinity", values.is_finite(), values.sum().is_finite())
    for attribute, symbol, compare in _BOUNDS:
        bound = getattr(column, attribute)
        if bound is not None:
            extreme = values.min() if attribute in ("ge", "gt") else values.max()
            sentence = f"{name} {symbol} {bound}"
            yield rule(attribute, sentence, compare(values, pl.lit(bound)), compare(extreme, pl.lit(bound)))
    if column.isin is not None:
        yield rule("isin", f"{name} is one of {list(column.isin)}", values.is_in(list(column.isin)))


def _frame_rules(model: type[TableModel]) -> Iterator[Rule]:
    for invariant in model.invariants:
        rows = invariant.holds(pl)
        named = tuple(dict.fromkeys((*model.sort_by, *rows.meta.root_names())))
        yield Rule(invariant.name, invariant.sentence, rows, shown=named)
    for name in model.constant:
        yield Rule(
            f"one_{name}",
            f"one {name} per partition",
            pl.col(name) == pl.col(name).first(),
            shown=tuple(dict.fromkeys((*model.sort_by, name))),
        )
    if model.sort_by:
        strict = bool(model.key)
        sentence = f"rows in order of {', '.join(model.sort_by)}{', no key twice' if strict else ''}"
        yield Rule(ORDER, sentence, _in_order(model, strict=strict), shown=model.sort_by)


def _in_order(model: type[TableModel], *, strict: bool) -> pl.Expr:
    """Each row follows the one before it. Null sorts first; an Enum by its declared order.

    Neighbours are compared instead of asking for uniqueness: a joint `unique` over ten million rows takes gigabytes.
    """
    later: pl.Expr | None = None
    for name in reversed(model.sort_by):
        column = model.columns[name]
        here = pl.col(name).to_physical() if isinstance(column.dtype, pl.Enum) else pl.col(name)
        before = here.shift(1)
        greater, equal = here > before, here == before
        if column.nullable:
            greater = here.is_not_null() & before.is_null() | greater.fill_null(False)
            equal = here.eq_missing(before)
        last = greater if strict else greater | equal
        later = last if later is None else greater | (equal & later)
    assert later is not None
    nullable = any(model.columns[name].nullable for name in model.sort_by)
    # Without nullable columns the first row compares with null and so counts as true.
    return (pl.int_range(pl.len()) == 0) | later if nullable else later
