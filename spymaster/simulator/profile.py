"""Profiles: the numbers of a market, shipped as `spymaster/config/sim/{name}.toml`; unknown keys are errors.

Each table of a profile carries `status`: `anchor` (measured on real files) or `assumption` (to be refitted).
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from spymaster.simulator.errors import SimulatorConfigError

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]
Range = tuple[int, int, float]
"""First and last outcome, both included, and their probability together."""


class Section(BaseModel):
    """One table of a profile."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    status: Literal["anchor", "assumption"]


class InstrumentSection(Section):
    """Prices of the first day and how activity is spread over first contract, second contract and calendar spread."""

    front_price: Positive
    carry: float
    spread_tick: Positive
    cycle: str
    activity: tuple[Share, Share, Share]


class ActivitySection(Section):
    """Shape of the day, slow and fast clustering."""

    shape: list[tuple[str, float]]
    lump: Share
    ou_seconds: Positive
    ou_spread: Positive
    burst_seconds: Positive
    burst_spread: Positive
    hawkes_half_lives: tuple[Positive, Positive, Positive, Positive]
    hawkes_weights: tuple[Share, Share, Share, Share]
    events_per_message: Share


class SharesSection(Section):
    """Relative frequency of background events; cancels follow from patience."""

    add: Share
    modify: Share
    match: Share


class DistanceSection(Section):
    """Distance of new orders from the best price of their side; what `ranges` leave goes to a power tail."""

    ranges: list[Range]
    tail: Positive
    round_share: Share
    round_ticks: Count


class ModifySection(Section):
    """What modifies do."""

    reprice: Share
    smaller: Share
    larger: Share
    same: Share
    follow: Share


class SizeSection(Section):
    """Sizes; what `ranges` leave goes to a Pareto tail."""

    ranges: list[Range]
    tail: Positive


class PatienceSection(Section):
    """Patience classes drawn at birth: share, half-life in seconds, weight among modified orders."""

    shares: tuple[Share, Share, Share, Share, Share, Share, Share]
    half_lives: tuple[Positive, Positive, Positive, Positive, Positive, Positive, Positive]
    modify_weights: tuple[Share, Share, Share, Share, Share, Share, Share]


class BookSection(Section):
    """The book with which the first day starts."""

    bid_orders: Count
    ask_orders: Count
    bid_reach: Count
    ask_reach: Count
    near_share: Share
    age_days: Positive
    mean_queue: Positive


class PriceSection(Section):
    """What happens after a best queue empties (Huang, Lehalle & Rosenbaum 2015), and the efficient price of `walk`."""

    theta_ref: Share
    theta_reinit: Share
    repair_orders: Count
    retreat: Share
    news_rate: Positive
    foresight: Share
    walk_sigma_60: Positive


class SpecialSection(Section):
    """Shares of the odd things."""

    iceberg: Share
    stop: Share
    limit_aggressor: Share
    exact: Share
    self_match: Share
    unknown_fill: Share
    oversize_fill: Share
    early_add: Share
    implied: Share
    sweep_ticks: Count


class MetaorderSection(Section):
    """Large orders in many children (Lillo, Mike & Farmer 2005): how many work at once, their share and sizes."""

    active: Annotated[int, Field(ge=0, le=16)]
    share: Share
    tail: Positive
    least: Count
    most: Count


class LatencySection(Section):
    """Capture latency in ns by quantile."""

    quantiles: list[Share]
    values: list[Count]

    @model_validator(mode="after")
    def _same_length(self) -> LatencySection:
        if len(self.quantiles) != len(self.values) or sorted(self.quantiles) != self.quantiles:
            raise ValueError("quantiles must ascend and match values")
        return self


class FittedSection(BaseModel):
    """Where the numbers of a fitted profile come from, and the figures of the market that they were fitted to."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    base: Literal["es", "cl"]
    version: Count
    source: list[str]
    dates: list[str]
    messages: Count
    figures: dict[str, tuple[float, float]]
    """Value and standard error by name."""


class Profile(BaseModel):
    """All numbers of a market."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    fitted: FittedSection | None = None
    instrument: InstrumentSection
    activity: ActivitySection
    shares: SharesSection
    add_distance: DistanceSection
    modify: ModifySection
    add_size: SizeSection
    market_size: SizeSection
    patience: PatienceSection
    book: BookSection
    price: PriceSection
    special: SpecialSection
    metaorders: MetaorderSection
    latency: LatencySection

    @property
    def fitted_figures(self) -> dict[str, tuple[float, float]]:
        """Figures measured on the days that the profile was fitted to, with errors; empty for a shipped one."""
        return self.fitted.figures if self.fitted else {}


Model = TypeVar("Model", bound=BaseModel)


def profile_path(name: str) -> Path:
    """File of a shipped profile (`es`, `cl`), or the file that is named (`*.toml`)."""
    return Path(name) if name.endswith(".toml") else Path(str(files("spymaster"))) / "config" / "sim" / f"{name}.toml"


def load_profile(name: str) -> Profile:
    """A shipped profile or one of a file. Raises SimulatorConfigError naming the file, the table and the key."""
    return read_config(profile_path(name), Profile)


def read_config(path: Path, model: type[Model]) -> Model:
    """A TOML file of the simulator as `model`."""
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return model.model_validate(content)
    except OSError as error:
        raise SimulatorConfigError(f"cannot read {path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise SimulatorConfigError(f"{path} is not valid TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SimulatorConfigError(f"{path}: {where}: {first['msg']}") from error
