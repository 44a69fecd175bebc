"""The API keeps to its own description: generated requests to every operation, their answers held to the document."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import checks

from spymaster.lake import Lake
from spymaster.serving.app import api, create_app
from spymaster_tests.serving.conftest import HEADERS, settings_for
from spymaster_tests.serving.lakes import DT, SYMBOL

OPERATIONS = [(path, method) for path, operations in api().openapi()["paths"].items() for method in operations]
EXCLUDED = (
    "positive_data_acceptance",  # what a second, a cursor or a list of columns may be depends on the session
    "negative_data_rejection",  # parameters that are not known are passed over
)
ALLOWED = {**HEADERS, "Host": "127.0.0.1"}


@pytest.fixture(scope="module")
def own(served: Lake) -> FastAPI:
    """An application of these tests alone: each request starts and ends it."""
    app = create_app(settings_for(served))
    app.state.services.guard.may_ask = lambda _: True  # the rate has tests of its own
    return app


def ask(app: FastAPI, path: str, method: str, examples: int) -> None:
    """Ask an operation many ways, half of them about a session that is there."""
    own = {*EXCLUDED, "not_a_server_error"} if path == "/readyz" else EXCLUDED  # 503 is what it says when it is busy
    excluded: Any = [one for one in checks.CHECKS.get_all() if one.__name__ in own]
    operation = schemathesis.openapi.from_asgi("/v1/openapi.json", app, headers=ALLOWED)[path][method]

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(case=operation.as_strategy())
    def held(case: schemathesis.Case) -> None:
        case.call_and_validate(excluded_checks=excluded, headers=ALLOWED)
        if "symbol" in case.path_parameters:
            case.path_parameters |= {"symbol": SYMBOL, "dt": str(DT)}
            case.call_and_validate(excluded_checks=excluded, headers=ALLOWED)

    held()


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_answers_keep_to_the_description(own: FastAPI, path: str, method: str) -> None:
    ask(own, path, method, examples=3)


@pytest.mark.slow
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_answers_keep_to_the_description_at_length(own: FastAPI, path: str, method: str) -> None:
    ask(own, path, method, examples=100)
