"""Pandera schemas of the tables, and their evaluation fast enough for every partition.

Every rule is a Pandera check. Evaluated one at a time they cost more than writing the file, so all rules of a frame
are first evaluated together in one Polars query. Where all of them hold there is nothing left for Pandera to find;
otherwise it decides: its checks read the joint answer, and only those in doubt are evaluated by row. The Pandera schema
also works by itself (`Model.pandera().validate(frame)`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

import polars as pl

from spymaster.tables.errors import MAX_EXAMPLES, ContractError, Violation
from spymaster.tables.model import Rule, TableModel
from spymaster.tables.rules import NOT_NULL, ORDER

if TYPE_CHECKING:
    import pandera.polars as pa

# Rules of the frame under validation that are known to hold; None outside `validate`.
_holding: ContextVar[frozenset[str] | None] = ContextVar("rules that hold", default=None)


@cache
def pandera_schema(model: type[TableModel]) -> pa.DataFrameSchema:
    """Build the Pandera schema of `model` (strict, ordered; descriptions and units in the metadata)."""
    import pandera.polars as pa

    columns = {}
    for name, column in model.columns.items():
        columns[name] = pa.Column(
            column.dtype,  # pyright: ignore[reportArgumentType]
            checks=[_check(rule) for rule in model.rules() if rule.column == name and rule.name != NOT_NULL],
            nullable=column.nullable,
            required=True,
            title=name,
            description=column.description,
            metadata={"unit": column.unit},
        )
    return pa.DataFrameSchema(
        columns,
        checks=[_check(rule) for rule in model.rules() if rule.column is None],
        strict=True,
        ordered=True,
        name=model.full_name,
        title=model.full_name,
        description=model.description(),
        metadata={"key": list(model.key), "layer": model.layer},
    )


def _check(rule: Rule) -> Any:
    import pandera.polars as pa

    def holds(data: Any) -> bool | pl.LazyFrame:
        holding = _holding.get()
        if holding is not None and rule.label in holding:
            return True
        return data.lazyframe.select(rule.rows.fill_null(True))

    return pa.Check(
        holds, name=rule.label, error=rule.sentence, description=rule.sentence, n_failure_cases=MAX_EXAMPLES
    )


def validate(model: type[TableModel], frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """Return `frame` if it keeps the contract of `model`; raise `ContractError` otherwise."""
    check_schema(model, frame, where)
    holding = _rules_that_hold(model, frame)
    if len(holding) < len(model.rules()):
        _ask_pandera(model, frame, where, holding)
    return frame


def _ask_pandera(model: type[TableModel], frame: pl.DataFrame, where: str, holding: frozenset[str]) -> None:
    from pandera.config import ValidationDepth, config_context
    from pandera.errors import SchemaError, SchemaErrors

    # The user's PANDERA_* environment must not be able to switch validation off.
    with (
        _known(holding),
        config_context(validation_enabled=True, validation_depth=ValidationDepth.SCHEMA_AND_DATA),
    ):
        try:
            pandera_schema(model).validate(frame, lazy=True)
        except (SchemaError, SchemaErrors) as error:
            violations = _violations(model, frame, model.rules()) or [Violation("pandera", str(error), rows=0)]
            raise ContractError(model.full_name, where, violations) from None


def _rules_that_hold(model: type[TableModel], frame: pl.DataFrame) -> frozenset[str]:
    """Labels of the rules known to hold, from one query over the whole frame; nulls count as true."""
    answer = frame.select(_whole_frame(model)).row(0, named=True)
    return frozenset(label for label, holds in answer.items() if holds)


@cache
def _whole_frame(model: type[TableModel]) -> list[pl.Expr]:
    return [
        (rule.rows.all() if rule.sufficient is None else rule.sufficient.fill_null(True)).alias(rule.label)
        for rule in model.rules()
    ]


@contextmanager
def _known(holding: frozenset[str]) -> Iterator[None]:
    token = _holding.set(holding)
    try:
        yield
    finally:
        _holding.reset(token)


def _schema_differences(model: type[TableModel], frame: pl.DataFrame) -> list[Violation]:
    wanted, found = model.schema(), frame.schema
    if wanted == found and wanted.names() == found.names():
        return []
    differences = [
        Violation("schema", f"must be {dtype}, is {found[name]}", rows=0, column=name)
        for name, dtype in wanted.items()
        if name in found and found[name] != dtype
    ]
    missing = [name for name in wanted if name not in found]
    extra = [name for name in found if name not in wanted]
    if missing:
        differences.append(Violation("schema", f"columns are missing: {missing}", rows=0))
    if extra:
        differences.append(Violation("schema", f"columns are not part of the table: {extra}", rows=0))
    if not differences:
        differences.append(Violation("schema", f"columns must be in the order {wanted.names()}", rows=0))
    return differences


def _violations(model: type[TableModel], frame: pl.DataFrame, rules: Iterable[Rule]) -> list[Violation]:
    """Describe each broken rule with the rows that break it, at most `MAX_EXAMPLES` rows in all."""
    left = MAX_EXAMPLES
    found = []
    for rule in rules:
        broken = frame.lazy().with_row_index("row").filter(~rule.rows.fill_null(True)).select("row", *rule.shown)
        bad = broken.collect()
        if bad.height:
            examples = tuple(bad.head(left).iter_rows(named=True))
            left -= len(examples)
            found.append(Violation(rule.name, rule.sentence, bad.height, rule.column, examples))
    return found


def check_schema(model: type[TableModel], frame: pl.DataFrame, where: str) -> None:
    """Check names, order and types of the columns only; raises `ContractError` naming those that differ."""
    differences = _schema_differences(model, frame)
    if differences:
        raise ContractError(model.full_name, where, differences)


def check_continuity(model: type[TableModel], before: pl.DataFrame, after: pl.DataFrame, where: str) -> None:
    """Check that a frame whose first row is `after` may follow one whose last row is `before` (one row each).

    Raises `ContractError` if the order, the key or a constant column breaks between them.
    """
    pair = pl.concat([before, after])
    names = {ORDER, *(f"one_{name}" for name in model.constant)}
    violations = _violations(model, pair, [rule for rule in model.rules() if rule.label in names])
    if violations:
        raise ContractError(model.full_name, where, violations)
