"""Option flow: weighed by delta, on the side of who gains, at the strike that the definition in force names."""

from __future__ import annotations

import polars as pl
import pytest

from spymaster.surfaces.option_flow import OptionFlow, option_flow
from spymaster_tests.surfaces.frames import in_blocks
from spymaster_tests.surfaces.options import CALL, PUT, definitions_of, quotes_from

POINT = 1_000_000_000
DEFINITIONS = definitions_of([4780.0, 4785.0])


def flow_of(quotes: pl.DataFrame, definitions: pl.DataFrame = DEFINITIONS, rows: int = 1 << 20) -> OptionFlow:
    return option_flow(in_blocks(quotes, rows), definitions, bucket_price_int=POINT)


@pytest.mark.parametrize("rows", [1, 100])
def test_option_flow_weighs_by_delta_and_takes_the_last_one_known(rows: int):
    """Strike 4780, in bucket 4780."""
    flow = flow_of(
        quotes_from(
            (1, CALL, 5, 0, None),  # no delta yet: not counted
            (2, CALL, 0, 0, 0.5),
            (2, PUT, 10, 4, -0.25),
            (3, CALL, 3, 2, None),  # that of second 2
            (4, CALL, 1, 0, 0.75),
            (4, 999, 7, 7, 0.5),  # nobody defined it
        ),
        rows=rows,
    )
    assert flow.since == 10**9
    assert flow.t.tolist() == [2 * 10**9, 3 * 10**9, 4 * 10**9]
    assert flow.bucket.tolist() == [4780, 4780, 4780]
    assert flow.flow.tolist() == [[1.0, 1.5, 0.75], [2.5, 1.0, 0.0]]
    assert flow.counters == {
        "option_volume": 39, "option_volume_without_delta": 5, "option_volume_undefined": 14,
    }  # fmt: skip


def test_the_definition_in_force_says_where_the_strike_is():
    """Another strike is received as second 3 ends, a withdrawal as second 5 does: both are of the second after."""
    versions = pl.concat(
        [
            DEFINITIONS,
            definitions_of([4790.0], known_at_ns=3 * 10**9),
            definitions_of([4790.0], known_at_ns=5 * 10**9).with_columns(is_deleted=True),
        ]
    )
    flow = flow_of(quotes_from(*((second, CALL, 1, 0, 0.5) for second in (2, 3, 4, 5, 6))), versions)
    assert flow.bucket.tolist() == [4780, 4780, 4790, 4790]
    assert flow.counters["option_volume_undefined"] == 1


def test_a_definition_received_as_a_second_ends_is_not_known_in_it():
    flow = flow_of(
        quotes_from(*((second, CALL, 1, 0, 0.5) for second in (2, 3))), definitions_of([4780.0], known_at_ns=2 * 10**9)
    )
    assert flow.t.tolist() == [3 * 10**9]
    assert flow.counters["option_volume_undefined"] == 1


def test_a_session_without_quotes_has_no_options():
    assert flow_of(quotes_from()).since is None
    assert flow_of(quotes_from((3, CALL, 0, 0, 0.5))).since == 3 * 10**9
