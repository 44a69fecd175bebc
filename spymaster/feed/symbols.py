"""What the raw symbol of a future says by itself. The only place where symbols are taken apart.

Definitions say all this better: instrument class, asset, expiration. Symbols are read only where there is no definition
(`origin` fallback), and to refuse files of another root.
"""

from __future__ import annotations

import re
from datetime import date

MONTH_CODES = "FGHJKMNQUVXZ"
_OUTRIGHT = re.compile(rf"([A-Z0-9]{{1,5}}?)([{MONTH_CODES}])(\d{{1,2}})")
_OPTION = re.compile(r"[A-Z0-9]+ [CP]-?\d+")


def is_outright_symbol(symbol: str) -> bool:
    """Whether a future's symbol names one contract and not a spread or a user-defined instrument.

    CME writes those with '-' between legs (`ESH4-ESM4`), ':' for strategies (`CL:BF F4-G4-H4`, `UD:1V: ...`) or spaces.
    """
    return not any(mark in symbol for mark in "-: ")


def is_option_symbol(symbol: str) -> bool:
    """Whether a symbol is written like a CME option on a future: `ESM4 C4250`."""
    return _OPTION.fullmatch(symbol) is not None


def root_of(symbol: str) -> str | None:
    """Root of an outright's symbol (`6EH4` -> `6E`); None where the symbol is not of that form."""
    match = _OUTRIGHT.fullmatch(symbol)
    return match[1] if match else None


def contract_month(symbol: str, on: date) -> date | None:
    """First day of the delivery month of an outright's symbol; None where the symbol is not of that form.

    One digit names the year of its decade: the first one whose month is not over `on` that date, as an exchange lists
    no contract that has been delivered.
    """
    match = _OUTRIGHT.fullmatch(symbol)
    if not match:
        return None
    month, digits = MONTH_CODES.index(match[2]) + 1, match[3]
    if len(digits) == 2:
        return date(2000 + int(digits), month, 1)
    year = on.year + (int(digits) - on.year) % 10
    return date(year if (year, month) >= (on.year, on.month) else year + 10, month, 1)
