"""Where settings come from, which one wins, and what a wrong one says."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from spymaster.settings import DEFAULTS_FILE, InvalidSettingsError, Settings, get_settings


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No `spymaster.toml` and no `SPYMASTER_*` of the machine that runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("SPYMASTER_"):
            monkeypatch.delenv(name)


def test_the_shipped_defaults_are_those_of_the_code() -> None:
    """Two places state each default; a change of one must not go unnoticed."""
    in_code = {name: field.get_default(call_default_factory=True) for name, field in Settings.model_fields.items()}
    settings = get_settings()
    assert {name: getattr(settings, name) for name in in_code} == in_code
    assert DEFAULTS_FILE.is_file()


def test_the_user_file_overrides_single_entries() -> None:
    Path("spymaster.toml").write_text('lake_root = "/data"\nstart_date = 2024-05-01\n[engine]\nrest_ns = 250_000_000\n')
    settings = get_settings()
    assert settings.lake_root == "/data"
    assert settings.start_date == date(2024, 5, 1)
    assert settings.engine.rest_ns == 250_000_000
    assert settings.engine.grid_ticks == 600


def test_the_environment_wins_over_the_file_and_arguments_over_both(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("spymaster.toml").write_text('lake_root = "/file"\n[engine]\nrest_ns = 1\n')
    monkeypatch.setenv("SPYMASTER_LAKE_ROOT", "/environment")
    monkeypatch.setenv("SPYMASTER_ENGINE__REST_NS", "2")
    assert get_settings().lake_root == "/environment"
    assert get_settings().engine.rest_ns == 2
    assert get_settings(lake_root="/argument").lake_root == "/argument"


def test_nothing_is_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    assert get_settings().lake_root == "lake"
    monkeypatch.setenv("SPYMASTER_LAKE_ROOT", "/other")
    assert get_settings().lake_root == "/other"


@pytest.mark.parametrize("text", ["ES,NQ", " ES , NQ ", '["ES", "NQ"]'])
def test_symbols_are_easy_to_write_in_the_environment(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPYMASTER_SYMBOLS", text)
    assert get_settings().symbols == ["ES", "NQ"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("lake_rot = 'x'\n", "lake_rot"),
        ("[engine]\nrest = 3\n", r"engine\.rest = 3"),
        ("[engine]\nrest_ns = -1\n", r"engine\.rest_ns = -1"),
        ("[engine]\ngrid_ticks = 601\n", r"engine\.grid_ticks = 601"),
        ("[bands]\nease_vacuum = 0.9\n", "add up to 1"),
        ("symbols = []\n", "at least one"),
        ("symbols = ['es']\n", "upper case"),
        ("symbols = ['ES', 'ES']\n", "named twice"),
        ("parameter_profile = 'fast'\n", "parameter_profile"),
        ("lake_root = \n", "cannot be read"),
    ],
)
def test_a_wrong_setting_is_named(content: str, message: str) -> None:
    Path("spymaster.toml").write_text(content)
    with pytest.raises(InvalidSettingsError, match=message):
        get_settings()


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPYMASTER_START_DATE", "yesterday")
    with pytest.raises(InvalidSettingsError, match="start_date = 'yesterday'"):
        get_settings()
    monkeypatch.setenv("SPYMASTER_START_DATE", "2024-01-01")
    monkeypatch.setenv("SPYMASTER_SYMBOLS", '["ES"')
    with pytest.raises(InvalidSettingsError):
        get_settings()
