"""The wire surface `moves` says what the table says."""

from __future__ import annotations

import pytest

from spymaster_tests.serving.move_states import ALL_STATES, conditions, on_the_wire, states_truth


def test_every_state_is_told() -> None:
    assert [state["state_dn"] for state in states_truth()] == list(range(16))
    assert {state["valid"] for state in states_truth()} == {2}


@pytest.mark.parametrize(("sessions", "valid"), [(0, 0), (1, 2), (20, 1)])
def test_without_a_scale_nothing_is_valid(sessions: int, valid: int) -> None:
    wire = on_the_wire(conditions(sessions))
    assert wire["valid"].tolist() == [valid] * len(ALL_STATES)
