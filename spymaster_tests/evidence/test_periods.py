"""E5 finds senders with a period of their own, and no period in bursts."""

from __future__ import annotations

import numpy as np
import pytest

from spymaster.evidence import periods, spectra
from spymaster.evidence.halves import _of_windows
from spymaster.evidence.nulls import decluster
from spymaster.evidence.result import TestResult
from spymaster.evidence.spectra import PASSES
from spymaster.evidence.strata import Stratum
from spymaster.evidence.streams import Streams
from spymaster.evidence.verdicts import Least
from spymaster.evidence.window_spectra import RedrawnWindow
from spymaster_tests.evidence.markets import MS, START, Market

ADDS = Stratum(kind="add")


def results(market: Market, surrogates: int = 99) -> list[TestResult]:
    return periods.run(market.day(), ADDS, Streams(1, "E5"), surrogates)


def sender(market: Market, hz: float, jitter_ms: float, busy: float = 1.0) -> None:
    """An order every period, with a phase that drifts against the clock's."""
    ticks = np.arange(0, market.seconds, 1 / hz)
    ticks = ticks[ticks % 60 < 60 * busy]
    at = (ticks * 1e9).astype(np.int64) + market.rng.integers(0, max(int(jitter_ms * MS), 1), len(ticks))
    market.place(at, at + 10**9)


@pytest.mark.parametrize("hz", [10.0, 27.03])
def test_a_sender_is_recovered_with_its_frequency(hz: float) -> None:
    market = Market(120, 1).background(orders=40)
    sender(market, hz, 1, busy=0.6)
    best = results(market)[0]
    assert best.p <= 0.01
    assert best.peak_value == pytest.approx(hz, rel=0.005)
    assert best.effect_lo > 0
    assert best.window == (START, START + 120 * 10**9)


def test_a_fast_sender_is_in_the_fast_pass() -> None:
    market = Market(120, 2).background(orders=40)
    sender(market, 70, 0.5, busy=0.5)
    found = {result.sub_id: result for result in results(market, 19)}
    assert found["fast"].notes == ()
    assert found["fast"].peak_value == pytest.approx(70, rel=0.005)
    assert found["slow"].notes == ("outside_band",) or np.isnan(found["slow"].peak_value)


@pytest.mark.parametrize(
    ("hz", "jitter_ms", "resultant", "name"),
    [(10.01, 50, 2 / np.pi, "slow"), (70.0, 0.5, 1.0, "fast")],
    ids=["wide jitter", "fast"],
)
def test_the_effect_is_measured_where_the_power_is(hz: float, jitter_ms: float, resultant: float, name: str) -> None:
    """A jitter of half a period leaves no power at the double. The resultant of directions spread over half a circle
    is 2 / pi.
    """
    market = Market(120, 2).background(orders=5)  # few: declustering leaves the sender's orders alone
    sender(market, hz, jitter_ms)
    day = market.day()
    (found,) = (one for one in periods.run(day, ADDS, Streams(1, "E5"), 39) if one.sub_id == name)
    share = 120 * hz / found.n_ref
    assert found.effect == pytest.approx(share * resultant, rel=0.15)
    assert found.effect_lo < found.effect < found.effect_hi
    assert found.exemplars is not None
    typical = day.messages.ts[found.exemplars.index[found.exemplars.is_typical]]
    assert spectra.resultant(typical, hz) > 0.95


def test_multiples_of_a_slow_sender_are_known_as_such() -> None:
    market = Market(120, 4).background(orders=30)
    sender(market, 10, 0.2)
    found = {result.sub_id: result for result in results(market, 19)}
    assert found["fast"].peak_value == pytest.approx(10, rel=0.005)
    assert (found["slow"].notes, found["fast"].notes) == ((), ("outside_band",))


def test_a_line_that_persists_is_counted() -> None:
    """And tested in its strongest window only."""
    market = Market(360, 3).background(orders=30)
    sender(market, 10, 1)
    (found,) = [result for result in results(market, 19) if result.sub_id == "slow"]
    assert (found.facts["windows_with_line"], found.facts["windows_with_line_first_half"]) == (3, 1)
    assert found.peak_value == pytest.approx(10, rel=0.005)


def test_halves_are_of_the_windows_that_were_tested() -> None:
    """A group that is there in the last third of a date only has two halves as well: by the clock it had one."""
    market = Market(720, 3)
    ticks = np.arange(480 * 10**9, 720 * 10**9, 10**8)
    market.place(ticks + market.rng.integers(0, MS, len(ticks)), ticks + 10**9)
    (found,) = [result for result in results(market, 19) if result.sub_id == "slow"]
    assert (found.facts["windows"], found.facts["windows_with_line"]) == (2, 2)
    assert found.facts["windows_with_line_first_half"] == 1
    assert _of_windows(found).agree


def test_the_least_number_of_messages_is_of_the_date() -> None:
    """Of a few messages a window, in three windows: enough in all, not in one. n_ref is what all of them have."""
    market = Market(360, 3).background(orders=30)
    sender(market, 10, 1)
    (found,) = [result for result in results(market, 19) if result.sub_id == "slow"]
    day = market.day()
    rows = np.flatnonzero(ADDS.among(day.messages, day.messages.qty))
    kept = np.empty(len(rows), np.int64)
    assert found.n_ref == pytest.approx(decluster(day.messages.ts[rows], 10 * MS, kept), abs=3)
    assert found.window is not None
    a_window = found.effect_lo * found.n_ref / 3
    assert Least(0.005, 1.1, round(2 * a_window)).is_passed(found.effect_lo, "share", found.n_ref, found.n_tgt)


def test_surrogates_do_not_run_empty_at_the_ends_of_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events next to the window may be drawn into it, as its own may be drawn out of it."""
    market = Market(360, 7).background(orders=40)
    sender(market, 0.5, 50)
    at_ends: list[int] = []
    window = START + 120 * 10**9

    def count_ends(times: np.ndarray) -> None:
        at_ends.append(int(np.sum(times < window + 2 * 10**9) + np.sum(times >= window + 118 * 10**9)))

    spectrum, events = spectra.spectrum, RedrawnWindow.events

    def of_data(times: np.ndarray, start: int, band: spectra.Pass) -> np.ndarray:
        assert (start, band.name) == (window, "slow")
        count_ends(times)
        return spectrum(times, start, band)

    def of_surrogate(self: RedrawnWindow, number: int) -> np.ndarray:
        found = events(self, number)
        count_ends(found)
        return found

    monkeypatch.setattr(periods, "spectrum", of_data)
    monkeypatch.setattr(RedrawnWindow, "events", of_surrogate)
    day = market.day()
    rows = np.flatnonzero(ADDS.among(day.messages, day.messages.qty))
    hit = periods._Hit(1, 0.5, 30.0, 0.5, 1000)
    periods._tested(day, ADDS, rows, day.messages.ts[rows], PASSES[0], hit, Streams(1, "E5"), 39, {})
    observed, surrogates = at_ends[0], np.mean(at_ends[1:])
    assert len(at_ends) == 40
    assert surrogates == pytest.approx(observed, rel=0.25)


def test_a_second_stage_changes_p_and_nothing_else() -> None:
    """Whether it goes on from a first one or is asked for at once."""
    market = Market(120, 1).background(orders=40)
    sender(market, 10, 1, busy=0.6)
    day = market.day()
    first = periods.run(day, ADDS, Streams(1, "E5"), 39)
    second = periods.run(day, ADDS, Streams(1, "E5"), 39, 99, first)
    at_once = periods.run(day, ADDS, Streams(1, "E5"), 39, 99)
    assert [one.p_raw for one in second] == [one.p_raw for one in at_once]
    small = [(one, other) for one, other in zip(first, second, strict=True) if one.is_small]
    assert small
    for one, other in small:
        assert (other.n_surrogate, other.p_floor, other.p_raw) == (99, 0.01, 0.01)
        assert (one.effect, one.effect_lo, one.window) == (other.effect, other.effect_lo, other.window)


def test_bursts_have_no_period() -> None:
    """Their power at slow frequencies is no line: hardly a window passes the screen, and those have no small p."""
    screened = low = tested = 0
    for seed in range(16):
        passes = results(Market(120, 600 + seed).background(orders=40), 39)
        assert [(one.sub_id, one.facts["windows"]) for one in passes] == [(band.name, 1) for band in PASSES]
        found = [one for one in passes if one.p_raw is not None]
        screened += len(found)
        low += sum(result.p <= 0.05 for result in found)
        tested += len(PASSES)
    assert screened / tested <= 0.1
    assert low / tested <= 0.1


def test_the_whitened_spectrum_of_noise_is_chi_squared() -> None:
    times = np.sort(np.random.default_rng(5).integers(0, 120 * 10**9, 6000))
    values = spectra.spectrum(times, 0, PASSES[0])
    assert np.median(values) == pytest.approx(spectra.CHI2_4_MEDIAN, rel=0.05)
    assert np.mean(values > 9.488) == pytest.approx(0.05, abs=0.02)


def test_what_the_screen_promises() -> None:
    assert spectra.screen_p(9.488, 1) == pytest.approx(0.05, abs=1e-3)
    assert spectra.screen_p(9.488, 100) == pytest.approx(1 - 0.95**100, abs=1e-3)
    assert spectra.screen_p(0.0, 5) == pytest.approx(1.0)
