"""The reader gives the records that Databento's own reader gives, and names what is wrong with every bad file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Literal

import databento as db
import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spymaster.errors import SpymasterError
from spymaster.feed import errors
from spymaster.feed.metadata import read_metadata
from spymaster.feed.reader import MboFile
from spymaster.market.dbn import F_SNAPSHOT, RECORD_BYTES, Records
from spymaster_tests.streams import DAY, random_stream, write_raw_day

Compression = Literal["zstd"] | None
COMPRESSIONS: tuple[Compression, ...] = ("zstd", None)


def read(path: Path, chunk: int = 500) -> bytes:
    return b"".join(records.tobytes() for records in MboFile.open(path).chunks(chunk))


def day_file(tmp_path: Path, records: Records | None = None, **options) -> Path:
    return write_raw_day(tmp_path, "ES", DAY, random_stream(1, 2_000) if records is None else records, **options)


# -- good files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("compression", COMPRESSIONS)
@given(seed=st.integers(0, 2**32), n=st.integers(1, 400), chunk=st.integers(1, 500))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_records_are_those_of_databento(
    tmp_path: Path, version: int, compression: Compression, seed: int, n: int, chunk: int
) -> None:
    original = random_stream(seed, n)
    path = day_file(tmp_path, original, version=version, compression=compression)
    assert read(path, chunk) == original.tobytes() == db.DBNStore.from_file(path).to_ndarray().tobytes()
    metadata = read_metadata(path)
    assert (metadata.version, metadata.dataset, metadata.schema) == (version, "SIM.SPYMASTER", "mbo")
    assert metadata.symbols == {17077: "ESH4"}
    assert metadata.dates == (DAY, DAY)
    assert metadata.simulated


def test_real_files_are_read_as_databento_reads_them(real_data: Path) -> None:
    for name, count in (("20231224", 8_725), ("20231225", 68_792)):
        path = real_data / f"esh4-glbx-mdp3-{name}.mbo.dbn.zst"
        content = read(path, 65_536)
        assert len(content) == count * RECORD_BYTES
        assert content == db.DBNStore.from_file(path).to_ndarray().tobytes()
    metadata = read_metadata(real_data / "esh4-glbx-mdp3-20231225.mbo.dbn.zst")
    assert (metadata.version, metadata.dataset, metadata.dt) == (1, "GLBX.MDP3", date(2023, 12, 25))
    assert metadata.symbols == {17077: "ESH4"}
    assert not metadata.simulated


def test_one_frame_many_frames_and_skippable_frames_read_alike(tmp_path: Path) -> None:
    path = day_file(tmp_path, compression=None)
    content = path.read_bytes()
    compress = zstandard.ZstdCompressor(write_checksum=True).compress
    skippable = (0x184D2A51).to_bytes(4, "little") + (3).to_bytes(4, "little") + b"abc"
    forms = {
        "one": compress(content),
        "many": b"".join(compress(content[at : at + 700]) for at in range(0, len(content), 700)),
        "skippable": skippable + compress(content[:100]) + skippable + compress(content[100:]),
        "streamed": zstandard.ZstdCompressor(write_content_size=False).compressobj().compress(b"") + compress(content),
    }
    for name, data in forms.items():
        other = tmp_path / f"{name}.dbn.zst"
        other.write_bytes(data)
        assert read(other) == content[read_metadata(path).header_bytes :]


def test_a_pass_can_be_repeated(tmp_path: Path) -> None:
    file = MboFile.open(day_file(tmp_path))
    assert sum(map(len, file.chunks())) == sum(map(len, file.chunks(7)))


def test_chunks_share_one_buffer(tmp_path: Path) -> None:
    chunks = MboFile.open(day_file(tmp_path)).chunks(100)
    assert np.shares_memory(next(chunks), next(chunks))


# -- bad files -------------------------------------------------------------------------------------------------------


def collect(path: Path, got: list[bytes]) -> None:
    """Append each chunk to `got`, so that what came before an error can be looked at."""
    got.extend(chunk.tobytes() for chunk in MboFile.open(path, partition="ES 2024-03-06").chunks(100))


def truncate(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])


@pytest.mark.parametrize("lost", [1, 4, 50, 3_000])
def test_a_truncated_zstd_file(tmp_path: Path, lost: int) -> None:
    path = day_file(tmp_path)
    size = path.stat().st_size
    truncate(path, size - lost)
    with pytest.raises(errors.TruncatedFileError, match=f"ends at byte {size - lost:,}") as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert caught.value.byte == size - lost


def test_every_truncation_of_a_zstd_file_is_an_error(tmp_path: Path) -> None:
    path = day_file(tmp_path, random_stream(1, 20, snapshot_orders=3))
    content = path.read_bytes()
    for keep in range(4, len(content)):
        path.write_bytes(content[:keep])
        # A cut between the frames of metadata and records leaves a complete file without records.
        with pytest.raises((errors.TruncatedFileError, errors.EmptyFileError)):
            read(path)


@pytest.mark.parametrize("lost", [1, 30, 55])
def test_a_truncated_plain_file_names_the_broken_record(tmp_path: Path, lost: int) -> None:
    original = random_stream(1, 2_000)
    path = day_file(tmp_path, original, compression=None)
    truncate(path, path.stat().st_size - lost)
    got: list[bytes] = []
    with pytest.raises(errors.TruncatedFileError, match=f"record {len(original) - 1:,}") as caught:
        collect(path, got)
    assert b"".join(got) == original[:-1].tobytes()
    assert caught.value.record == len(original) - 1
    assert "partition ES 2024-03-06" in str(caught.value)


@pytest.mark.parametrize("keep", [0, 2, 5, 8, 100])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_file_truncated_in_its_metadata(tmp_path: Path, keep: int, compression: Compression) -> None:
    path = day_file(tmp_path, compression=None)
    content = path.read_bytes()[:keep]
    path.write_bytes(zstandard.compress(content) if compression else content)
    with pytest.raises(errors.TruncatedFileError, match="metadata"):
        MboFile.open(path)


def test_damaged_zstd_data_never_pass_for_good_ones(tmp_path: Path) -> None:
    path = day_file(tmp_path)
    content = path.read_bytes()
    kinds = set()
    for at in range(600, len(content), len(content) // 60):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        with pytest.raises(errors.FeedError) as caught:
            read(path)
        kinds.add(caught.type)
    assert errors.CorruptFileError in kinds  # often the checks of the records notice first


def test_rubbish_behind_the_last_frame(tmp_path: Path) -> None:
    path = day_file(tmp_path)
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() + b"rubbish")
    with pytest.raises(errors.CorruptFileError, match=f"byte {size:,}"):
        read(path)


def test_no_records(tmp_path: Path) -> None:
    for compression in COMPRESSIONS:
        path = day_file(tmp_path, random_stream(1, 5)[:0], compression=compression)
        with pytest.raises(errors.EmptyFileError, match="no records"):
            read(path)


def test_wrong_schema(tmp_path: Path, real_data: Path) -> None:
    with pytest.raises(errors.WrongSchemaError, match="schema is 'definition', expected 'mbo'"):
        MboFile.open(real_data / "definition-glbx-es-fut.dbn.zst")


def test_wrong_dataset(tmp_path: Path) -> None:
    path = day_file(tmp_path, dataset="XNAS.ITCH")
    with pytest.raises(errors.WrongDatasetError, match=r"'XNAS\.ITCH', expected GLBX\.MDP3 or SIM\.SPYMASTER"):
        MboFile.open(path)
    real = day_file(tmp_path, dataset="GLBX.MDP3")
    with pytest.raises(errors.WrongDatasetError, match=r"expected SIM\.SPYMASTER"):
        MboFile.open(real, datasets={"SIM.SPYMASTER"})


def corrupt_rtype(records: Records, at: int) -> None:
    records["rtype"][at] = 19


def corrupt_length(records: Records, at: int) -> None:
    records["length"][at] = 16


def unknown_instrument(records: Records, at: int) -> None:
    records["instrument_id"][at] = 4711


def bad_action(records: Records, at: int) -> None:
    records["action"][at] = ord("X")


def bad_side(records: Records, at: int) -> None:
    records["side"][at] = 0


def earlier(records: Records, at: int) -> None:
    records["ts_event"][at] = records["ts_event"][at - 1] - 1


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize(
    ("spoil", "kind", "message"),
    [
        (corrupt_rtype, errors.WrongRecordTypeError, "type 19 and 14 words"),
        (corrupt_length, errors.WrongRecordTypeError, "type 160 and 16 words"),
        (unknown_instrument, errors.UnknownInstrumentIdError, r"instrument 4711.*ESH4 \(17077\)"),
        (bad_action, errors.InvalidRecordError, "b'X'"),
        (bad_side, errors.InvalidRecordError, r"b'\\x00'"),
        (earlier, errors.TimeRegressionError, r"ESH4 \(17077\) goes back from 2024-03-06T.* to 2024-03-06T"),
    ],
)
def test_a_bad_record_is_named_after_all_good_ones(
    tmp_path: Path,
    compression: Compression,
    spoil: Callable[[Records, int], None],
    kind: type[errors.FeedError],
    message: str,
) -> None:
    original = random_stream(1, 2_000, weights={"snapshot": 0.0})
    at = 1_234
    spoil(original, at)
    path = day_file(tmp_path, original, compression=compression, contracts={"ESH4": 17077})
    got: list[bytes] = []
    with pytest.raises(kind, match=message) as caught:
        collect(path, got)
    assert b"".join(got) == original[:at].tobytes()
    assert caught.value.record == at
    assert caught.value.byte == read_metadata(path).header_bytes + at * RECORD_BYTES
    assert "record 1,234" in str(caught.value)
    assert "partition ES 2024-03-06" in str(caught.value)


def test_time_may_go_back_in_snapshots_and_between_instruments(tmp_path: Path) -> None:
    later = random_stream(1, 300, snapshot=None)
    before = random_stream(2, 300, instrument_id=5, snapshot="clear_terminated")
    before["ts_event"] -= np.uint64(1_000_000_000)
    assert (later["flags"] & F_SNAPSHOT).any() or (before["flags"] & F_SNAPSHOT).any()
    both = np.concatenate([later, before])
    path = day_file(tmp_path, both, contracts={"ESH4": 17077, "ESM4": 5})
    assert read(path) == both.tobytes()


def test_time_is_followed_per_instrument(tmp_path: Path) -> None:
    one, two = random_stream(1, 200), random_stream(2, 200, instrument_id=5)
    both = np.concatenate([one, two, one[-1:]])
    both["ts_event"][-1] -= np.uint64(1)
    with pytest.raises(errors.TimeRegressionError, match=f"record {len(both) - 1:,}"):
        read(day_file(tmp_path, both, contracts={"ESH4": 17077, "ESM4": 5}))


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(errors.UnreadableFileError, match=r"absent\.dbn.*No such file"):
        MboFile.open(tmp_path / "absent.dbn")
    with pytest.raises(errors.UnreadableFileError, match="directory"):
        MboFile.open(tmp_path)


@pytest.mark.parametrize("content", [b"PK\x03\x04 something", b"DBZ\x01", b"DBN\x09" + bytes(100), b"\x28\xb5\x2f\xfd"])
def test_files_that_are_not_dbn(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.dbn.zst"
    path.write_bytes(content)
    with pytest.raises(errors.FeedError, match=str(path)):
        MboFile.open(path)


@given(at=st.integers(0, 400), value=st.integers(0, 255))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_corrupt_metadata_is_either_readable_or_a_specific_error(tmp_path: Path, at: int, value: int) -> None:
    path = day_file(tmp_path, random_stream(1, 3), compression=None)
    content = bytearray(path.read_bytes())
    content[at % (read_metadata(path).header_bytes)] = value
    path.write_bytes(content)
    try:
        read(path)
    except SpymasterError as error:
        assert str(path) in str(error)  # noqa: PT017


def test_symbology_without_raw_symbols(tmp_path: Path) -> None:
    from spymaster.market.dbn import write_dbn
    from spymaster_tests.streams import day_ns

    path = write_dbn(
        tmp_path / "a.dbn",
        random_stream(1, 3),
        dataset="GLBX.MDP3",
        symbols={"ES.c.0": 17077},
        start_ns=day_ns(DAY),
        end_ns=day_ns(DAY) + 1,
        stype_in="continuous",
    )
    with pytest.raises(errors.UnsupportedSymbologyError, match="continuous"):
        MboFile.open(path)
