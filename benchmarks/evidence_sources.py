"""Which sources figures of some tests are made by: those of the other tests are not among them.

A change of one test leaves what was measured of the others standing. What a module imports is read from its text; a
module that only tests reach which were not run has no part in their figures.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path

import spymaster.evidence
from spymaster.evidence.families import TESTS

PACKAGE = Path(spymaster.evidence.__file__).parent
NAME = spymaster.evidence.__name__


def modules_of(tests: Collection[str], users: Collection[Path]) -> list[str]:
    """Names of the modules of `spymaster.evidence` that some tests run by, in order.

    users: files that run them; what these import counts, but for the modules of other tests.
    """
    own = {test: run.__module__.removeprefix(f"{NAME}.") for test, (run, _) in TESTS.items()}
    wanted = {own[test] for test in tests}
    left_out = set(own.values()) - wanted
    found: set[str] = set()
    waiting = [*wanted, *(name for path in users for name in _imported(path))]
    while waiting:
        name = waiting.pop()
        if name in found or name in left_out:
            continue
        found.add(name)
        waiting += _imported(PACKAGE / f"{name}.py")
    return sorted(found)


@lru_cache
def _imported(path: Path) -> tuple[str, ...]:
    return tuple(_named(ast.parse(path.read_text(encoding="utf-8"))))


def _named(tree: ast.Module) -> Iterator[str]:
    """Modules that a file imports by `from spymaster.evidence import a` or `from spymaster.evidence.a import ...`."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or node.module is None:
            continue
        if node.module == NAME:
            yield from (alias.name for alias in node.names)
        elif node.module.startswith(f"{NAME}."):
            yield node.module.removeprefix(f"{NAME}.").split(".")[0]
