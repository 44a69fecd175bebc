"""Run a simulation into a lake: raw files, truth, report; `simulate` is the library's entry."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from spymaster.lake import Lake, LakeKindError, files, layout, store_raw
from spymaster.lake.errors import RawFileExistsError
from spymaster.lake.raw import all_raw_files
from spymaster.market.dbn import SIM_DATASET, DbnWriter
from spymaster.market.instruments import PRICE_SCALE, instrument
from spymaster.settings import Settings
from spymaster.simulator.acceptance.tally import Tally, measured_window
from spymaster.simulator.errors import SimulationRefusedError
from spymaster.simulator.fault_plan import pauses_of
from spymaster.simulator.faults import FaultInjector
from spymaster.simulator.handover import Carried
from spymaster.simulator.layout import FRONT, MIDDLE
from spymaster.simulator.market import MarketDay
from spymaster.simulator.options.carry import ChainCarried
from spymaster.simulator.options.chain import CHAIN_SIZES
from spymaster.simulator.options.write import ChainRequest, ChainResult, front_quotes, write_chain
from spymaster.simulator.reference_files import session_figures, write_definitions, write_statistics, write_status
from spymaster.simulator.request import DayPlan, Plan
from spymaster.simulator.schedule import DAY_SECONDS, SECOND_NS, midnight_ns
from spymaster.simulator.truth import TruthWriter, fault_columns

Progress = Callable[[str, int, int], None]
"""Called with what is being done, messages so far and messages in all."""


@dataclass(frozen=True)
class DayResult:
    """One simulated date: its raw files (path under the lake, SHA-256), its messages, how long it took."""

    plan: DayPlan
    files: dict[str, str]
    messages: int
    seconds: float
    tally: Tally = field(repr=False)
    options: ChainResult | None = field(default=None, repr=False)
    option_files: dict[str, str] = field(default_factory=dict)
    planted: int = 0
    """Messages that agents wrote."""
    faults: tuple[str, ...] = ()
    """Kinds of the faults that were made in the file of orders."""


@dataclass(frozen=True)
class _Before:
    """What the date before left: the future's market and the chain."""

    market: Carried | None = None
    chain: ChainCarried | None = None


@dataclass(frozen=True)
class Run:
    """What a call of `simulate` wrote."""

    run_id: str
    plan: Plan
    folder: Path
    days: tuple[DayResult, ...]

    @property
    def messages(self) -> int:
        """Live records of all dates."""
        return sum(day.messages for day in self.days)


def simulate(
    plan: Plan, lake_root: Path | str, *, settings: Settings | None = None, progress: Progress | None = None
) -> Run:
    """Simulate the dates of a plan into a lake that holds (or will hold) simulated data only.

    Raises SimulationRefusedError if the lake is one of real data or a raw file of other content is there,
    SimulatorCapacityError, and what writing to a full disk raises.
    """
    try:
        lake = Lake.open(lake_root, settings=settings, create=True, kind="simulated")
    except LakeKindError as error:
        raise SimulationRefusedError(str(error.args[0]), hint="Name another root with --lake.") from error
    run_id = run_identifier(plan)
    layout.staging_dir(lake.root).mkdir(parents=True, exist_ok=True)
    before = _Before()
    results = []
    for day in plan.days:
        with tempfile.TemporaryDirectory(dir=layout.staging_dir(lake.root)) as staging:
            result, before = _simulate_day(lake, plan, day, run_id, before, Path(staging), progress)
        results.append(result)
    folder = layout.truth_dir(lake.root) / f"run_id={run_id}"
    run = Run(run_id, plan, folder, tuple(results))
    _write_run(lake, run)
    return run


def complete_run(plan: Plan, lake: Lake) -> Path | None:
    """Folder of a run of this plan whose raw files are all in the lake as it wrote them; None if there is none.

    Another version of the simulator may have written it: what counts is that the files are whole and belong together.
    """
    asked = json.loads(json.dumps(parameters(plan), default=str))
    for record in sorted(layout.truth_dir(lake.root).glob("run_id=*/run.json")):
        try:
            told = json.loads(record.read_text())
            written = {
                name: sha256 for day in told["days"] for files in (day["files"], day["option_files"])
                for name, sha256 in files.items()
            }  # fmt: skip
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        present = {file.name: file.sha256 for file in all_raw_files(lake) if file.name in written}
        if told.get("parameters") == asked and present == written:
            return record.parent
    return None


def run_identifier(plan: Plan) -> str:
    """Name of a run: the same parameters and the same code give the same name."""
    content = json.dumps([parameters(plan), code_hash()], sort_keys=True, default=str)
    return f"sim-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def parameters(plan: Plan) -> dict[str, Any]:
    """Everything that decides what a run writes, for humans and for `run.json`."""
    return {
        "request": asdict(plan.request),
        "profile": {"name": plan.profile_name, **plan.profile.model_dump(mode="json")},
        "days": [
            {
                "label": day.label,
                "agents": scenario.agents.model_dump(mode="json"),
                "script": day.script.document() if day.script else None,
            }
            for day, scenario in zip(plan.days, plan.scenarios, strict=True)
        ],
        "faults": plan.faults.model_dump(mode="json"),
        "dates": [day.dt.isoformat() for day in plan.days],
    }


def _plan_document(plan: Plan) -> dict[str, Any]:
    """What is planted where: what was asked for, and what each date is."""
    return {
        **asdict(plan.wanted),
        "faults": plan.request.faults,
        "days": {day.dt.isoformat(): day.label for day in plan.days},
    }


def code_hash() -> str:
    """Hash of the simulator's sources and of the record layouts it writes."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for source in sorted([*package.rglob("*.py"), *(package.parent / "market").glob("*.py")]):
        digest.update(source.relative_to(package.parent).as_posix().encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()


def _simulate_day(
    lake: Lake,
    plan: Plan,
    day: DayPlan,
    run_id: str,
    before: _Before,
    staging: Path,
    progress: Progress | None,
) -> tuple[DayResult, _Before]:
    request, started = plan.request, time.perf_counter()
    known = instrument(request.symbol, lake.settings)
    market = MarketDay(
        dt=day.dt,
        instrument=known,
        contracts=day.contracts,
        profile=plan.profile,
        parts=day.parts,
        messages=day.messages,
        seed=request.seed,
        walk=request.price_mode == "walk",
        feed=plan.feed(day.dt),
        carried=before.market,
        agents=day.agents,
        pauses=pauses_of(day.faults),
        script=day.script,
    )
    faults = FaultInjector(market, day.faults)
    settled = [int(row["origin"]) + int(row["tick_size"]) * (1 << 13) for row in market.state["inst"]]
    suffix = ".dbn.zst" if request.compression == "zstd" else ".dbn"
    stem, start = f"sim-{day.dt:%Y%m%d}", midnight_ns(day.dt)
    orders = staging / f"{stem}.mbo{suffix}"
    window = measured_window(day.dt, request.symbol, day.parts)
    tally = Tally(day.dt, day.contracts[FRONT].instrument_id, known.tick_size_int, window)
    with DbnWriter(
        orders,
        dataset=SIM_DATASET,
        symbols={contract.symbol: contract.instrument_id for contract in day.contracts},
        start_ns=start,
        end_ns=start + DAY_SECONDS * SECOND_NS,
        version=request.dbn_version,
        compression=request.compression,
    ) as writer:
        for block in market.records():
            for told in faults.through(block):
                writer.write(told)
            tally.add(block)
            if progress is not None:
                progress(f"{request.symbol} {day.dt}", int(market.state["messages"]), day.messages)
        if faults.tail:
            writer.write_encoded(faults.tail, count=0)
    definition, statistics, status = (
        staging / f"{stem}.{name}.dbn.zst" for name in ("definition", "statistics", "status")
    )
    write_definitions(
        definition, day.contracts, known, round(plan.profile.instrument.spread_tick * PRICE_SCALE), day.dt
    )
    figures = session_figures(market.state["inst"])
    write_statistics(statistics, day.contracts, figures, settled, request.symbol, day.dt, request.seed)
    write_status(status, day.contracts, day.parts, day.dt)
    files = {}
    for path, table in (
        (orders, "market_by_order_dbn"), (definition, "definition"), (statistics, "statistics"), (status, "status"),
    ):  # fmt: skip
        files.update(_store(lake, path, "future", table, request.symbol, day))
    truth = TruthWriter(lake.root, run_id, request.symbol, day.dt)
    truth.write_day(market)
    truth.write("truth_fault", fault_columns(faults.log))
    seconds = time.perf_counter() - started
    options, option_files = _simulate_chain(lake, plan, day, market, staging, truth, before.chain)
    result = DayResult(
        day, files, int(market.state["messages"]), seconds, tally, options, option_files,
        planted=int(market.state["planted"]), faults=tuple(one.fault.section.kind for one in faults.log),
    )  # fmt: skip
    return result, _Before(market.carried(), options.carried if options is not None else before.chain)


def _simulate_chain(
    lake: Lake,
    plan: Plan,
    day: DayPlan,
    market: MarketDay,
    staging: Path,
    truth: TruthWriter,
    carried: ChainCarried | None,
) -> tuple[ChainResult | None, dict[str, str]]:
    """Options of a finished date, if it has any: nothing of the future's files depends on them."""
    request = plan.request
    if day.option_messages == 0:
        return None, {}
    front = market.state["inst"][FRONT]
    start_price = int(front["origin"]) + int(front["tick_size"]) * MIDDLE
    wanted = ChainRequest(
        dt=day.dt, root=request.symbol, exchange=instrument(request.symbol, lake.settings).exchange,
        contracts=market.contracts, profile=plan.profile, feed=market.feed,
        size=CHAIN_SIZES[request.preset], messages=day.option_messages, seed=request.seed, parts=day.parts,
        dbn_version=request.dbn_version, compression=request.compression, carried=carried,
        script=day.script, base=day.script.base(start_price) if day.script else 0.0,
    )  # fmt: skip
    result = write_chain(wanted, front_quotes(market), staging / "options", truth)
    files = {}
    for path, table in result.files if result is not None else []:
        files.update(_store(lake, path, "future_option", table, request.symbol, day))
    return result, files


def _store(lake: Lake, path: Path, product_type: str, table: str, symbol: str, day: DayPlan) -> dict[str, str]:
    try:
        stored = store_raw(
            lake, path, source="simulated", product_type=product_type, symbol=symbol, table=table, dt=day.dt
        ).file
    except RawFileExistsError as error:
        raise SimulationRefusedError(
            f"{path.name} is in {lake.root} already, with other content",
            hint="Raw files are never replaced. Use another lake root for another seed, preset or version.",
        ) from error
    return {stored.name: stored.sha256}


def _write_run(lake: Lake, run: Run) -> None:
    """`run.json` and `truth_run`: parameters, seeds, code, files and their hashes."""
    document = {
        "run_id": run.run_id,
        "provenance": "simulated",
        "dataset": SIM_DATASET,
        "code_hash": code_hash(),
        "parameters": parameters(run.plan),
        "days": [
            {
                "dt": day.plan.dt,
                "messages": day.messages,
                "seconds": round(day.seconds, 3),
                "files": day.files,
                "option_messages": day.options.messages if day.options else 0,
                "option_files": day.option_files,
            }
            for day in run.days
        ],
    }
    request = run.plan.request
    for day in run.days:
        TruthWriter(lake.root, run.run_id, request.symbol, day.plan.dt).write(
            "truth_run",
            {
                "seed": [request.seed],
                "preset": [request.preset],
                "profile": [run.plan.profile_name],
                "price_mode": [request.price_mode],
                "code_hash": [code_hash()],
                "params_json": [json.dumps(parameters(run.plan), default=str)],
                "plan_json": [json.dumps(_plan_document(run.plan))],
                "files": [[*day.files, *(f"future_option/{name}" for name in day.option_files)]],
                "sha256": [[*day.files.values(), *day.option_files.values()]],
                "n_messages": [day.messages],
                "dbn_version": [request.dbn_version],
            },
        )
    # last, for a run that has it is whole
    content = json.dumps(document, indent=2, default=str) + "\n"
    files.write_durably(lake.root, run.folder / "run.json", content.encode())
