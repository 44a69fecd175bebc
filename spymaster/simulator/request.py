"""What to simulate: presets, scenarios, and the dates, spans and sizes that a request comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import Literal, TypeAlias

from spymaster.market.calendar import CONTINUOUS, is_session_date, partition_dates, previous_session, wall_time_ns
from spymaster.market.dbn import Compression
from spymaster.simulator.agent_plan import PlannedAgent, load_agents, plan_agents
from spymaster.simulator.contracts import Contract, contracts_on
from spymaster.simulator.errors import SimulationRequestError
from spymaster.simulator.fault_plan import FaultFile, PlannedFault, load_faults, plan_faults
from spymaster.simulator.handover import Feed
from spymaster.simulator.options.chain import CHAIN_SIZES
from spymaster.simulator.profile import Profile, load_profile, profile_path
from spymaster.simulator.scenario import SCRIPT_PROFILES, DayScenario, Wanted, day_scenarios, wanted
from spymaster.simulator.schedule import SECOND_NS, Segment, segments
from spymaster.simulator.script import Script
from spymaster.simulator.snapshot import SnapshotForm
from spymaster.simulator.weekend import evening_messages, evenings, is_evening

Span: TypeAlias = tuple[time, time] | None
"""New York wall times, end exclusive; None is the whole UTC date."""

PriceMode: TypeAlias = Literal["emergent", "walk"]
ClosingForm: TypeAlias = Literal["last", "sentinel", "mixed"]
"""`mixed` begins as `last` and goes on as `sentinel`."""
Volume: TypeAlias = Literal["q10", "q50", "q90"]

FULL_DAY_MESSAGES: dict[Volume, int] = {"q10": 6_200_000, "q50": 10_900_000, "q90": 18_300_000}
"""Messages of an ES front month in a day: quantiles of real days."""

BYTES_PER_MESSAGE = 10.5
MESSAGES_PER_SECOND = 900_000
"""What a core generates and compresses; only for estimates."""


@dataclass(frozen=True)
class Preset:
    """Span and messages of the main (last) date and of `earlier` dates before it."""

    span: Span
    messages: int
    earlier: int = 0
    earlier_span: Span = None
    earlier_messages: int = 0
    scenario: str = ""
    """Of a request that names neither scenario nor agents nor scripts."""


PRESETS: dict[str, Preset] = {
    "ci": Preset((time(9), time(11)), 430_000),
    "demo": Preset((time(8), time(11)), 2_400_000, 3, (time(9), time(11)), 720_000, "pm_high"),
    "rth": Preset((time(8), time(16, 15)), 6_500_000),
    "full_day": Preset(None, FULL_DAY_MESSAGES["q50"]),
}
CHAIN_PROFILES = ("es",)
"""Profiles whose futures have options: the chain's strikes and ticks are those of the S&P 500."""
DEFAULT_DATE = date(2026, 1, 6)


@dataclass(frozen=True)
class Request:
    """Parameters of a run; everything that decides what is written is here."""

    symbol: str = "ES"
    dates: tuple[date, ...] = ()
    preset: str = "demo"
    seed: int = 7
    profile: str = ""
    price_mode: PriceMode = "emergent"
    volume: Volume = "q50"
    closing_form: ClosingForm = "last"
    closing_switch: time = time(10)
    """New York time at which `mixed` changes its form."""
    publisher_bit: bool = False
    snapshot_form: SnapshotForm = "clear_terminated"
    fifo_slip: float = 0.0
    dbn_version: int = 3
    compression: Compression = "zstd"
    agents: str = "none"
    """`none`, `reference` or the path of a file of agents."""
    faults: str = "none"
    """`none` or the path of a file of faults."""
    weekend_files: bool = False
    """Whether Sundays between the dates have files too: the evening on which the week's first session opens."""
    scripts: str = "none"
    """`none`, `pm_high`, `g6`, `decoys` or the path of a file of meetings."""
    scenario: str = ""
    """A bundle of agents and scripts, see `scenario`; empty takes what the two above say, or the preset's."""
    options: bool = True
    """Whether the chain of options on the first contract is simulated too, where the profile has one."""
    messages: int | None = None
    """Messages of the main date instead of the preset's."""


@dataclass(frozen=True)
class DayPlan:
    """One date of a run."""

    dt: date
    span: Span
    messages: int
    contracts: tuple[Contract, Contract, Contract]
    parts: list[Segment] = field(repr=False)
    agents: tuple[PlannedAgent, ...] = ()
    option_messages: int = 0
    faults: tuple[PlannedFault, ...] = ()
    label: str = "background"
    """What the date is, in a word or two."""
    script: Script | None = field(default=None, repr=False)

    @property
    def bytes(self) -> int:
        """Estimated size on disk."""
        return int((self.messages + self.option_messages) * BYTES_PER_MESSAGE)


@dataclass(frozen=True)
class Plan:
    """All dates of a run, in order, with the profile they use."""

    request: Request
    profile_name: str
    profile: Profile
    wanted: Wanted
    scenarios: tuple[DayScenario, ...] = field(repr=False)
    days: tuple[DayPlan, ...]
    faults: FaultFile = field(default_factory=FaultFile)

    @property
    def base_profile(self) -> str:
        """The shipped profile that this one is, or was fitted from."""
        return self.profile.fitted.base if self.profile.fitted else self.profile_name

    @property
    def messages(self) -> int:
        """Messages of all dates."""
        return sum(day.messages for day in self.days)

    def feed(self, dt: date) -> Feed:
        """Conventions of the feed on a date."""
        request = self.request
        mixed = request.closing_form == "mixed"
        return Feed(
            sentinel=request.closing_form == "sentinel",
            publisher_bit=request.publisher_bit,
            snapshot_form=request.snapshot_form,
            fifo_slip=request.fifo_slip,
            switch_ns=wall_time_ns(dt, request.closing_switch) if mixed else None,
        )


def plan(request: Request) -> Plan:
    """The dates and sizes that a request comes to. Raises SimulationRequestError, SimulatorConfigError."""
    if request.preset not in PRESETS:
        raise SimulationRequestError(f"unknown preset {request.preset!r}", hint=f"One of {', '.join(PRESETS)}.")
    preset = PRESETS[request.preset]
    name = request.profile or ("cl" if request.symbol == "CL" else "es")
    profile = load_profile(name)
    asked = wanted(request.scenario, request.agents, request.scripts, default=_default_scenario(request, preset, name))
    faults = load_faults(request.faults)
    dates = list(request.dates)
    if not dates:
        dates = [DEFAULT_DATE]
        while len(dates) <= preset.earlier:
            dates.insert(0, _session_before(dates[0], request.symbol))
    if request.weekend_files:
        dates = sorted({*dates, *evenings(dates[0], dates[-1], request.symbol)})
    main = [dt == dates[-1] or preset.earlier == 0 for dt in dates]
    spans = [None if is_evening(dt) else preset.span if is_main else preset.earlier_span
             for dt, is_main in zip(dates, main, strict=True)]  # fmt: skip
    every = [segments(dt, request.symbol, span) for dt, span in zip(dates, spans, strict=True)]
    scenarios = _scenarios(asked, dates, every, request, name)
    days = []
    for dt, is_main, span, parts, scenario in zip(dates, main, spans, every, scenarios, strict=True):
        messages = preset.messages if is_main else preset.earlier_messages
        if request.preset == "full_day":
            messages = FULL_DAY_MESSAGES[request.volume]
        if is_main and request.messages is not None:
            messages = request.messages
        if is_evening(dt):
            usual = preset.span if is_main else preset.earlier_span
            messages = evening_messages(dt, request.symbol, usual, messages, profile.activity)
        trading = sum(part.end_ns - part.start_ns for part in parts if part.phase == CONTINUOUS) / SECOND_NS
        contracts = contracts_on(request.symbol, dt, profile.instrument.cycle)
        planted = plan_agents(scenario.agents, messages, trading)
        chain = 0
        base = profile.fitted.base if profile.fitted else name
        if request.options and base in CHAIN_PROFILES and not is_evening(dt):
            size = CHAIN_SIZES[request.preset]
            chain = size.messages if is_main else size.earlier_messages
            # another number of messages of the future changes that of its options in proportion
            chain = chain * messages // (preset.messages if is_main else preset.earlier_messages)
        wrong = plan_faults(faults, dt, parts)
        if not chain and any(one.section.of_options for one in wrong):
            raise SimulationRequestError(
                f"faults {request.faults} are about options, and {dt} of {request.symbol} is simulated without",
                hint="Leave these faults out, or ask for ES with --options on; `dt` names the date of a fault.",
            )
        days.append(
            DayPlan(dt, span, messages, contracts, parts, planted, chain, wrong, scenario.label, scenario.script)
        )
    return Plan(request, profile_path(name).stem, profile, asked, tuple(scenarios), tuple(days), faults)


def _default_scenario(request: Request, preset: Preset, profile: str) -> str:
    """The preset's scenario, for the profile and the price mode that it is written for."""
    return preset.scenario if profile in SCRIPT_PROFILES and request.price_mode == "emergent" else ""


def _scenarios(
    asked: Wanted, dates: Sequence[date], every: Sequence[list[Segment]], request: Request, profile: str
) -> list[DayScenario]:
    """What is planted into each date; into Sunday evenings agents only."""
    days = [(dt, _trading_hours(parts)) for dt, parts in zip(dates, every, strict=True) if not is_evening(dt)]
    found = day_scenarios(
        asked,
        [dt for dt, _ in days],
        [span for _, span in days],
        seed=request.seed,
        profile=profile,
        walk=request.price_mode == "walk",
    )
    planned = {dt: scenario for (dt, _), scenario in zip(days, found, strict=True)}
    evening = DayScenario("evening", load_agents(asked.agents))
    return [planned.get(dt, evening) for dt in dates]


def _trading_hours(parts: list[Segment]) -> tuple[int, int]:
    """First and last ns of trading; of the file where nothing trades."""
    trading = [part for part in parts if part.phase == CONTINUOUS] or parts
    return trading[0].start_ns, trading[-1].end_ns


def session_dates(first: date, last: date, symbol: str, *, weekend_files: bool = False) -> tuple[date, ...]:
    """Dates from `first` to `last` on which the exchange has a session and a partition; Sundays too if asked for."""
    found = [dt for dt in partition_dates(first, last) if is_session_date(dt, symbol)]
    if weekend_files:
        found = sorted({*found, *evenings(first, last, symbol)})
    if not found:
        raise SimulationRequestError(f"{symbol} has no session from {first} to {last}", hint="Choose weekdays.")
    return tuple(found)


def _session_before(dt: date, symbol: str) -> date:
    before = previous_session(dt, symbol)
    while before.weekday() > 4:
        before = previous_session(before - timedelta(days=1), symbol)
    return before
