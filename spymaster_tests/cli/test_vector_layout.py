"""`spymaster tables vector_layout`: which number of a vector stands for what."""

from __future__ import annotations

from spymaster.setups.vector_layout import FAMILIES, layout
from spymaster_tests.cli.conftest import Cli


def test_the_layout_is_printed_number_by_number(cli: Cli):
    told = cli("tables", "vector_layout", "--json").json
    assert set(told) == set(FAMILIES)
    for name, dims in told.items():
        assert [dim["name"] for dim in dims] == list(layout(name).names)
        assert [dim["dim_index"] for dim in dims] == list(range(layout(name).n))
        assert {dim["n"] for dim in dims} == {layout(name).n}
    shown = cli("tables", "vector_layout")
    assert shown.code == 0
    assert "c120: layout L5, 216 numbers of windows of 120 s" in shown.out
    assert "w9_delta.d1.ah_pull_add_log_rest" in shown.out
    assert "bar0.body" in shown.out
