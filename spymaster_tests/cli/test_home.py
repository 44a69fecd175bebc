"""One Dagster home per lake root, made from the one instance configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from spymaster.cli import home
from spymaster.cli.home import DagsterConfigError, dagster_home, environment, instance_config, prepare_home


@pytest.fixture(autouse=True)
def _no_home(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


def storage_folders(config: Path) -> set[str]:
    """Every folder that an instance configuration writes to."""
    settings = yaml.safe_load(config.read_text())
    return {
        settings["storage"]["custom"]["config"]["base_dir"],
        settings["local_artifact_storage"]["config"]["base_dir"],
        settings["compute_logs"]["config"]["base_dir"],
    }


def test_every_root_has_a_home_and_storage_of_its_own(tmp_path: Path):
    folders = [storage_folders(prepare_home(tmp_path / name) / "dagster.yaml") for name in ("real", "demo")]
    assert all(Path(folder).is_relative_to(tmp_path / "real" / "_dagster") for folder in folders[0])
    assert all(Path(folder).is_relative_to(tmp_path / "demo" / "_dagster") for folder in folders[1])


def test_the_default_root_uses_the_storage_that_the_top_level_file_names():
    repository = home.template().parent
    top_level = {str(repository / folder) for folder in storage_folders(home.template())}
    written = yaml.safe_load(instance_config(dagster_home(repository / "lake")))
    assert written["storage"]["custom"]["config"]["base_dir"] in top_level


def test_a_new_version_reaches_every_root(tmp_path: Path):
    config = prepare_home(tmp_path) / "dagster.yaml"
    config.write_text("storage: obsolete\n")
    prepare_home(tmp_path)
    assert "obsolete" not in config.read_text()


def test_a_home_of_the_users_own_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "mine"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "dagster.yaml").write_text("storage: postgres\n")
    assert prepare_home(tmp_path / "lake") == tmp_path / "mine"
    assert (tmp_path / "mine" / "dagster.yaml").read_text() == "storage: postgres\n"
    assert not (tmp_path / "lake").exists()


def test_processes_are_told_the_lake_and_the_home(tmp_path: Path):
    told = environment(tmp_path / "lake", tmp_path / "lake" / "_dagster")
    assert told["SPYMASTER_LAKE_ROOT"] == str(tmp_path / "lake")
    assert told["DAGSTER_HOME"] == str(tmp_path / "lake" / "_dagster")


def test_without_any_configuration_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(home, "_REPOSITORY", tmp_path)
    with pytest.raises(DagsterConfigError, match="DAGSTER_HOME"):
        prepare_home(tmp_path / "lake")
