"""Errors about the contract of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from spymaster.errors import SpymasterError

MAX_EXAMPLES = 20


class UnknownTableError(SpymasterError):
    """No table model of this name; the message lists the known ones."""


@dataclass(frozen=True)
class Violation:
    """One broken rule of a table: its name and sentence, how many rows break it, and the first of them."""

    rule: str
    sentence: str
    rows: int
    column: str | None = None
    examples: tuple[dict[str, Any], ...] = field(default=())

    def __str__(self) -> str:
        subject = f"column '{self.column}' breaks '{self.rule}'" if self.column else f"'{self.rule}' is broken"
        text = f"{subject} ({self.sentence})"
        if self.rows:
            text += f" in {self.rows} row{'s' if self.rows > 1 else ''}"
        if self.examples:
            shown = ", ".join(f"{name}={value}" for name, value in self.examples[0].items())
            text += f"; first: {shown}"
        return text


class ContractError(SpymasterError):
    """A frame does not keep the contract of its table. `violations` holds at most 20 example rows in all."""

    def __init__(self, table: str, where: str, violations: Sequence[Violation]) -> None:
        self.table = table
        self.where = where
        self.violations = tuple(violations)
        place = f"{table} ({where})" if where else table
        super().__init__(f"{place}: " + "; ".join(str(violation) for violation in self.violations))
