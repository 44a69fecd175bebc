"""The lake as a Dagster resource, and which lake and settings the definitions are built for."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import dagster as dg

from spymaster.lake.lake import Lake
from spymaster.settings import Settings, get_settings

OVERWRITE_TAG = "spymaster/overwrite"
"""Run tag: full names of tables (comma-separated, or `*`) to compute again although they are complete and fresh."""

SYMBOL_TAG = "spymaster/symbol"
"""Run tag of scheduled and sensed runs: `dagster.yaml` lets one of them per symbol run at a time, in order."""


@cache
def load_settings() -> Settings:
    """The settings this process loaded the definitions with; a code location is reloaded to read them again."""
    return get_settings()


class LakeResource(dg.ConfigurableResource):
    """A lake root; opened when a step needs it, so that definitions load where there is no lake yet."""

    root: str

    def open(self) -> Lake:
        """The lake. Raises `LakeNotFoundError` naming the root where there is none."""
        return Lake.open(self.root, settings=load_settings())


def lake_resource() -> LakeResource:
    """The lake that the settings name, as an absolute path (runs may start in another folder)."""
    return LakeResource(root=str(Path(load_settings().lake_root).expanduser().absolute()))
