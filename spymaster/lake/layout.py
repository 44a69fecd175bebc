"""Where things lie under a lake root. Paths only: nothing here reads or writes.

_LAKE.json                                           kind of the root, parameter profile
raw/source=/product_type=/symbol=/table=/*.dbn[.zst] as received, never changed
{layer}/{table}/symbol={root}/dt=YYYY-MM-DD/         part-00000.parquet, _MANIFEST.json, _SUCCESS
selection/  reports/  truth/                         exports, rendered reports, truth of simulated roots
_staging/                                            files being written, outside every table
_locks/  _cache/                                     locks of partitions, hashes of raw files
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from spymaster.lake.errors import InvalidKeyError
from spymaster.settings import LAKE_FILE as LAKE_FILE

PART_FILE = "part-00000.parquet"
MANIFEST_FILE = "_MANIFEST.json"
SUCCESS_FILE = "_SUCCESS"

RAW_SOURCES = ("databento", "simulated")
PRODUCT_TYPES = ("future", "future_option")
RAW_TABLES = ("market_by_order_dbn", "definition", "statistics", "status")

_SYMBOL = re.compile(r"[A-Z0-9]+")


def is_symbol(text: str) -> bool:
    """Whether `text` can be a root symbol: upper-case letters and digits."""
    return _SYMBOL.fullmatch(text) is not None


def table_dir(root: Path, full_name: str) -> Path:
    """Folder of a table; `full_name` is `layer.table`."""
    layer, name = full_name.split(".", 1)
    return root / layer / name


def symbol_dir(root: Path, full_name: str, symbol: str) -> Path:
    """Folder of a table's partitions of one root symbol."""
    return table_dir(root, full_name) / _symbol_folder(symbol)


def partition_dir(root: Path, full_name: str, symbol: str, dt: date) -> Path:
    """Folder of one partition."""
    return symbol_dir(root, full_name, symbol) / f"dt={dt.isoformat()}"


def partition_label(full_name: str, symbol: str, dt: date) -> str:
    """How messages and lock files name a partition: `silver.trade ES 2024-01-02`."""
    return f"{full_name} {symbol} {dt.isoformat()}"


def raw_dir(root: Path, *, source: str, product_type: str, symbol: str, table: str) -> Path:
    """Folder of raw files of one kind.

    Raises `InvalidKeyError` for a source, product type or table outside `RAW_SOURCES`, `PRODUCT_TYPES`, `RAW_TABLES`.
    """
    for value, allowed, what in (
        (source, RAW_SOURCES, "source"),
        (product_type, PRODUCT_TYPES, "product type"),
        (table, RAW_TABLES, "raw table"),
    ):
        if value not in allowed:
            raise InvalidKeyError(f"'{value}' is not a {what}: one of {', '.join(allowed)}")
    return (
        root / "raw" / f"source={source}" / f"product_type={product_type}" / _symbol_folder(symbol) / f"table={table}"
    )


def _symbol_folder(symbol: str) -> str:
    if not is_symbol(symbol):
        raise InvalidKeyError(f"'{symbol}' is not a root symbol: upper-case letters and digits only, e.g. ES")
    return f"symbol={symbol}"


def staging_dir(root: Path) -> Path:
    """Files being written; anything in it that no process holds is a leftover."""
    return root / "_staging"


def locks_dir(root: Path) -> Path:
    """One file per partition under write."""
    return root / "_locks"


def cache_dir(root: Path) -> Path:
    """What can be computed again at any time."""
    return root / "_cache"


def selection_file(root: Path) -> Path:
    """Export of the contract choices of all dates."""
    return root / "selection" / "mbo_contract_day_selection.parquet"


def reports_dir(root: Path, kind: str, symbol: str) -> Path:
    """Rendered reports; `kind` is `evaluation` or `evidence`."""
    return root / "reports" / kind / f"symbol={symbol}"


def truth_dir(root: Path) -> Path:
    """What the simulator planted; simulated roots only."""
    return root / "truth"
