"""The instrument file: exact ticks, user extension, and errors that name the file and the field."""

from __future__ import annotations

from pathlib import Path

import pytest

from spymaster.market.instruments import InstrumentConfigError, UnknownInstrumentError, instrument, load_instruments
from spymaster.settings import Settings


def extended(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return Settings(instruments_file=path)


def test_shipped_instruments_have_exact_ticks() -> None:
    known = load_instruments(Settings())
    assert {"ES", "NQ", "RTY", "YM", "CL", "GC", "ZN", "6E"} <= set(known)
    assert known["ES"].tick_size_int == 250_000_000
    assert known["ES"].multiplier == 50
    assert known["CL"].tick_size_int == 10_000_000
    assert known["ZN"].tick_size_int == 15_625_000
    assert known["6E"].tick_size_int == 50_000
    assert known["6J"].tick_size_int == 500
    assert all(item.root == root and item.eps_qty == 1.0 for root, item in known.items())


def test_a_user_file_adds_roots_and_overrides_single_fields(tmp_path: Path) -> None:
    settings = extended(
        tmp_path,
        "[instruments.ES]\neps_qty = 2.5\n"
        '[instruments.LE]\nexchange = "XCME"\ntick_size = 0.00025\nmultiplier = 400.5\nsession_close = ""\n',
    )
    assert instrument("ES", settings).eps_qty == 2.5
    assert instrument("ES", settings).tick_size_int == 250_000_000
    cattle = instrument("LE", settings)
    assert (cattle.tick_size_int, cattle.multiplier, cattle.session_close) == (250_000, 400.5, None)


def test_an_unknown_root_names_the_known_ones_and_the_file_to_extend(tmp_path: Path) -> None:
    with pytest.raises(UnknownInstrumentError, match=r"'XX'.*CL.*ES[\s\S]*instruments_file"):
        instrument("XX", Settings())
    settings = extended(tmp_path, "")
    with pytest.raises(UnknownInstrumentError, match=r"mine\.toml"):
        instrument("XX", settings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[instruments.ES]\ntick_size = 0.0000000001", r"mine\.toml.*\[instruments\.ES\] tick_size"),
        ("[instruments.ES]\ntick_size = -1", "tick_size"),
        ("[instruments.ES]\nmultiplier = 'a'", "multiplier"),
        ("[instruments.ES]\nmultiplier = nan", "multiplier"),
        ("[instruments.ES]\ntick_size = inf", "tick_size"),
        ("[instruments.ES]\nsession_close = '25:99'", "session_close"),
        ("[instruments.ES]\ncalendar = ''", "calendar"),
        ("[instruments.ES]\nbucket_ticks = 1.5", "bucket_ticks"),
        ("[instruments.ES]\ntik_size = 1", "tik_size is not a field"),
        ("[instruments.NEW]\nmultiplier = 1", "is missing"),
        ("[ES]\ntick_size = 1", "unknown top-level table 'ES'"),
        ("instruments = 3", "instruments"),
        ("not toml", "not valid TOML"),
    ],
)
def test_bad_instrument_files_name_file_and_field(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InstrumentConfigError, match=message) as caught:
        load_instruments(extended(tmp_path, text))
    assert "mine.toml" in str(caught.value)


def test_a_missing_instrument_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InstrumentConfigError, match=r"absent\.toml"):
        load_instruments(Settings(instruments_file=tmp_path / "absent.toml"))
