"""Every check of every table catches what it is there for.

The violations are generated from the models: whoever declares a bound, a null rule or an invariant gets its test here
for nothing. A planted row may break other rules, too; asserted is that the rule in question is among those reported.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
from pandera.errors import SchemaErrors

from spymaster.tables import ContractError, TableModel, all_tables
from spymaster.tables.errors import MAX_EXAMPLES
from spymaster.tables.model import Column, Rule
from spymaster.tables.rules import NOT_NULL
from spymaster.tables.vacuum_surface_1s import VacuumSurface1s
from spymaster.tables.validation import check_continuity
from spymaster_tests.tables.samples import sample

MODELS = list(all_tables().values())
WHERE = "ES 2024-01-02"
BAD_ROW = 1


def column_rules() -> Iterator[Any]:
    """Rules of columns written by hand; the many generated ones are all in `TestOneViolationPerRule`."""
    for model in MODELS:
        for rule in model.rules():
            if rule.column in vars(model):
                yield pytest.param(model, rule, id=f"{model.name}-{rule.label}")


def frame_rules() -> Iterator[Any]:
    for model in MODELS:
        for rule in model.rules():
            if rule.column is None:
                yield pytest.param(model, rule, id=f"{model.name}-{rule.name}")


def breaking_value(column: Column, rule: Rule) -> Any:
    """A value of the column's type that breaks the rule."""
    if rule.name == NOT_NULL:
        return None
    if rule.name == "finite":
        return float("nan")
    if rule.name == "isin":
        return "not one of them" if column.dtype == pl.String else -98
    bound = getattr(column, rule.name)
    step = 0.5 if column.is_float else 1
    return {"ge": bound - step, "gt": bound, "le": bound + step, "lt": bound}[rule.name]


def plant(frame: pl.DataFrame, row: int, values: dict[str, Any]) -> pl.DataFrame:
    """`frame` with other values in one row."""
    replaced = []
    for name, value in values.items():
        series = frame.get_column(name)
        one = pl.Series(name, [value], dtype=series.dtype)
        replaced.append(pl.concat([series.slice(0, row), one, series.slice(row + 1)]))
    return frame.with_columns(replaced)


def breaking_frame(model: type[TableModel], rule: Rule) -> pl.DataFrame:
    """The sample with one row changed, in columns of the rule only, so that the rule no longer holds."""
    frame = sample(model)
    names = [name for name in rule.rows.meta.root_names() if name in frame.columns]
    chosen = random.Random(rule.name)
    for _ in range(3000):
        values = {name: candidate(model.columns[name], frame, name, chosen) for name in names}
        planted = plant(frame, BAD_ROW, values)
        if not planted.select(rule.rows.fill_null(True).all()).to_series().all():
            return planted
    raise AssertionError(f"no value of {names} breaks {model.full_name} {rule.name}: it cannot fail")


def candidate(column: Column, frame: pl.DataFrame, name: str, chosen: random.Random) -> Any:
    """A value of the column's type: one of the sample's, a little off it, or null."""
    if column.dtype == pl.List(pl.String):
        return chosen.choice([[], *frame.get_column(name).drop_nulls().to_list()])
    if isinstance(column.dtype, pl.List):
        return chosen.choice([[], [1], [1, 2], [2, 1], [1, 1], [1, None], [-1], *([None] if column.nullable else [])])
    value = frame.get_column(name).to_physical().item(BAD_ROW)
    options: list[Any] = [value]
    if column.nullable:
        options.append(None)
    if isinstance(column.dtype, pl.Enum):
        return chosen.choice([*column.dtype.categories.to_list(), *([None] if column.nullable else [])])
    if column.dtype == pl.Boolean:
        return chosen.choice([True, False])
    if column.dtype == pl.String:
        return chosen.choice([value, "AAA", "zzz"])
    if value is not None:
        far = (-1_000_000_000, -250_000_000, 250_000_000) if value > 1e8 else ()
        options += [0, *(value + off for off in (-7, -1, 1, 7, *far))]
    elif not column.is_float:
        options.append(1)
    picked = chosen.choice(options)
    if isinstance(column.dtype, pl.Datetime) and picked is not None:
        return pl.Series([picked]).cast(column.dtype).item()
    if column.dtype == pl.Date and picked is not None:
        return pl.Series([abs(picked) % 40_000], dtype=pl.Int32).cast(pl.Date).item()
    return picked


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_valid_frame_passes_unchanged(model: type[TableModel]) -> None:
    frame = sample(model)
    assert model.validate(frame, where=WHERE) is frame
    assert model.pandera().validate(frame).equals(frame)
    assert model.validate(model.empty()).is_empty()


def test_values_whose_sum_overflows_are_finite_all_the_same() -> None:
    """The cheap answer for a whole frame may be in doubt where the rows are not."""
    huge = sample(VacuumSurface1s).with_columns(pull_add_log=pl.lit(3e38, pl.Float32))
    assert not huge["pull_add_log"].sum() < float("inf")
    VacuumSurface1s.validate(huge)


@pytest.mark.parametrize(("model", "rule"), list(column_rules()))
def test_a_planted_value_is_caught_and_named(model: type[TableModel], rule: Rule) -> None:
    assert rule.column is not None
    value = breaking_value(model.columns[rule.column], rule)
    planted = plant(sample(model), BAD_ROW, {rule.column: value})
    with pytest.raises(ContractError) as caught:
        model.validate(planted, where=WHERE)
    violation = next(
        found for found in caught.value.violations if (found.column, found.rule) == (rule.column, rule.name)
    )
    assert violation.rows == 1
    assert violation.examples[0]["row"] == BAD_ROW
    shown = planted.get_column(rule.column)[BAD_ROW]
    message = str(caught.value)
    assert f"{model.full_name} ({WHERE})" in message
    assert f"column '{rule.column}'" in message
    assert f"{rule.column}={shown}" in message


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
class TestOneViolationPerRule:
    """A frame with one row per rule of a column, each broken in its own row: none may hide another."""

    @staticmethod
    def broken(model: type[TableModel]) -> tuple[list[Rule], pl.DataFrame]:
        rules = [rule for rule in model.rules() if rule.column is not None]
        row = sample(model)[BAD_ROW : BAD_ROW + 1]
        broken = [
            plant(row, 0, {rule.column: breaking_value(model.columns[rule.column], rule)})
            for rule in rules
            if rule.column is not None
        ]
        return rules, pl.concat(broken)

    def test_each_is_reported(self, model: type[TableModel]) -> None:
        rules, frame = self.broken(model)
        with pytest.raises(ContractError) as caught:
            model.validate(frame, where=WHERE)
        reported = {(violation.column, violation.rule) for violation in caught.value.violations}
        assert {(rule.column, rule.name) for rule in rules} <= reported

    def test_the_pandera_schema_alone_reports_each(self, model: type[TableModel]) -> None:
        rules, frame = self.broken(model)
        with pytest.raises(SchemaErrors) as caught:
            model.pandera().validate(frame, lazy=True)
        cases = caught.value.failure_cases.select("column", "check").unique().rows()
        reported = {(column, "never null" if check == "not_nullable" else check) for column, check in cases}
        assert {(rule.column, rule.sentence) for rule in rules} <= reported


@pytest.mark.parametrize(("model", "rule"), list(frame_rules()))
def test_a_broken_invariant_is_caught(model: type[TableModel], rule: Rule) -> None:
    planted = breaking_frame(model, rule)
    with pytest.raises(ContractError) as caught:
        model.validate(planted, where=WHERE)
    violation = next(found for found in caught.value.violations if found.rule == rule.name and found.column is None)
    assert violation.rows >= 1
    example = violation.examples[0] if violation.examples else None
    message = str(caught.value)
    assert f"{model.full_name} ({WHERE})" in message
    assert rule.sentence in message
    if example is not None:
        assert set(rule.rows.meta.root_names()) <= set(example)
        assert planted.get_column(rule.shown[0])[example["row"]] == example[rule.shown[0]]


@pytest.mark.parametrize(("model", "rule"), list(frame_rules()))
def test_pandera_alone_catches_a_broken_invariant(model: type[TableModel], rule: Rule) -> None:
    with pytest.raises(SchemaErrors) as caught:
        model.pandera().validate(breaking_frame(model, rule), lazy=True)
    assert rule.sentence in set(caught.value.failure_cases.get_column("check"))


def enum_columns() -> Iterator[Any]:
    for model in MODELS:
        for name, column in model.columns.items():
            if isinstance(column.dtype, pl.Enum):
                yield pytest.param(model, name, id=f"{model.name}-{name}")


@pytest.mark.parametrize(("model", "name"), list(enum_columns()))
def test_an_unknown_member_of_an_enumeration_cannot_enter(model: type[TableModel], name: str) -> None:
    """Polars refuses the value itself; a text column in its place is refused by the contract."""
    frame = sample(model)
    with pytest.raises(pl.exceptions.InvalidOperationError):
        frame.get_column(name).cast(pl.String).replace(None, "?").set(pl.Series([True] * frame.height), "?").cast(
            frame.schema[name]
        )
    with pytest.raises(ContractError, match=f"column '{name}'"):
        model.validate(frame.with_columns(pl.col(name).cast(pl.String)), where=WHERE)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
class TestColumns:
    def test_a_missing_column_is_named(self, model: type[TableModel]) -> None:
        name = next(iter(model.columns))
        with pytest.raises(ContractError, match=rf"missing: \['{name}'\]"):
            model.validate(sample(model).drop(name))

    def test_an_extra_column_is_named(self, model: type[TableModel]) -> None:
        with pytest.raises(ContractError, match=r"not part of the table: \['surplus'\]"):
            model.validate(sample(model).with_columns(surplus=1))

    def test_another_order_is_refused(self, model: type[TableModel]) -> None:
        with pytest.raises(ContractError, match="in the order"):
            model.validate(sample(model).select(reversed(list(model.columns))))

    def test_another_type_is_refused_with_both_types(self, model: type[TableModel]) -> None:
        name, column = list(model.columns.items())[-1]
        with pytest.raises(ContractError, match=f"column '{name}'.*is Binary") as caught:
            model.validate(sample(model).with_columns(pl.lit(b"x").alias(name)))
        assert str(column.dtype) in str(caught.value)

    def test_every_column_says_what_it_means(self, model: type[TableModel]) -> None:
        for name, column in model.columns.items():
            assert len(column.description) > 3, name
            assert not column.nullable or "null" in column.description or "only" in column.description, name


@pytest.mark.parametrize("model", [model for model in MODELS if model.key], ids=lambda model: model.name)
class TestOrder:
    def test_a_repeated_key_is_caught(self, model: type[TableModel]) -> None:
        frame = sample(model)
        with pytest.raises(ContractError, match="no key twice"):
            model.validate(pl.concat([frame.head(2), frame.slice(1)]))

    def test_rows_out_of_order_are_caught_anywhere(self, model: type[TableModel]) -> None:
        frame = sample(model)
        for row in range(frame.height - 1):
            swapped = [*range(row), row + 1, row, *range(row + 2, frame.height)]
            with pytest.raises(ContractError, match="rows in order"):
                model.validate(frame[swapped])

    def test_order_is_checked_between_frames(self, model: type[TableModel]) -> None:
        frame = sample(model)
        check_continuity(model, frame[1:2], frame[2:3], WHERE)
        for later, earlier in ((2, 1), (1, 1)):
            with pytest.raises(ContractError, match="rows in order"):
                check_continuity(model, frame[later : later + 1], frame[earlier : earlier + 1], WHERE)


@pytest.mark.parametrize("model", [model for model in MODELS if model.constant], ids=lambda model: model.name)
def test_a_second_contract_is_caught_within_and_between_frames(model: type[TableModel]) -> None:
    frame, (name,) = sample(model), model.constant
    other = frame.with_columns(pl.lit("ESM4").alias(name))
    with pytest.raises(ContractError, match=f"one {name} per partition"):
        model.validate(pl.concat([frame.head(2), other.slice(2)]))
    with pytest.raises(ContractError, match=f"one {name} per partition"):
        check_continuity(model, frame[1:2], other[2:3], WHERE)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_no_float_of_any_kind_but_a_number_gets_in(value: float) -> None:
    model = all_tables()["silver.radar_vacuum_1s"]
    with pytest.raises(ContractError, match="no NaN, no infinity"):
        model.validate(plant(sample(model), BAD_ROW, {"d3_bid_com_disp_log": value}))


def test_failure_cases_are_capped_and_counted_in_full() -> None:
    model = all_tables()["silver.trade"]
    row = sample(model)[0:1].drop("event_id")
    many = pl.concat([row] * 500).with_columns(event_id=pl.int_range(500, dtype=pl.Int64), qty=pl.lit(-1, pl.Int64))
    with pytest.raises(ContractError) as caught:
        model.validate(many.select(model.schema().names()))
    (violation,) = caught.value.violations
    assert violation.rows == 500
    assert len(violation.examples) == MAX_EXAMPLES


def test_the_environment_cannot_switch_validation_off(monkeypatch: pytest.MonkeyPatch) -> None:
    from pandera.config import reset_config_context

    monkeypatch.setenv("PANDERA_VALIDATION_ENABLED", "False")
    monkeypatch.setenv("PANDERA_VALIDATION_DEPTH", "SCHEMA_ONLY")
    reset_config_context()
    model = all_tables()["silver.trade"]
    with pytest.raises(ContractError, match="qty >= 0"):
        model.validate(plant(sample(model), BAD_ROW, {"qty": -1}))
    monkeypatch.undo()
    reset_config_context()
