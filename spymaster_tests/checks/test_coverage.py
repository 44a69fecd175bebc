"""No check of any table is without a violation that fails it."""

from __future__ import annotations

from spymaster.checks import all_checks
from spymaster_tests.checks import (
    test_episodes,
    test_evaluation_checks,
    test_every_check,
    test_evidence_checks,
    test_gex_checks,
    test_intensity_checks,
    test_model_checks,
    test_option_bronze,
    test_option_quotes,
    test_pressure,
    test_retrieval_checks,
)

OF_MODELS = {"contract", "finite", "manifest_true"}
"""One function each, made for every table."""


def test_no_check_is_left_to_nobody():
    modules = (
        test_episodes,
        test_evaluation_checks,
        test_every_check,
        test_evidence_checks,
        test_gex_checks,
        test_intensity_checks,
        test_model_checks,
        test_option_bronze,
        test_option_quotes,
        test_pressure,
        test_retrieval_checks,
    )
    covered = set().union(*(module.SPOILERS for module in modules))
    assert {check.key for check in all_checks() if check.name not in OF_MODELS} <= covered
