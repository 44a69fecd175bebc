"""Levels close to one another are one group; placebos are shifted copies that keep away from levels."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from spymaster.settings import SetupSettings
from spymaster.setups.level_groups import groups, in_order
from spymaster.setups.level_sources import Level
from spymaster.setups.placebos import placebos, shifts
from spymaster_tests.setups.markets import DT, SPOT, TICK


def a_level(name: str, price: float, begin: int, end: int, number: int = 0) -> Level:
    return Level(DT, name, number, SPOT + round(price * TICK), begin, end, 0, begin, False, False)


class TestGroups:
    def test_levels_two_ticks_apart_are_one_by_the_name_of_the_first(self):
        levels = in_order([a_level("PMH", 0, 0, 90), a_level("ORH5", 2, 10, 90), a_level("PDH", 3, 20, 90)])
        group, tags = groups(levels, ["a", "b", "c"], 2 * TICK)
        assert group == ["a@0", "a@0", "a@0"]  # the third is near the second
        assert tags == [["PMH"], ["PMH", "ORH5"], ["PMH", "PDH", "ORH5"]]

    def test_levels_that_do_not_hold_at_once_are_not(self):
        levels = [a_level("PMH", 0, 0, 10), a_level("ORH5", 0, 10, 20), a_level("PDH", 2.5, 12, 20)]
        assert groups(levels, ["a", "b", "c"], 2 * TICK)[0] == ["a@0", "b@10", "c@12"]

    def test_two_stretches_of_one_level_far_apart_are_two_groups(self):
        levels = [a_level("VWAP", 0, 0, 10), a_level("VWAP", 50, 10, 20), a_level("PDH", 51, 12, 20)]
        group, tags = groups(levels, ["v", "v", "p"], 2 * TICK)
        assert group == ["v@0", "v@10", "v@10"]
        assert tags[2] == ["PDH", "VWAP"]


class TestPlacebos:
    def test_shifts_are_every_one_once_and_depend_on_the_level_alone(self):
        one, two = (shifts(name, SetupSettings()) for name in ("ES:2024-03-06:PMH:0", "ES:2024-03-06:PML:0"))
        assert sorted(one) == [*range(-60, -9), *range(10, 61)]
        assert len(one) == SetupSettings().placebos_per_level == 102
        with pytest.raises(ValidationError, match="there are 102 shifts"):
            SetupSettings(placebos_per_level=103)
        assert sorted(two) == sorted(one)
        assert one.tolist() != two.tolist()
        assert shifts("ES:2024-03-06:PMH:0", SetupSettings(placebos_per_level=7)).tolist() == one[:7].tolist()

    def test_one_near_a_level_does_not_begin_and_one_that_a_level_comes_near_to_ends(self):
        levels = [a_level("PMH", 0, 0, 100), a_level("PDH", 30.5, 0, 50), a_level("SWH", -20, 40, 100)]
        made = placebos(levels, ["a", "b", "c"], TICK, SetupSettings())
        of_first = {int(s): int(t) for r, s, t in zip(made.row, made.shift, made.valid_to, strict=True) if r == 0}
        assert not {27, 30, 34} & of_first.keys()
        assert {26, 35} <= of_first.keys()
        assert {of_first[s] for s in (-16, -20, -24)} == {40}
        assert {of_first[s] for s in (-15, -25, 10)} == {100}
