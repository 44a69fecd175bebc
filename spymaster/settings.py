"""Settings: what a user may choose, where it is read from, and the errors a wrong choice gives.

Sources, first one wins: keyword arguments, environment `SPYMASTER_*` (nested fields with `__`), `spymaster.toml` in the
working directory, and `spymaster/config/defaults.toml`, which ships with the package and holds every default.

Belongs here: the fields, their ranges, and their sources. Does not belong here: instruments (`spymaster.market`), and
anything that is a property of a table (`spymaster.tables`).
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from spymaster.errors import SpymasterError

DEFAULTS_FILE = Path(__file__).parent / "config" / "defaults.toml"
USER_FILE = Path("spymaster.toml")
LAKE_FILE = "_LAKE.json"
"""File in the root of a lake that says what it may hold."""

LEAST_TOKEN = 16
"""Characters that a token of the sidecar has at least."""

ParameterProfile = Literal["standard", "demo"]


class InvalidSettingsError(SpymasterError):
    """A setting is unknown or out of range; the message names it, its value and where it may come from."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EngineSettings(_Section):
    """The pass over the order book (`spymaster.book`) and the surfaces it emits."""

    window_ns: int = Field(default=1_000_000_000, ge=1_000_000, description="length of a window, ns")
    rest_ns: int = Field(default=500_000_000, ge=0, description="age from which an order counts as resting, ns")
    grid_ticks: int = Field(default=600, ge=20, le=600, description="levels stored on either side of spot, ticks")
    near_ticks: int = Field(default=20, ge=20, le=600, description="levels always stored outside RTH, ticks")
    block_windows: int = Field(default=900, ge=1, description="windows per emitted block")


class CalibrationSettings(_Section):
    """The pool of rows that a session's scores are scaled with."""

    max_sessions: int = Field(default=20, ge=1, description="earlier sessions in the pool")
    max_rel_ticks: int = Field(default=20, ge=1, le=600, description="distance from spot of the pooled rows, ticks")


class BandSettings(_Section):
    """Weights of the physics bands. Those of `ease` and those of the score each add up to 1."""

    ease_vacuum: float = Field(default=0.50, ge=0, le=1)
    ease_erosion: float = Field(default=0.35, ge=0, le=1)
    ease_strength: float = Field(default=0.15, ge=0, le=1)
    score_at: float = Field(default=0.60, ge=0, le=1)
    score_near: float = Field(default=0.40, ge=0, le=1)

    @model_validator(mode="after")
    def _weights_add_up(self) -> BandSettings:
        ease = self.ease_vacuum + self.ease_erosion + self.ease_strength
        score = self.score_at + self.score_near
        if abs(ease - 1) > 1e-9 or abs(score - 1) > 1e-9:
            raise ValueError(f"weights must add up to 1: ease_* add up to {ease:g}, score_* to {score:g}")
        return self


class OptionSettings(_Section):
    """Which options are priced, and how (`spymaster.options`)."""

    max_days: int = Field(default=7, ge=0, le=400, description="expirations this many days ahead, today's included")
    underlying: Literal["front", "all"] = Field(
        default="front", description="options on the selected contract only, or on every future of the root"
    )
    rate: float = Field(default=0.0, ge=-0.1, le=0.5, description="flat interest rate, continuously compounded")
    grid_strikes: int = Field(default=12, ge=1, le=100, description="strikes of the gamma surface on either side")


class PressureSettings(_Section):
    """Who outpaces whom at a price: memory of the flows, and weights of the four components."""

    decay_s: float = Field(default=15.0, gt=0, le=3600, description="time constant of the decayed flows, s")
    weight_book: float = Field(default=1.0, ge=0)
    weight_trade: float = Field(default=1.0, ge=0)
    weight_option: float = Field(default=1.0, ge=0)
    weight_rest: float = Field(default=1.0, ge=0)

    @model_validator(mode="after")
    def _some_weight(self) -> PressureSettings:
        if self.weight_book + self.weight_trade + self.weight_rest <= 0:
            raise ValueError("one of weight_book, weight_trade and weight_rest must be above 0: options may be missing")
        return self


class SetupSettings(_Section):
    """Candles, levels and the conditions of a move (`spymaster.setups`)."""

    off_market_ticks: int = Field(
        default=4, ge=0, description="a print further from the quotes enters no candle, ticks"
    )
    sma_calendar: Literal["globex", "rth"] = Field(
        default="globex", description="candles that the averages are made of"
    )
    pre_market_start: Literal["04:00", "05:00", "18:00"] = Field(
        default="04:00", description="start of the pre-market, New York time; 18:00 is the open of the session"
    )
    round_points: dict[str, float] = Field(
        default={"ES": 25.0, "NQ": 100.0, "CL": 0.5},
        description="smallest step of round prices by root, price units; without one, 100 ticks",
    )
    round_reach_ticks: int = Field(default=600, ge=0, description="round prices this far from the last close, ticks")
    merge_ticks: int = Field(default=2, ge=0, description="levels this close are one group, ticks")
    placebos_per_level: int = Field(
        default=102, ge=0, description="shifted copies of each level, as far as there is room; at most one per shift"
    )
    placebo_min_ticks: int = Field(default=10, ge=1, description="smallest shift of a placebo, ticks")
    placebo_max_ticks: int = Field(default=60, ge=1, description="largest shift of a placebo, ticks")
    placebo_clear_ticks: int = Field(default=4, ge=0, description="a placebo this close to a level is dropped, ticks")
    kappa: float = Field(default=3.0, gt=0, description="sharpness of the soft AND over the four conditions")
    theta: float = Field(default=0.5, description="a condition holds from this z on")
    k_barrier: float = Field(default=1.0, gt=0, description="distance of the barriers of an outcome in usual moves")
    min_barrier_ticks: int = Field(default=4, ge=1, description="smallest distance of such a barrier, ticks")
    scale_min_sessions: int = Field(default=20, ge=1, description="earlier sessions that a scale needs")
    scale_min_sessions_demo: int = Field(default=2, ge=1, description="the same in the demo profile")
    scale_max_sessions: int = Field(default=30, ge=1, description="earlier sessions that a scale takes")

    candidate_every_s: int = Field(
        default=30, ge=1, le=3600, description="seconds between the candidates that vectors are scaled with"
    )

    @model_validator(mode="after")
    def _shifts_in_order(self) -> SetupSettings:
        if self.placebo_max_ticks < self.placebo_min_ticks:
            raise ValueError("placebo_max_ticks is below placebo_min_ticks")
        shifts = 2 * (self.placebo_max_ticks - self.placebo_min_ticks + 1)
        if self.placebos_per_level > shifts:
            raise ValueError(
                f"placebos_per_level is {self.placebos_per_level}, but from {self.placebo_min_ticks} to "
                f"{self.placebo_max_ticks} ticks up and down there are {shifts} shifts"
            )
        if any(step <= 0 for step in self.round_points.values()):
            raise ValueError(f"round_points must be above 0: {self.round_points}")
        return self


class RetrievalSettings(_Section):
    """Similar moments of earlier sessions (`spymaster.research`); `_demo` is for the demo profile."""

    k: int = Field(default=50, ge=1, le=500, description="neighbours of an answer")
    k_demo: int = Field(default=10, ge=1, le=500)
    raw_factor: int = Field(default=20, ge=1, description="nearest rows looked at, times k")
    per_session: int = Field(default=3, ge=1, description="neighbours of one session, at most")
    per_session_demo: int = Field(default=5, ge=1)
    group_minutes: int = Field(default=10, ge=0, description="neighbours at one level are this far apart, minutes")
    min_sessions: int = Field(default=20, ge=1, description="earlier sessions that an answer needs")
    min_sessions_demo: int = Field(default=2, ge=1)
    embargo_sessions: int = Field(default=1, ge=0, description="sessions next to the question's that are left out")
    embargo_sessions_demo: int = Field(default=0, ge=0)
    shrink: float = Field(default=20.0, ge=0, description="weight of the base rate, neighbours")
    novelty_cut: float = Field(default=0.95, gt=0, le=1, description="share of nearer setups beyond which one is novel")
    novelty_least: int = Field(default=200, ge=1, description="setups that novelty is measured against, at least")
    uninformative: float = Field(default=0.02, ge=0, le=1, description="an answer this close to the base rate is none")
    tod_minutes: int = Field(default=90, ge=1, description="reach of the filter by time of day, minutes")
    sigma_ratio: float = Field(default=2.0, gt=1, description="reach of the filter by size of moves, either way")


class OutcomeModelSettings(_Section):
    """Models of the outcome of a setup (`spymaster.research`); `_demo` is for the demo profile."""

    min_sessions: int = Field(default=20, ge=1, description="sessions that a model needs to learn from")
    min_sessions_demo: int = Field(default=2, ge=1)
    min_resolved: int = Field(default=200, ge=1, description="setups that reached a barrier, at least")
    min_resolved_demo: int = Field(default=10, ge=1)
    embargo_sessions: int = Field(default=1, ge=0, description="sessions left out before those that are tested")
    embargo_sessions_demo: int = Field(default=0, ge=0)
    holdout_share: float = Field(default=0.30, ge=0, lt=1, description="last share of the sessions, opened once")
    refit_sessions: int = Field(default=5, ge=1, description="sessions tested with one fit")
    inner_first_share: float = Field(default=0.4, gt=0, lt=1, description="sessions before the first inner fold")
    inner_blocks: int = Field(default=4, ge=1, description="inner folds, at most")
    c_grid: list[float] = Field(default=[0.01, 0.1, 1.0], min_length=1, description="inverse penalties to choose from")
    stack_c: float = Field(default=1.0, gt=0, description="inverse penalty of the stack")
    calibration: Literal["platt", "isotonic"] = Field(
        default="platt", description="map from scores to probabilities; isotonic needs more than 1,000 of either label"
    )
    base_shrink: float = Field(default=20.0, gt=0, description="weight of the wider class in base rates, setups")
    num_leaves: int = Field(default=15, ge=2, description="leaves of a tree")
    min_data_in_leaf: int = Field(default=100, ge=1, description="setups of a leaf, at least")
    min_data_in_leaf_demo: int = Field(default=5, ge=1)
    learning_rate: float = Field(default=0.03, gt=0, le=1, description="share of a tree that is added")
    feature_fraction: float = Field(default=0.6, gt=0, le=1, description="share of the inputs that a tree may use")
    max_bin: int = Field(default=63, ge=2, le=255, description="steps that an input is cut into, at most")
    rounds: int = Field(default=400, ge=1, description="trees, at most")
    rounds_demo: int = Field(default=20, ge=1)
    patience: int = Field(default=40, ge=1, description="trees without a gain after which boosting stops")
    validation_share: float = Field(default=0.20, gt=0, lt=1, description="last training sessions that say when")


class EvaluationSettings(_Section):
    """What the evaluation report is made with (`spymaster.research`); `_demo` is for the demo profile."""

    min_sessions: int = Field(default=30, ge=2, description="sessions from which anything is tried at all")
    min_sessions_demo: int = Field(default=10, ge=2)
    draws: int = Field(default=2_000, ge=10, description="samples of whole sessions that intervals come from")
    permutations: int = Field(default=999, ge=9, description="shuffles of the labels within a session")
    placebo_draws: int = Field(default=200, ge=10, description="draws of neighbours at random")
    leads_s: list[int] = Field(
        default=[0, 5, 10, 30], min_length=1, description="leads of touches that are tried, of those that vectors have"
    )
    open_holdout: bool = Field(
        default=False, description="score the hold-out: once, for the ledger of trials remembers it"
    )


class EvidenceSettings(_Section):
    """The search for automation (`spymaster.evidence`); `_demo` is for the demo profile."""

    seed: int = Field(default=1, ge=0, lt=2**63, description="of all random numbers of the tests")
    surrogates: int = Field(default=199, ge=19, description="surrogates of every test")
    surrogates_demo: int = Field(default=99, ge=19)
    surrogates_second: int = Field(default=1999, ge=99, description="fresh ones where p is small; none in the demo")
    strata_demo: int = Field(default=3, ge=1, description="groups of messages per test in the demo, at most")
    least_share: float = Field(default=0.005, ge=0, lt=1, description="an effect below this share is no evidence")
    least_ratio: float = Field(default=1.1, ge=1, description="nor one below this ratio, where it is a ratio")
    least_messages: int = Field(default=50, ge=0, description="nor one of fewer messages a day")
    holdout_share: float = Field(
        default=0.30, ge=0, le=0.9, description="of each ten weekdays: dates that nothing is looked for on"
    )
    holdout_salt: str = Field(
        default="spymaster 159", description="chooses them, once; a change invalidates all verdicts"
    )
    law_sessions: int = Field(default=30, ge=1, description="earlier sessions that favourite sizes are taken from")
    controls: Literal["none", "sample", "full"] = Field(
        default="sample", description="negative controls: on the busiest hour, or the whole date; none in the demo"
    )


class ServingSettings(_Section):
    """The sidecar (`spymaster.serving`): where it listens, who may ask, and every bound it keeps."""

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8787, ge=0, le=65_535, description="port; 0 picks a free one")
    auth: Literal["token", "none"] = Field(default="token", description="none is honoured on loopback only")
    token: Annotated[SecretStr, Field(min_length=LEAST_TOKEN)] | None = Field(
        default=None, description="at least 16 characters; unset: generated, and kept in the user's state folder"
    )
    allowed_hosts: list[str] = Field(default=[], description="names besides the loopback ones that a request may use")
    allowed_origins: list[str] = Field(default=[], description="origins besides its own that a stream may come from")
    half_ticks: int = Field(default=200, ge=20, le=400, description="drawn levels on either side of spot, ticks")
    ladder_ticks: int = Field(default=40, ge=1, le=200, description="exact levels on either side of spot, ticks")
    cache_bytes: int = Field(default=2 * 1024**3, ge=1024**2, description="memory of loaded market sessions, bytes")
    tile_cache_dir: Path | None = Field(default=None, description="folder that keeps loaded hours; unset: none")
    worker_threads: int = Field(default=4, ge=1, le=64, description="threads that read and encode")
    ring_windows: int = Field(default=1800, ge=1, le=1800, description="windows a stream remembers")
    outbox_messages: int = Field(default=16, ge=2, le=1024, description="messages that may wait for one client")
    outbox_bytes: int = Field(default=4 * 1024**2, ge=65_536, description="bytes that may wait for one client")
    credit_messages: int = Field(default=32, ge=1, le=1024, description="messages a client may leave unacknowledged")
    credit_bytes: int = Field(default=4 * 1024**2, ge=65_536, description="bytes a client may leave unacknowledged")
    stall_timeout_s: float = Field(default=30, gt=0, le=3600, description="patience with a client that reads nothing")
    heartbeat_s: float = Field(default=5, gt=0, le=60, description="silence after which a stream says it lives")
    max_clients: int = Field(default=256, ge=1, le=4096, description="streams at a time")
    max_speed: float = Field(default=100, ge=1, le=1000, description="seconds of the market per second of a replay")
    rescan_s: float = Field(default=5, gt=0, le=3600, description="how often the lake is looked at for changes, s")
    metrics_public: bool = Field(default=False, description="/metrics without the token")
    http_gzip: bool = Field(default=False, description="compress JSON, CSV and Arrow answers, for networks")
    request_log: Path | None = Field(default=None, description="file with a JSON line for each request; unset: none")
    request_log_bytes: int = Field(default=8 * 1024**2, ge=1024, description="size at which a new file is begun, bytes")


class Settings(BaseSettings):
    """Everything a user may choose. `get_settings()` builds it and turns bad values into `InvalidSettingsError`."""

    model_config = SettingsConfigDict(
        env_prefix="SPYMASTER_", env_nested_delimiter="__", extra="forbid", toml_file=[DEFAULTS_FILE, USER_FILE]
    )

    lake_root: str = Field(default="lake", description="root folder of the data lake")
    symbols: Annotated[list[str], NoDecode] = Field(default=["ES", "NQ", "CL"], description="roots to work on")
    start_date: date = Field(default=date(2023, 1, 1), description="first date that has a partition")
    parameter_profile: ParameterProfile | None = Field(
        default=None, description="thresholds: standard or demo; unset, that of the lake"
    )
    instruments_file: Path | None = Field(default=None, description="TOML file that extends the shipped instruments")
    pictures: bool = Field(default=True, description="draw a picture of every partition for the Dagster UI")
    engine: EngineSettings = EngineSettings()
    calibration: CalibrationSettings = CalibrationSettings()
    bands: BandSettings = BandSettings()
    options: OptionSettings = OptionSettings()
    pressure: PressureSettings = PressureSettings()
    setups: SetupSettings = SetupSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    outcome_model: OutcomeModelSettings = OutcomeModelSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    serving: ServingSettings = ServingSettings()

    @field_validator("symbols", mode="before")
    @classmethod
    def _split_symbols(cls, value: Any) -> Any:
        """Accept `ES,NQ` and `["ES","NQ"]` from the environment."""
        if isinstance(value, str):
            text = value.strip()
            return json.loads(text) if text.startswith("[") else [part.strip() for part in text.split(",")]
        return value

    @field_validator("symbols")
    @classmethod
    def _plain_symbols(cls, value: list[str]) -> list[str]:
        bad = [symbol for symbol in value if not symbol.isalnum() or symbol != symbol.upper()]
        if bad or not value:
            raise ValueError(f"symbols are instrument roots in upper case, letters and digits, at least one; got {bad}")
        if len(set(value)) != len(value):
            raise ValueError(f"a symbol is named twice: {value}")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Keyword arguments, then the environment, then `spymaster.toml`, then the shipped defaults."""
        return (
            init_settings,
            env_settings,
            TomlConfigSettingsSource(settings_cls, toml_file=USER_FILE),
            TomlConfigSettingsSource(settings_cls, toml_file=DEFAULTS_FILE),
        )


def _told(fault: Mapping[str, Any]) -> str:
    """The offending value, unless it is a secret: messages end up in logs."""
    return "(not shown)" if "token" in fault["loc"] else repr(fault.get("input"))


def get_settings(**overrides: Any) -> Settings:
    """Read the settings now (nothing is cached: the environment and the working directory may change).

    Raises `InvalidSettingsError` naming each unknown or out-of-range field with its value.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])} = {_told(fault)}: {fault['msg']}"
            for fault in error.errors()
        )
        raise InvalidSettingsError(
            f"invalid settings: {faults}", hint="Set them in spymaster.toml or as SPYMASTER_* environment variables."
        ) from error
    except (SettingsError, tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise InvalidSettingsError(f"settings cannot be read: {error}") from error
