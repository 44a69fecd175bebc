"""The little that is read from a future's symbol."""

from __future__ import annotations

from datetime import date

import pytest

from spymaster.feed.symbols import contract_month, is_option_symbol, is_outright_symbol, root_of


@pytest.mark.parametrize("symbol", ["ESH4-ESM4", "CL:BF F4-G4-H4", "UD:1V: VT 2883423", "ESH4 C4800"])
def test_spreads_options_and_user_defined_instruments_are_not_outrights(symbol: str) -> None:
    assert not is_outright_symbol(symbol)
    assert root_of(symbol) is None
    assert contract_month(symbol, date(2024, 1, 1)) is None


@pytest.mark.parametrize(
    ("symbol", "root"),
    [("ESH4", "ES"), ("6EH4", "6E"), ("MESM24", "MES"), ("CLF5", "CL"), ("ZNH4", "ZN"), ("GC", None)],
)
def test_root_of_an_outright(symbol: str, root: str | None) -> None:
    assert is_outright_symbol(symbol)
    assert root_of(symbol) == root


@pytest.mark.parametrize(
    ("symbol", "on", "month"),
    [
        ("ESH4", date(2023, 12, 25), date(2024, 3, 1)),
        ("ESZ3", date(2023, 12, 15), date(2023, 12, 1)),
        ("ESH3", date(2023, 12, 15), date(2033, 3, 1)),
        ("CLF0", date(2029, 12, 15), date(2030, 1, 1)),
        ("ESM24", date(2023, 1, 1), date(2024, 6, 1)),
    ],
)
def test_delivery_month(symbol: str, on: date, month: date) -> None:
    assert contract_month(symbol, on) == month


def test_options_are_recognised() -> None:
    assert is_option_symbol("ESM4 C4250")
    assert is_option_symbol("E1AF4 P-5")
    assert not is_option_symbol("ESH4")
