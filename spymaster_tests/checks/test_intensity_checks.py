"""Checks of intensity, contrast and report pass on what the code made, and each fails on a violation of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from spymaster.checks import all_checks, intensity
from spymaster.evidence import arrays
from spymaster.evidence.report.session_report import render, write
from spymaster.evidence.session_contrast import contrast_answers, contrast_frame
from spymaster.evidence.session_intensity import session_intensity
from spymaster.lake import Lake, Partition
from spymaster.market.dbn import SIM_DATASET
from spymaster.market.instruments import instrument
from spymaster.tables.algo_contrast import AlgoContrast
from spymaster.tables.algo_intensity_1s import AlgoIntensity1s
from spymaster.tables.algo_replication import AlgoReplication
from spymaster.tables.evidence_report import EvidenceReport
from spymaster_tests.checks.sessions import DT, EARLIER, SYMBOL, Recorded, copy_lake, spoil
from spymaster_tests.evidence import report_days as days
from spymaster_tests.tables.intensity_samples import report as report_row
from spymaster_tests.tables.samples import frame_of

INTENSITY, CONTRAST, REPORT = (model.full_name for model in (AlgoIntensity1s, AlgoContrast, EvidenceReport))
OF_MODELS = {"contract", "finite", "manifest_true"}
CHECKS = {check.key: check for check in all_checks() if check.tables[0] in (INTENSITY, CONTRAST, REPORT)}
FIRST = pl.int_range(pl.len()) == 0
WHOLE = (pl.col("side").cast(pl.String) == "all") & (pl.col("band").cast(pl.String) == "all")
BUSIEST_SECOND = pl.col("window_end") == pl.col("window_end").filter(pl.col("n_msgs") == pl.col("n_msgs").max()).first()
"""In all its rows, so that sides and bands add up as before."""
BUSIEST = WHOLE & (pl.col("n_msgs") == pl.col("n_msgs").max())


def put(table: str, where: pl.Expr, **values: object) -> Callable[[Lake], None]:
    """Set columns of some rows."""
    new = [
        pl.when(where).then(value if isinstance(value, pl.Expr) else pl.lit(value)).otherwise(name).alias(name)
        for name, value in values.items()
    ]
    return lambda lake: spoil(lake, table, lambda frame: frame.with_columns(new).cast(frame.schema))


def later_input(table: str, name: str) -> Callable[[Lake], None]:
    """The manifest names a partition of the date itself, or of a later one."""

    def change(lake: Lake) -> None:
        records = [Recorded(record) for record in lake.partition(table, SYMBOL, DT).manifest.inputs]
        spoil(lake, table, inputs=[*records, lake.partition(name, SYMBOL, DT)])

    return change


def touch(lake: Lake) -> None:
    path = lake.root / lake.partition(REPORT, SYMBOL, DT).read()["md_path"][0]
    path.write_text(path.read_text() + "one word more")


SPOILERS: dict[str, Callable[[Lake], None]] = {
    f"{INTENSITY}:list_is_earlier": put(INTENSITY, FIRST, attribution_hash="another"),
    f"{INTENSITY}:sides_and_bands_add_up": put(INTENSITY, BUSIEST, n_msgs=pl.col("n_msgs") - 1),
    f"{INTENSITY}:messages_are_there": put(INTENSITY, BUSIEST_SECOND, n_msgs=pl.col("n_msgs") - 1),
    f"{CONTRAST}:questions_are_the_registered_ones": put(CONTRAST, FIRST, contrast_id="a_better_one"),
    f"{CONTRAST}:nothing_is_later": put(CONTRAST, FIRST, last_dt=pl.lit(DT).dt.offset_by("1d")),
    f"{REPORT}:files_are_what_was_written": touch,
}
ALSO = {
    "more messages than were sent": (
        f"{INTENSITY}:messages_are_there",
        put(INTENSITY, BUSIEST, n_msgs=pl.lit(10**6)),
    ),
    "messages of one side counted on the other": (
        f"{INTENSITY}:messages_are_there",
        lambda lake: spoil(
            lake,
            INTENSITY,
            lambda frame: frame.with_columns(
                pl.col("side").cast(pl.String).replace({"B": "A", "A": "B"}).cast(frame.schema["side"])
            ).sort(AlgoIntensity1s.key),
        ),
    ),
    "messages of one side left out with their rows": (
        f"{INTENSITY}:messages_are_there",
        lambda lake: spoil(lake, INTENSITY, lambda frame: frame.filter(pl.col("side").cast(pl.String) != "B")),
    ),
    "intensity made from a list of its own date": (
        f"{INTENSITY}:list_is_earlier",
        later_input(INTENSITY, "gold.algo_replication"),
    ),
    "a second of which nothing is said": (
        f"{INTENSITY}:sides_and_bands_add_up",
        lambda lake: spoil(lake, INTENSITY, lambda frame: frame.filter(~BUSIEST)),
    ),
    "a report that is gone": (
        f"{REPORT}:files_are_what_was_written",
        lambda lake: (lake.root / lake.partition(REPORT, SYMBOL, DT).read()["html_path"][0]).unlink(),
    ),
}


@pytest.fixture(scope="module")
def lake(good_lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    made = copy_lake(good_lake, tmp_path_factory.mktemp("intensity") / "lake")
    findings = days.report_data().replication.sort(AlgoReplication.key)
    for dt in (EARLIER, DT):
        _store(made, AlgoReplication, findings, dt)
    read, rows = _counted(made)
    assert rows["share_msgs"].count()
    _store(made, AlgoIntensity1s, rows, DT, *read)
    _store(made, AlgoContrast, contrast_frame(contrast_answers([], 1), [DT], "simulated"), DT)
    report = render(days.report_data())
    inside = made.root / "reports/evidence/symbol=ES/dt=2024-01-02"
    write(made.root, inside, report, ("html", "md"))
    hashes = {f"{kind}_sha256": _sha256(inside / f"evidence.{kind}") for kind in ("html", "md")}
    _store(made, EvidenceReport, frame_of(EvidenceReport, [report_row(0) | hashes]), DT)
    return made


def _counted(lake: Lake) -> tuple[list[Partition], pl.DataFrame]:
    """What the intensity of the date is made from, and its rows."""
    read = [
        lake.partition(f"silver.{name}", SYMBOL, DT)
        for name in ("order_event", "order_life", "trade", "bbo_change", "book_snapshot_1s")
    ]
    earlier = lake.partition(AlgoReplication, SYMBOL, EARLIER)
    rows = session_intensity(
        read[0],
        read[1],
        read[2],
        read[3],
        read[4],
        [earlier],
        [],
        [],
        settings=lake.settings,
        instrument=instrument(SYMBOL, lake.settings),
        profile="demo",
    )
    return [*read, earlier], rows


def _sha256(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def _store(lake: Lake, model, frame: pl.DataFrame, dt, *inputs) -> None:
    with lake.writer(model, SYMBOL, dt) as writer:
        writer.write(frame)
        writer.commit(inputs=list(inputs), dataset=SIM_DATASET)


def test_every_check_of_the_tables_is_here():
    assert {key for key, check in CHECKS.items() if check.name not in OF_MODELS} == SPOILERS.keys()


@pytest.mark.parametrize("key", CHECKS)
def test_what_the_code_made_passes(lake: Lake, key: str):
    result = CHECKS[key].run(lake, SYMBOL, DT)
    assert result.passed, result.message


@pytest.mark.parametrize(("key", "spoiler"), [*SPOILERS.items(), *ALSO.values()])
def test_each_check_sees_its_violation(lake: Lake, tmp_path: Path, key: str, spoiler: Callable[[Lake], None]):
    spoilt = copy_lake(lake, tmp_path / "lake")
    spoiler(spoilt)
    result = CHECKS[key].run(spoilt, SYMBOL, DT)
    assert not result.passed
    assert result.metadata["violations"]


def test_what_no_test_looks_at_is_not_counted_and_not_missed(lake: Lake, tmp_path: Path):
    """A halt, the minute after it, an invalid second, an invalid book and a mass cancel: all of them have messages."""
    made = copy_lake(lake, tmp_path / "lake")
    before = made.partition(INTENSITY, SYMBOL, DT).read()
    busy = before.filter(WHOLE & (pl.col("n_msgs") > 0))["window_end"].unique().sort()
    halt, invalid = (pl.col("window_end") == busy[place] for place in (0, len(busy) // 2))
    spoil(
        made,
        "silver.book_snapshot_1s",
        lambda frame: frame.with_columns(
            phase=pl.when(halt)
            .then(pl.lit("closed"))
            .otherwise(pl.col("phase").cast(pl.String))
            .cast(frame.schema["phase"]),
            window_valid=pl.col("window_valid") & ~invalid,
        ),
    )
    cancel = pl.col("kind").cast(pl.String) == "cancel"
    late = cancel & (cancel.cum_sum(reverse=True) <= 30)
    spoil(
        made,
        "silver.order_event",
        lambda frame: frame.with_columns(
            event_id=pl.when(late).then(frame.filter(late)["event_id"][0]).otherwise("event_id"),
            book_valid=pl.col("book_valid") & ~(pl.int_range(pl.len()) == pl.len() // 3),
        ),
    )
    read, rows = _counted(made)
    whole = [one.filter(WHOLE)["n_msgs"] for one in (before, rows)]
    closed = pl.col("window_end").is_between(busy[0], busy[0] + timedelta(seconds=60))
    left_out = before.filter(WHOLE & (closed | invalid))["n_msgs"]
    gone = int(whole[0].sum()) - int(whole[1].sum())
    assert gone > int(left_out.sum()) > int(left_out[0]) > 0
    _store(made, AlgoIntensity1s, rows, DT, *read)
    result = CHECKS[f"{INTENSITY}:messages_are_there"].run(made, SYMBOL, DT)
    assert result.passed, result.message


def test_check_and_search_leave_out_the_same():
    for name in ("AFTER_OPEN_S", "MASS_CANCELS", "MASS_WITHIN_NS"):
        assert getattr(intensity, name) == getattr(arrays, name)


@pytest.mark.parametrize("seed", range(20))
def test_masses_are_those_that_the_search_leaves_out(seed: int):
    rng = np.random.default_rng(seed)
    ts = np.sort(
        rng.choice([999_990_000, 1_000_000_000, 2 * 10**9]) + rng.integers(0, rng.choice([40_000, 200_000]), 80)
    )
    event = np.sort(rng.integers(0, rng.choice([3, 8, 80]), 80))
    marked = np.zeros(80, np.bool_)
    arrays.mark_mass(arrays._seconds_apart(ts), event, arrays.MASS_CANCELS, arrays.MASS_WITHIN_NS, marked)
    assert np.array_equal(intensity._of_a_mass(ts, event), marked)
    assert not intensity._of_a_mass(ts[:20], np.zeros(20, np.int64)).any()
