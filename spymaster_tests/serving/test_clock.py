"""The clock of a replay, with a time that the test sets."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spymaster.serving.clock import ReplayClock


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def clock(time: Time) -> ReplayClock:
    return ReplayClock(time, sec=50)


def test_nothing_is_due_before_it_plays(clock: ReplayClock) -> None:
    assert clock.due_count(10) == 0
    assert clock.due(50) == math.inf


def test_the_first_second_is_due_at_once_and_then_one_a_second(clock: ReplayClock, time: Time) -> None:
    clock.play()
    assert clock.due_count(10) == 1
    clock.advance(1)
    assert clock.due_count(10) == 0
    assert clock.due(51) == 1001.0
    time.now += 1.0
    assert clock.due_count(10) == 1


@pytest.mark.parametrize(
    ("speed", "passed", "due"), [(0.25, 4.0, 2), (5.0, 1.0, 6), (100.0, 0.1, 11), ("max", 0.0, 60)]
)
def test_speed_scales_what_is_due(clock: ReplayClock, time: Time, speed, passed: float, due: int) -> None:
    assert clock.set_speed(speed, 100)
    clock.play()
    time.now += passed
    assert clock.due_count(60) == due


def test_deadlines_do_not_drift_with_what_sending_takes(clock: ReplayClock, time: Time) -> None:
    clock.play()
    for _ in range(1000):
        clock.advance(1)
        time.now = clock.due(clock.sec) + 0.003  # every wake-up is late
        assert clock.due_count(10) == 1
    assert clock.due(clock.sec) == pytest.approx(2000.0)


def test_a_pause_is_not_made_up_for(clock: ReplayClock, time: Time) -> None:
    clock.play()
    clock.advance(1)
    clock.pause()
    time.now += 500
    assert clock.due_count(10) == 0
    clock.play()
    assert clock.due_count(10) == 1
    assert clock.sec == 51


def test_being_held_up_is_not_made_up_for(clock: ReplayClock, time: Time) -> None:
    clock.play()
    clock.advance(1)
    clock.throttle()
    assert clock.state == "throttled"
    time.now += 30
    assert clock.due_count(10) == 0
    clock.release()
    assert (clock.state, clock.due_count(10)) == ("playing", 1)


def test_pause_wins_over_being_held_up(clock: ReplayClock) -> None:
    clock.play()
    clock.throttle()
    clock.pause()
    clock.release()
    assert clock.state == "paused"


def test_seeking_keeps_the_clock_running_or_not(clock: ReplayClock, time: Time) -> None:
    clock.seek(900)
    assert (clock.state, clock.sec) == ("paused", 900)
    clock.play()
    time.now += 7
    clock.seek(10)
    assert (clock.state, clock.due_count(99)) == ("playing", 1)
    clock.end()
    assert clock.due_count(99) == 0
    clock.seek(20)
    assert clock.state == "paused"


def test_a_change_of_speed_changes_nothing_that_was_sent(clock: ReplayClock, time: Time) -> None:
    clock.play()
    clock.advance(1)
    time.now += 0.5
    clock.set_speed(10.0, 100)
    assert clock.due_count(99) == 1
    clock.advance(1)
    assert clock.due(52) == pytest.approx(time.now + 0.1)


@pytest.mark.parametrize("speed", [0.0, 0.1, -1.0, 100.5, float("nan"), float("inf")])
def test_speeds_out_of_range_are_refused(clock: ReplayClock, speed: float) -> None:
    assert not clock.set_speed(speed, 100)
    assert clock.speed == 1.0


@given(st.lists(st.tuples(st.sampled_from(["play", "pause", "wait", "send", "fast"]), st.floats(0, 5)), max_size=60))
def test_seconds_never_repeat_or_skip(steps: list[tuple[str, float]]) -> None:
    time = Time()
    clock = ReplayClock(time)
    sent: list[int] = []
    for name, amount in steps:
        match name:
            case "play":
                clock.play()
            case "pause":
                clock.pause()
            case "wait":
                time.now += amount
            case "fast":
                clock.set_speed(0.25 + 10 * amount, 100)
            case _:
                count = clock.due_count(7)
                sent += range(clock.sec, clock.sec + count)
                clock.advance(count)
    assert sent == list(range(len(sent)))
