"""What Dagster shows about a table (its contract) and about one materialised partition (figures and a picture)."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg
import polars as pl

from spymaster.lake.partition import Partition
from spymaster.tables.model import Column, TableModel
from spymaster.tables.reference import range_text, type_text
from spymaster_assets.recipe import Made
from spymaster_assets.resources import load_settings

OWNERS = ["team:spymaster"]
MAX_PICTURE_BYTES = 200_000
"""A picture is stored with its event for good; a larger one is left out with a note."""

ColumnSource = tuple[dg.AssetKey, Iterable[str]]
"""An upstream asset and the names of its columns."""


def asset_key(model: type[TableModel]) -> dg.AssetKey:
    """`[layer, table]`."""
    return dg.AssetKey([model.layer, model.name])


def raw_key(table: str, product_type: str = "future") -> dg.AssetKey:
    """`[raw, table]`, of options `[raw, option_table]`: the external asset of a kind of raw file."""
    return dg.AssetKey(["raw", f"option_{table}" if product_type == "future_option" else table])


def column_schema(model: type[TableModel]) -> dg.TableSchema:
    """The table's columns with types, meanings, units and ranges, and its invariants as table constraints."""
    return dg.TableSchema(
        columns=[_column(name, column) for name, column in model.columns.items()],
        constraints=dg.TableConstraints(other=[invariant.sentence for invariant in model.invariants]),
    )


def _column(name: str, column: Column) -> dg.TableColumn:
    unit = f" [{column.unit}]" if column.unit else ""
    limits = range_text(column)
    return dg.TableColumn(
        name,
        type_text(column.dtype),
        f"{column.description}{unit}",
        dg.TableColumnConstraints(nullable=column.nullable, other=[limits] if limits else []),
    )


def column_lineage(
    model: type[TableModel], sources: Iterable[ColumnSource], declared: Mapping[str, Iterable[str]]
) -> dg.TableColumnLineage:
    """Which upstream columns each column comes from.

    A column without a declaration comes from the upstream columns of its own name; `declared` names others, and its
    entry `*` is for every column that has neither.
    """
    sources = [(key, frozenset(columns)) for key, columns in sources]

    def dependencies(names: Iterable[str]) -> list[dg.TableColumnDep]:
        return [dg.TableColumnDep(key, name) for name in names for key, columns in sources if name in columns]

    rest = dependencies(declared.get("*", ()))
    return dg.TableColumnLineage({name: dependencies(declared.get(name, (name,))) or rest for name in model.columns})


def partition_metadata(made: Made) -> dict[str, Any]:
    """Figures of one partition: rows, bytes, time, speed, validity, spot range, counters, gaps, and a picture."""
    partition, manifest = made.partition, made.partition.manifest
    metadata: dict[str, Any] = {
        "dagster/partition_row_count": manifest.rows,
        "rows": manifest.rows,
        "bytes": partition.path.stat().st_size,
        "path": dg.MetadataValue.path(str(partition.path)),
        "reused": made.reused,
        "content_hash": manifest.content_hash,
        "provenance": manifest.provenance,
        "inputs": manifest.inputs_read,
    }
    if manifest.dataset:
        metadata["dataset"] = manifest.dataset
    if manifest.time_span:
        metadata["first"], metadata["last"] = manifest.time_span
    if manifest.empty_reason:
        metadata["empty_reason"] = manifest.empty_reason
    metadata |= _counters(manifest.counters)
    metadata |= {name: dg.MetadataValue.json(note) for name, note in manifest.notes.items()}
    if not made.reused:
        metadata["seconds"] = round(made.seconds, 3)
        messages = manifest.counters.get("records")
        if isinstance(messages, int) and made.seconds > 0:
            metadata["messages_per_second"] = round(messages / made.seconds)
    return metadata | _frame_figures(partition) | _picture(partition)


def _counters(counters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value if isinstance(value, int | float | str) else dg.MetadataValue.json(value)
        for name, value in counters.items()
    }


def _frame_figures(partition: Partition) -> dict[str, float]:
    """Share of valid windows and the range of spot, for tables that have them."""
    columns = set(partition.scan().collect_schema().names())
    figures = []
    if "window_valid" in columns:
        figures.append(pl.col("window_valid").mean().alias("valid_share"))
    if "spot_ref_price_int" in columns:
        spot = pl.col("spot_ref_price_int") / 1e9
        figures += [spot.min().alias("spot_low"), spot.max().alias("spot_high")]
    if not figures or not partition.rows:
        return {}
    row = partition.scan().select(figures).collect().row(0, named=True)
    return {name: value for name, value in row.items() if value is not None}


def _picture(partition: Partition) -> dict[str, Any]:
    """The table drawn, as an image that Markdown embeds; nothing for tables that a person would rather read."""
    if not load_settings().pictures:
        return {}
    started = time.perf_counter()
    from spymaster.surfaces.pictures import picture

    image = picture(partition)
    if image is None:
        return {}
    if len(image) > MAX_PICTURE_BYTES:
        return {"picture": f"left out: {len(image)} bytes"}
    encoded = base64.b64encode(image).decode("ascii")
    return {
        "picture": dg.MetadataValue.md(f"![{partition.label}](data:image/png;base64,{encoded})"),
        "picture_seconds": round(time.perf_counter() - started, 3),
    }
