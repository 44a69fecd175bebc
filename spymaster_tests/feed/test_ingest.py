"""Raw files enter the lake by what they are, once, unchanged; everything else is refused by name."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from spymaster.feed import errors
from spymaster.feed.bronze import open_raw
from spymaster.feed.ingest import add_raw
from spymaster.lake import Lake, LakeKindError, raw_files
from spymaster.lake.errors import RawFileExistsError
from spymaster.lake.layout import raw_dir
from spymaster.market.dbn import write_dbn
from spymaster.market.instruments import UnknownInstrumentError
from spymaster.settings import Settings
from spymaster_tests.feed.test_definitions import BACK, FRONT, definition_file
from spymaster_tests.streams import DAY, day_ns, random_stream

DAY_NS = 86_400_000_000_000


def mbo_file(
    path: Path, *, dt: date = DAY, symbols: dict[str, int] | None = None, seed: int = 1, **options: Any
) -> Path:
    start = day_ns(dt)
    return write_dbn(
        path,
        random_stream(seed, 50, start_ns=start + 10**12),
        **{
            "dataset": "SIM.SPYMASTER",
            "symbols": symbols or {"ESH4": 17077},
            "start_ns": start,
            "end_ns": start + DAY_NS,
            **options,
        },
    )


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.open(tmp_path / "lake", create=True)


def test_a_market_by_order_file_goes_to_its_folder(lake: Lake, tmp_path: Path) -> None:
    path = mbo_file(tmp_path / "sim-20240306.mbo.dbn.zst")
    added = add_raw(lake, path, "ES")
    folder = "raw/source=simulated/product_type=future/symbol=ES/table=market_by_order_dbn"
    assert added.file.name == f"{folder}/sim-20240306.mbo.dbn.zst"
    assert added.file.path.read_bytes() == path.read_bytes()
    assert (added.file.dt, added.has_partition, added.note, added.already_there) == (DAY, True, None, False)
    assert lake.kind == "simulated"
    assert open_raw(added.file).metadata.symbols == {17077: "ESH4"}


def test_adding_again_changes_nothing_and_other_bytes_are_refused(lake: Lake, tmp_path: Path) -> None:
    path = mbo_file(tmp_path / "sim-20240306.mbo.dbn.zst")
    first = add_raw(lake, path, "ES")
    stamp = first.file.path.stat().st_mtime_ns
    again = add_raw(lake, path, "ES")
    assert again.already_there
    assert again.file == first.file
    content = path.read_bytes()
    mbo_file(path, seed=2)
    with pytest.raises(RawFileExistsError, match="other bytes"):
        add_raw(lake, path, "ES")
    assert first.file.path.read_bytes() == content
    assert first.file.path.stat().st_mtime_ns == stamp


def test_a_name_without_a_date_gets_one(lake: Lake, tmp_path: Path) -> None:
    added = add_raw(lake, mbo_file(tmp_path / "download.dbn.zst"), "ES")
    assert added.file.path.name == "20240306.download.dbn.zst"


def test_weekend_and_early_files_are_stored_and_reported(lake: Lake, tmp_path: Path) -> None:
    sunday = add_raw(lake, mbo_file(tmp_path / "sim-20240310.mbo.dbn.zst", dt=date(2024, 3, 10)), "ES")
    assert sunday.file.path.is_file()
    assert not sunday.has_partition
    assert sunday.note is not None
    assert "Sunday" in sunday.note
    old = Lake.open(lake.root, settings=Settings(start_date=date(2024, 3, 7)))
    early = add_raw(old, mbo_file(tmp_path / "sim-20240306.mbo.dbn.zst"), "ES")
    assert "before the first partition" in str(early.note)


def test_real_files(lake: Lake, real_data: Path) -> None:
    sunday = add_raw(lake, real_data / "esh4-glbx-mdp3-20231224.mbo.dbn.zst", "ES")
    monday = add_raw(lake, real_data / "esh4-glbx-mdp3-20231225.mbo.dbn.zst", "ES")
    futures = add_raw(lake, real_data / "definition-glbx-es-fut.dbn.zst", "ES")
    options = add_raw(lake, real_data / "definition-glbx-es-opt.dbn.zst", "ES")
    assert (sunday.has_partition, monday.has_partition) == (False, True)
    folder = "raw/source=databento/product_type=future/symbol=ES"
    assert monday.file.name == f"{folder}/table=market_by_order_dbn/esh4-glbx-mdp3-20231225.mbo.dbn.zst"
    assert futures.file.name == f"{folder}/table=definition/20230401.definition-glbx-es-fut.dbn.zst"
    assert options.file.product_type == "future_option"
    assert lake.kind == "real"


@pytest.mark.parametrize(
    ("symbols", "stype_in", "product_type"),
    [
        ({"ESH4": 17077, "ESH4-ESM4": 2, "UD:1V: VT 1": 3}, "raw_symbol", "future"),
        ({"ESH4 C4800": 17077, "E1AF4 P4700": 3, "UD:1V: VT 1": 4}, "raw_symbol", "future_option"),
        ({"ES.FUT": 17077}, "parent", "future"),
        ({"ES.OPT": 17077}, "parent", "future_option"),
        ({"EW.OPT": 17077}, "parent", "future_option"),
    ],
)
def test_product_type(lake: Lake, tmp_path: Path, symbols: dict[str, int], stype_in: str, product_type: str) -> None:
    path = mbo_file(tmp_path / "sim-20240306.mbo.dbn.zst", symbols=symbols, stype_in=stype_in)
    assert add_raw(lake, path, "ES").file.product_type == product_type


def test_definitions_tell_their_product(lake: Lake, tmp_path: Path) -> None:
    path = definition_file(tmp_path / "sim-20240306.definition.dbn.zst", [FRONT, BACK])
    assert add_raw(lake, path, "ES").file.product_type == "future"
    with pytest.raises(errors.WrongRootError, match="holds instruments of ES, not of NQ"):
        add_raw(lake, path, "NQ")
    empty = definition_file(tmp_path / "sim-20240307.definition.dbn.zst", [])
    with pytest.raises(errors.EmptyFileError):
        add_raw(lake, empty, "ES")


def test_definitions_of_options_are_of_the_root_of_their_future(lake: Lake, tmp_path: Path) -> None:
    """Weekly options have product roots of their own, and what participants define names no future."""
    weekly = {
        "raw_symbol": "E2AH4 C5200", "instrument_id": 21, "asset": "E2A", "instrument_class": "C",
        "strike_price": 52 * 10**11, "underlying": "ESH4", "underlying_id": 17077,
    }  # fmt: skip
    own = {**weekly, "raw_symbol": "UD:1V: VT 1", "instrument_id": 22, "instrument_class": "T", "underlying": ""}
    path = definition_file(tmp_path / "sim-20240306.definition.dbn.zst", [weekly, own])
    with pytest.raises(errors.WrongRootError, match="of ES, not of NQ"):
        add_raw(lake, path, "NQ")
    assert add_raw(lake, path, "ES").file.product_type == "future_option"
    both = definition_file(tmp_path / "both-20240306.definition.dbn.zst", [FRONT, weekly, own])
    assert add_raw(lake, both, "ES").file.product_type == "future"


def test_futures_and_options_come_apart_but_for_definitions(lake: Lake, tmp_path: Path) -> None:
    path = mbo_file(tmp_path / "sim-20240306.mbo.dbn.zst", symbols={"ESH4": 17077, "ESH4 C4800": 3})
    with pytest.raises(errors.UnknownProductError, match="futures and options together"):
        add_raw(lake, path, "ES")
    options = mbo_file(path, symbols={"E2AH4 C4800": 17077, "UD:1V: VT 1": 3})
    assert add_raw(lake, options, "ES").file.product_type == "future_option"
    futures = mbo_file(tmp_path / "es-20240306.mbo.dbn.zst")
    assert add_raw(lake, futures, "ES").file.product_type == "future"


def test_what_is_refused(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "sim-20240306.mbo.dbn.zst"
    with pytest.raises(UnknownInstrumentError, match="'XX'"):
        add_raw(lake, mbo_file(path), "XX")
    with pytest.raises(errors.WrongRootError, match="of ES, not of NQ"):
        add_raw(lake, mbo_file(path), "NQ")
    with pytest.raises(errors.WrongRootError, match="of NQ, not of ES alone"):
        add_raw(lake, mbo_file(path, symbols={"ESH4": 17077, "NQH4": 2}), "ES")
    with pytest.raises(errors.WrongRootError, match="of NQ"):
        add_raw(lake, mbo_file(path, symbols={"NQ.FUT": 17077}, stype_in="parent"), "ES")
    with pytest.raises(errors.WrongDatasetError, match=r"XNAS\.ITCH"):
        add_raw(lake, mbo_file(path, dataset="XNAS.ITCH"), "ES")
    with pytest.raises(errors.WrongSchemaError, match="'trades'"):
        add_raw(lake, mbo_file(path, schema="trades"), "ES")
    with pytest.raises(errors.WrongTimeSpanError, match="2024-03-06 to 2024-03-07"):
        add_raw(lake, mbo_file(path, end_ns=day_ns(DAY) + 2 * DAY_NS), "ES")
    with pytest.raises(errors.UnknownProductError, match="UD:1V"):
        add_raw(lake, mbo_file(path, symbols={"ES:UD:1V": 17077}), "ES")
    with pytest.raises(errors.UnreadableFileError):
        add_raw(lake, tmp_path / "absent.dbn.zst", "ES")
    truncated = mbo_file(path)
    truncated.write_bytes(truncated.read_bytes()[:-5])
    with pytest.raises(errors.TruncatedFileError):
        add_raw(lake, truncated, "ES")
    assert not (lake.root / "raw").exists()
    assert lake.kind is None


def test_real_and_simulated_files_never_share_a_lake(lake: Lake, tmp_path: Path) -> None:
    add_raw(lake, mbo_file(tmp_path / "sim-20240306.mbo.dbn.zst"), "ES")
    with pytest.raises(LakeKindError):
        add_raw(lake, mbo_file(tmp_path / "glbx-mdp3-20240307.mbo.dbn.zst", dataset="GLBX.MDP3"), "ES")


def test_a_date_has_one_file(lake: Lake, tmp_path: Path) -> None:
    path = mbo_file(tmp_path / "esh4-20240306.mbo.dbn.zst")
    first = add_raw(lake, path, "ES")
    path.rename(tmp_path / "renamed-20240306.mbo.dbn.zst")
    again = add_raw(lake, tmp_path / "renamed-20240306.mbo.dbn.zst", "ES")
    assert (again.file, again.already_there) == (first.file, True)
    other = mbo_file(tmp_path / "esm4-20240306.mbo.dbn.zst", symbols={"ESM4": 17077})
    with pytest.raises(errors.DuplicateDateError, match=r"already holds esh4-20240306\.mbo\.dbn\.zst of ES 2024-03-06"):
        add_raw(lake, other, "ES")
    next_day = mbo_file(tmp_path / "esm4-20240307.mbo.dbn.zst", dt=date(2024, 3, 7))
    assert not add_raw(lake, next_day, "ES").already_there


def test_opening_a_raw_file_checks_its_place(lake: Lake, tmp_path: Path) -> None:
    raw = add_raw(lake, mbo_file(tmp_path / "sim-20240306.mbo.dbn.zst"), "ES").file
    assert open_raw(raw).partition == "ES 2024-03-06"
    moved = raw.path.rename(raw.path.with_name("sim-20240307.mbo.dbn.zst"))
    (wrong_date,) = raw_files(lake, "ES", "market_by_order_dbn")
    with pytest.raises(errors.WrongTimeSpanError, match="its name tells 2024-03-07, its metadata 2024-03-06"):
        open_raw(wrong_date)
    folder = raw_dir(lake.root, source="databento", product_type="future", symbol="ES", table="market_by_order_dbn")
    folder.mkdir(parents=True)
    moved.rename(folder / "sim-20240306.mbo.dbn.zst")
    (wrong_source,) = raw_files(lake, "ES", "market_by_order_dbn")
    with pytest.raises(errors.WrongDatasetError, match=r"'SIM\.SPYMASTER', expected GLBX\.MDP3"):
        open_raw(wrong_source)
