"""Parts of the manifest from the registry and the table models: what there is, with units and meaning."""

from __future__ import annotations

from dataclasses import dataclass

from spymaster.serving.control import SurfaceStatus
from spymaster.serving.manifest import ColumnSpec, SurfaceSpec, TableColumn, TableSpec
from spymaster.serving.surfaces import Geometry, Transfers, WireSurface, column_dict
from spymaster.tables import TableModel
from spymaster.tables.model import type_name

NOT_MATERIALISED = "not materialised"
NOT_SERVED = "cannot be served yet"
UNREADABLE = "the partition cannot be read"


@dataclass(frozen=True)
class Status:
    """Whether something has data, and why not."""

    status: SurfaceStatus
    reason: str | None = None

    @property
    def ok(self) -> bool:
        """Whether there is data."""
        return self.status == "ok"


OK = Status("ok")


def surface_spec(
    surface: WireSurface, geometry: Geometry, transfers: Transfers, status: Status, *, orphan_rows: int = 0
) -> SurfaceSpec:
    """A wire surface as the manifest declares it."""
    return SurfaceSpec(
        id=surface.id,
        name=surface.name,
        description=surface.description,
        status=status.status,
        reason=status.reason,
        schema_rev=surface.schema_rev,
        absent=surface.absent,
        tiles=surface.tiles,
        default=surface.default,
        orphan_rows=orphan_rows,
        columns=[ColumnSpec(**column_dict(column, geometry, transfers)) for column in surface.columns],
    )


def table_spec(model: type[TableModel], status: Status, rows: int | None = None) -> TableSpec:
    """A stored table as the manifest declares it: everything comes from its model."""
    return TableSpec(
        name=model.name,
        layer=model.layer,
        status=status.status,
        reason=status.reason,
        rows=rows,
        description=model.description(),
        columns=[
            TableColumn(
                name=name,
                type=type_name(column.dtype),
                unit=column.unit,
                description=column.description,
                nullable=column.nullable,
            )
            for name, column in model.columns.items()
        ],
    )
