"""What a day's arrays leave out, and which messages belong to which stratum."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from spymaster.evidence.arrays import (
    SECOND_NS,
    UNKNOWN_DISTANCE,
    day_arrays,
    distance_codes,
    kind,
    mark_mass,
    size_codes,
)
from spymaster.evidence.errors import EvidenceInputError, StratumError
from spymaster.evidence.strata import MOST_STRATA, Stratum, parse, register, strata_hash, with_enough
from spymaster_tests.evidence.markets import MS, START, Market


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(120, 1).background()


def nothing() -> dict[str, pl.DataFrame]:
    """Messages, lives and quotes of a day without any."""
    empty = {
        "events": "ts_event event_id kind side order_id price_int prev_price_int qty size_after dist_ticks book_valid",
        "lives": "order_id side ts_add ts_end event_id_add event_id_end end_reason known_add size0 price_int_add "
        "dist_add filled_qty max_displayed n_reprice n_size_up n_refill",
        "quotes": "ts_event event_id bid_price_int ask_price_int",
    }
    frames = {name: pl.DataFrame(schema=dict.fromkeys(columns.split(), pl.Int64)) for name, columns in empty.items()}
    words = {"kind": pl.String, "side": pl.String, "end_reason": pl.String}
    return {
        name: frame.cast({k: v for k, v in words.items() if k in frame.columns}).cast(
            {k: pl.Boolean for k in ("book_valid", "known_add") if k in frame.columns}
        )
        for name, frame in frames.items()
    }


def test_sizes_and_distances_have_their_class() -> None:
    assert size_codes(np.array([1, 2, 3, 5, 6, 10, 11, 50, 51, 900])).tolist() == [0, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    dist = np.array([-7, -1, 0, 1, 2, 3, 5, 6, 10, 11, 400, UNKNOWN_DISTANCE])
    assert distance_codes(dist).tolist() == [0, 0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 7]


def test_more_cancels_at_once_than_a_person_sends_are_left_out() -> None:
    times = np.concatenate([np.arange(21) * 2_000, [10 * MS, 10 * MS + 30_000]]).astype(np.int64)
    marked = np.zeros(len(times), np.bool_)
    mark_mass(times, np.arange(len(times)), 20, 50_000, marked)
    assert marked.tolist() == [True] * 21 + [False] * 2
    marked[:] = False
    mark_mass(times[1:], np.arange(1, len(times)), 20, 50_000, marked[1:])
    assert not marked.any()
    one_event = np.zeros(23, np.bool_)
    mark_mass(np.arange(23, dtype=np.int64) * MS, np.zeros(23, np.int64), 20, 50_000, one_event)
    assert one_event.all()


def test_a_mass_cancel_is_counted_and_unusable() -> None:
    market = Market(60, 2).background()
    quiet = market.day()
    at = np.full(30, 30 * SECOND_NS, np.int64)
    many = market.place(at - 5 * SECOND_NS, at + np.arange(30) * 100, size=77).day()
    assert (quiet.n_mass_cancel, many.n_mass_cancel) == (0, 30)
    cancels = (many.messages.kind == kind("cancel")) & (many.messages.qty == 77)
    assert cancels.sum() == 30
    assert not many.messages.usable[cancels].any()
    assert not many.lives.usable[many.lives.size == 77].any()


def test_the_first_minute_after_an_open_and_invalid_seconds_are_left_out(market: Market) -> None:
    day = market.day()
    assert day.messages.usable.all()
    snapshot = pl.DataFrame(
        {
            "window_end": pl.Series(np.arange(1, 121) * SECOND_NS + START).cast(pl.Datetime("ns", "UTC")),
            "phase": ["pre_open"] * 10 + ["continuous"] * 110,
            "window_valid": [True] * 100 + [False] * 20,
        }
    )
    frames = nothing()
    at = pl.Series(np.array([5, 30, 69, 70, 99, 105]) * SECOND_NS + START).cast(pl.Datetime("ns", "UTC"))
    trades = pl.DataFrame({"ts_event": at, "event_id": range(6), "aggressor": ["B"] * 6, "qty": [1] * 6})
    parts = (frames["events"], frames["lives"], trades, frames["quotes"])
    made = day_arrays(*parts, snapshot, tick_size_int=1)
    assert made.trades.usable.tolist() == [False, False, False, True, True, False]
    with pytest.raises(EvidenceInputError, match="no seconds"):
        day_arrays(*parts, snapshot[:0], tick_size_int=1)


def test_seconds_around_scheduled_moments_are_known() -> None:
    """16:00 New York is 21:00 UTC in January."""
    close = START + 6 * 3600 * SECOND_NS
    snapshot = pl.DataFrame(
        {
            "window_end": pl.Series(np.arange(-19, 21) * SECOND_NS + close).cast(pl.Datetime("ns", "UTC")),
            "phase": ["continuous"] * 40,
            "window_valid": [True] * 40,
        }
    )
    frames = nothing()
    trades = pl.DataFrame(schema={"ts_event": pl.Int64, "event_id": pl.Int64, "aggressor": pl.String, "qty": pl.Int32})
    made = day_arrays(frames["events"], frames["lives"], trades, frames["quotes"], snapshot, tick_size_int=1)
    assert made.scheduled.tolist() == [False] * 15 + [True] * 10 + [False] * 15
    assert made.open.all()


def test_segments_are_those_of_new_york(market: Market) -> None:
    assert set(market.day().messages.segment.tolist()) == {1}  # 10:00 is in the opening hour


class TestStrata:
    def test_every_message_is_in_one_stratum_of_a_partition(self, market: Market) -> None:
        messages = market.day().messages
        parts = [Stratum(kind="add", size=size) for size in ("1", "2", "3-5", "6-10", "11-50", "51+")]
        together = sum(part.among(messages, messages.qty).astype(int) for part in parts)
        assert np.array_equal(together, (messages.kind == kind("add")).astype(int))

    def test_an_exact_size_is_a_stratum_of_its_own(self, market: Market) -> None:
        messages = market.day().messages
        chosen = Stratum(kind="add", size="=10").among(messages, messages.qty)
        assert set(messages.qty[chosen].tolist()) == {10}

    def test_the_canonical_form_has_sorted_keys(self) -> None:
        text = Stratum(side="B", kind="add").json()
        assert list(json.loads(text)) == sorted(json.loads(text))
        assert json.loads(text)["size"] == "*"

    def test_unknown_values_are_refused(self) -> None:
        with pytest.raises(StratumError, match="'spoof'"):
            Stratum(kind="spoof")
        with pytest.raises(StratumError, match="mood"):
            parse('[[E1]]\nmood = ["good"]')

    def test_a_register_that_is_too_long_or_repeats_itself_is_refused(self) -> None:
        many = ", ".join(f'"={size}"' for size in range(1, 152))
        with pytest.raises(StratumError, match="151 strata"):
            parse(f"[[E1]]\nsize = [{many}]")
        with pytest.raises(StratumError, match="1 of them different"):
            parse('[[E1]]\nside = ["B"]\n[[E1]]\nside = ["B"]')

    def test_the_shipped_register_keeps_its_rules(self) -> None:
        assert set(register()) >= {"E1", "E2", "E3", "E4"}
        assert all(0 < len(strata) <= MOST_STRATA for strata in register().values())
        assert len(strata_hash()) == 16

    def test_small_strata_are_coarsened_by_distance_then_size(self) -> None:
        fine = [Stratum(kind="add", size="1", distance=one) for one in ("0", "1")]
        counts = {fine[0]: 600, fine[1]: 10, Stratum(kind="add", size="1"): 700}
        assert with_enough(fine, lambda one: counts.get(one, 0)) == [(0, fine[0]), (1, Stratum(kind="add", size="1"))]
        counts[Stratum(kind="add", size="1")] = 10
        assert with_enough(fine[1:], lambda one: counts.get(one, 0)) == []
        counts[Stratum(kind="add")] = 900
        assert with_enough([fine[1], Stratum(kind="add", size="1", distance="2")], lambda one: counts.get(one, 0)) == [
            (0, Stratum(kind="add"))
        ]
