"""Integrity checks of the tables, run by Dagster's asset checks and by `spymaster check`.

Every module of this package is searched for `Check` objects (and lists of them): a new check is a new function, nothing
else to register.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache

from spymaster.checks.base import Check, CheckResult, Finding, Session, Severity, Suite, check

__all__ = ["Check", "CheckResult", "Finding", "Session", "Severity", "Suite", "all_checks", "check", "checks_for"]


@cache
def all_checks() -> tuple[Check, ...]:
    """Every check of the package, ordered by table and name; two checks with one key are a programming error."""
    found: dict[str, Check] = {}
    for module in pkgutil.iter_modules(__path__):
        for value in vars(importlib.import_module(f"{__name__}.{module.name}")).values():
            for item in value if isinstance(value, (list, tuple)) else (value,):
                if not isinstance(item, Check):
                    continue
                if found.setdefault(item.key, item) is not item:
                    raise RuntimeError(f"two checks are called {item.key}")
    return tuple(found[key] for key in sorted(found))


def checks_for(*, table: str | None = None, suites: Iterable[Suite] = tuple(Suite)) -> tuple[Check, ...]:
    """Checks that are about `table` (all tables when None) in the given suites."""
    wanted = set(suites)
    return tuple(item for item in all_checks() if item.suite in wanted and table in (None, item.tables[0]))
