"""The shape of the project: import floors, module sizes, nothing tied to one machine, nothing undocumented."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from spymaster.tables import all_tables

REPOSITORY = Path(__file__).resolve().parent.parent
LONGEST_MODULE = 400


def tracked_files() -> list[Path]:
    """Files that git would ship; the whole tree (without caches and environments) where git is absent."""
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == 0 and done.stdout:
        names = [REPOSITORY / name for name in done.stdout.splitlines()]
    else:
        hidden = re.compile(r"/(\.venv|\.git|__pycache__|\.pytest_cache|\.ruff_cache|lake)/")
        names = [path for path in REPOSITORY.rglob("*") if not hidden.search(f"/{path.relative_to(REPOSITORY)}/")]
    return [path for path in names if path.is_file()]


def text_files() -> dict[str, str]:
    """Relative name to content of every tracked text file."""
    result = {}
    for path in tracked_files():
        try:
            result[path.relative_to(REPOSITORY).as_posix()] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return result


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return text_files()


def test_imports_point_downwards_only() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_module_holds_more_than_one_concept_needs(texts: dict[str, str]) -> None:
    lengths = {name: text.count("\n") for name, text in texts.items() if name.endswith(".py")}
    long = {name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE}
    for name, lines in sorted(long.items()):
        warnings.warn(f"{name} has {lines} lines (house limit {LONGEST_MODULE})", stacklevel=1)
    assert all(lines <= 1.5 * LONGEST_MODULE for lines in long.values()), long


def test_nothing_names_one_machine(texts: dict[str, str]) -> None:
    """Absolute paths of a workplace and private package hosts do not belong into a repository."""
    machine_path = re.compile(r"(?<![\w.~$}/])/(?:work|root|home|Users|farm|mnt|tmp/[a-z])/[\w.-]+")
    offending = {
        f"{name}: {match.group(0)}"
        for name, text in texts.items()
        if name != "spymaster_tests/test_architecture.py"
        for match in machine_path.finditer(text)
    }
    assert not offending
    hosts = set(re.findall(r'(?:registry|url) = "https?://([^/"]+)', texts["uv.lock"]))
    assert hosts == {"pypi.org", "files.pythonhosted.org"}


def test_licensed_market_data_is_not_in_the_repository() -> None:
    data = [path for path in tracked_files() if re.search(r"\.(dbn|zst|parquet|arrow|feather)$", path.name)]
    assert not data


GENERATED = ("uv.lock", "tables.md", "bundle-max.bin")
"""Files that grow with the project: locked packages, the reference of all columns, and the largest frame."""


def test_no_file_is_large() -> None:
    large = {
        path.relative_to(REPOSITORY).as_posix(): path.stat().st_size
        for path in tracked_files()
        if path.stat().st_size > 160_000 and path.name not in GENERATED
    }
    assert not large


@pytest.mark.parametrize("full_name", sorted(all_tables()))
def test_every_table_has_a_reference_section(full_name: str, texts: dict[str, str]) -> None:
    assert f"\n## {full_name}\n" in texts["docs/reference/tables.md"]


def test_links_between_documents_lead_somewhere(texts: dict[str, str]) -> None:
    broken = []
    for name, text in texts.items():
        if not name.endswith(".md"):
            continue
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", prose):
            path, _, anchor = target.partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            file = (REPOSITORY / name).parent / path if path else REPOSITORY / name
            if not file.exists():
                broken.append(f"{name} -> {target}")
            elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text(encoding="utf-8")):
                broken.append(f"{name} -> {target} (no such heading)")
    assert not broken


def anchors(markdown: str) -> set[str]:
    """Anchors that a Markdown page offers for its headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", markdown, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
