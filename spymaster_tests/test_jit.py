"""The rule that keeps cached kernels true: a kernel calls kernels of its own sub-package only (see `spymaster.jit`)."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

from numba import types

import spymaster
from spymaster import jit
from spymaster.jit import kernel

PACKAGE = Path(spymaster.__file__).parent


def compiled_names(path: Path) -> set[str]:
    """Functions of a module that carry a kernel decorator."""
    tree = ast.parse(path.read_text())
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if "kernel" in ast.unparse(decorator)
    }


def test_kernels_call_kernels_of_their_own_sub_package_only() -> None:
    kernels = {path: names for path in PACKAGE.rglob("*.py") if (names := compiled_names(path))}
    assert len(kernels) >= 5
    by_module = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): names for path, names in kernels.items()
    }
    foreign = []
    for path in kernels:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module in by_module:
                taken = {alias.name for alias in node.names} & by_module[node.module]
                home = (PACKAGE.parent / Path(*node.module.split("."))).parent
                if taken and home != path.parent and home not in path.parents:
                    foreign.append(f"{path.relative_to(PACKAGE)} takes {sorted(taken)} from {node.module}")
    assert foreign == []


@kernel(literals=False)
def _shared(x):
    return 2 * x


@kernel()
def _versioned(x):
    return 2 * x


def test_constants_make_versions_of_a_kernel_unless_it_says_otherwise() -> None:
    constant = types.literal(3)
    assert _shared.get_call_template((constant,), {})[2] == (types.int64,)
    assert _versioned.get_call_template((constant,), {})[2] == (constant,)


def test_a_chosen_cache_directory_is_keyed_by_the_sources_too(tmp_path: Path, monkeypatch) -> None:
    """A directory that is shared between versions must not serve one version's kernels to another."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    chosen = Path(jit._cache_directory.__wrapped__(PACKAGE / "book"))
    assert chosen.parent == tmp_path / "spymaster"
    assert chosen.name.startswith("book-")


def test_cache_directory_follows_the_sources(tmp_path: Path) -> None:
    folder = tmp_path / "book"
    folder.mkdir()
    (folder / "kernel.py").write_text("a = 1\n")
    before = jit._cache_directory.__wrapped__(folder)
    assert before == jit._cache_directory.__wrapped__(folder)
    (folder / "levels.py").write_text("b = 2\n")
    assert jit._cache_directory.__wrapped__(folder) != before


def test_cache_directory_follows_the_sub_package_around(tmp_path: Path, monkeypatch) -> None:
    """A nested sub-package bakes in constants and kernels of the one it lies in."""
    monkeypatch.setattr(jit, "PACKAGE", tmp_path)
    folder = tmp_path / "simulator" / "options"
    folder.mkdir(parents=True)
    (folder / "kernel.py").write_text("a = 1\n")
    (tmp_path / "simulator" / "layout.py").write_text("b = 1\n")
    before = jit._cache_directory.__wrapped__(folder)
    (tmp_path / "simulator" / "layout.py").write_text("b = 2\n")
    assert jit._cache_directory.__wrapped__(folder) != before


VERSIONS = """
from spymaster_tests.small_kernel import small
for value in ({},):
    small(value)
print(sum(small.stats.cache_misses.values()), sum(small.stats.cache_hits.values()))
"""


def test_of_processes_that_need_a_kernel_one_compiles_it_and_no_version_is_lost(tmp_path: Path) -> None:
    """Three processes at once, two of which need the same version, and one afterwards that needs both."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    def started(values: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", VERSIONS.format(values)]
        return subprocess.Popen(command, env=environment, cwd=PACKAGE.parent, stdout=subprocess.PIPE, text=True)

    together = [started(values) for values in ("1", "1", "1.0")]
    told = [[int(word) for word in one.communicate()[0].split()] for one in together]
    assert [sum(counts) for counts in zip(*told, strict=True)] == [2, 1]
    assert started("1, 1.0").communicate()[0].split() == ["0", "2"]
