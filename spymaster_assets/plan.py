"""What `spymaster run` has to do: which tables, which sessions, in which stages and shares.

Workers get contiguous ranges of dates. A step that reads earlier dates must not start before those dates of the
request are done, so recipes are ordered in stages: a table that reads the history of another belongs to a later stage
than that one, and a stage starts when the one before is over for all dates of the symbol. The tables therefore do not
depend on the number of workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from spymaster.lake.lake import Lake
from spymaster.lake.layout import PRODUCT_TYPES
from spymaster.lake.raw import raw_files
from spymaster_assets.factory import recipe_of
from spymaster_assets.inputs import FROM_LAKE, Declared, History, Raw, Same, TableInput
from spymaster_assets.partitions import SessionKey
from spymaster_assets.recipe import Recipe


@dataclass(frozen=True)
class Stage:
    """Recipes that may run together on a range of dates, with the tables wanted of them (full names).

    `sequential` stages hold a table that reads its own earlier partitions, or is made for the last date only: one
    worker has to do all dates in order.
    """

    recipes: tuple[Recipe, ...]
    tables: frozenset[str]
    sequential: bool


class Catalogue:
    """The recipes of the definitions, by the tables they make."""

    def __init__(self, assets: Iterable[dg.AssetsDefinition]) -> None:
        self.recipes = [recipe for one in assets if (recipe := recipe_of(one)) is not None]
        self._maker = {model.full_name: recipe for recipe in self.recipes for model in recipe.models}

    def tables(self, layer: str = "all", product_type: str = "all") -> frozenset[str]:
        """Tables of a layer and product type (`all`: of every one)."""
        return frozenset(
            name
            for name, recipe in self._maker.items()
            if layer in ("all", name.split(".")[0]) and product_type in ("all", self.product_type(recipe))
        )

    def product_type(self, recipe: Recipe) -> str:
        """`future_option` for what needs raw files of options, at whatever distance, else `future`.

        What is taken along where it is there (a history with `dates_of`, an optional partition) is not needed.
        """
        inputs = [item for item in recipe.inputs.values() if not _taken_along(item)]
        upstream = {self._maker[item.model.full_name].name for item in inputs if not isinstance(item, FROM_LAKE)}
        of_options = any(isinstance(item, Raw) and item.product_type == "future_option" for item in inputs) or any(
            self.product_type(other) == "future_option"
            for other in self.recipes
            if other.name in upstream and other is not recipe
        )
        return "future_option" if of_options else "future"

    def with_upstream(self, tables: frozenset[str], product_type: str = "all") -> frozenset[str]:
        """`tables` and everything they are made from; for futures alone, without what they only take along."""
        wanted = set(tables)
        todo = list(wanted)
        while todo:
            for upstream in self._upstream(self._maker[todo.pop()], needed_only=product_type == "future"):
                if upstream not in wanted:
                    wanted.add(upstream)
                    todo.append(upstream)
        return frozenset(wanted)

    def stages(self, tables: frozenset[str]) -> list[Stage]:
        """The recipes of `tables`, stage by stage."""
        levels: dict[str, int] = {}
        for recipe in self.recipes:
            self._level(recipe, levels)
        wanted = [recipe for recipe in self.recipes if any(model.full_name in tables for model in recipe.models)]
        result = []
        for level in sorted({levels[recipe.name] for recipe in wanted}):
            members = tuple(recipe for recipe in wanted if levels[recipe.name] == level)
            names = frozenset(model.full_name for recipe in members for model in recipe.models) & tables
            result.append(Stage(members, names, any(_in_one_go(recipe) for recipe in members)))
        return result

    def first_stale(
        self, lake: Lake, sessions: Sequence[SessionKey], tables: frozenset[str], known: Mapping[str, frozenset[str]]
    ) -> int | None:
        """Position of the first of `sessions` (one symbol, in date order) that is not complete and fresh.

        Later sessions may depend on what changes, so everything from there on has to be gone through. `known` are the
        partitions Dagster has on record per table: what it has never heard of is gone through too.
        """
        for position, session in enumerate(sessions):
            wanted = tables if session == sessions[-1] else tables - self.last_only()
            recipes = [recipe for recipe in self.recipes if any(model.full_name in wanted for model in recipe.models)]
            if any(str(session) not in known.get(table, frozenset()) for table in wanted):
                return position
            if not all(recipe.is_fresh(lake, session, open_inputs(lake, recipe), wanted) for recipe in recipes):
                return position
        return None

    def last_only(self) -> frozenset[str]:
        """Tables that a request makes for its last date only."""
        return frozenset(model.full_name for recipe in self.recipes if recipe.last_only for model in recipe.models)

    def _level(self, recipe: Recipe, levels: dict[str, int]) -> int:
        if recipe.name not in levels:
            levels[recipe.name] = 0  # own history does not raise the level
            levels[recipe.name] = max(
                (
                    self._level(self._maker[item.model.full_name], levels) + isinstance(item, History)
                    for item in recipe.inputs.values()
                    if not isinstance(item, FROM_LAKE) and self._maker[item.model.full_name] is not recipe
                ),
                default=0,
            )
        return levels[recipe.name]

    @staticmethod
    def _upstream(recipe: Recipe, *, needed_only: bool) -> set[str]:
        return {
            item.model.full_name
            for item in recipe.inputs.values()
            if not isinstance(item, FROM_LAKE) and not (needed_only and _taken_along(item))
        }


def open_inputs(lake: Lake, recipe: Recipe) -> dict[str, TableInput]:
    """The inputs of a recipe without Dagster: every partition of the lake is in sight."""
    return {
        name: TableInput(lake, item.model, None) for name, item in recipe.inputs.items() if not isinstance(item, Raw)
    }


def shares(lake: Lake, sessions: Sequence[SessionKey], workers: int) -> list[list[SessionKey]]:
    """Cut sessions of one symbol into at most `workers` contiguous ranges of about equal raw bytes."""
    sizes = [1 + _raw_bytes(lake, session) for session in sessions]
    total, result, done = sum(sizes), [[] for _ in range(workers)], 0
    for session, size in zip(sessions, sizes, strict=True):
        result[min(workers - 1, (done + size // 2) * workers // total)].append(session)
        done += size
    return [share for share in result if share]


def has_raw(lake: Lake, session: SessionKey) -> bool:
    """Whether the session's market-by-order file is there."""
    return bool(raw_files(lake, session.symbol, "market_by_order_dbn", session.dt))


def _raw_bytes(lake: Lake, session: SessionKey) -> int:
    return sum(
        file.path.stat().st_size
        for product_type in PRODUCT_TYPES
        for file in raw_files(lake, session.symbol, "market_by_order_dbn", session.dt, product_type)
    )


def _taken_along(item: Declared) -> bool:
    """Whether an input is read as far as it is there, and its absence is no reason to wait."""
    return (isinstance(item, History) and item.dates_of is not None) or (isinstance(item, Same) and item.optional)


def _in_one_go(recipe: Recipe) -> bool:
    """Whether one worker has to go through all dates of a request."""
    made = {model.full_name for model in recipe.models}
    reads_itself = any(not isinstance(item, Raw) and item.model.full_name in made for item in recipe.inputs.values())
    return recipe.last_only or reads_itself
