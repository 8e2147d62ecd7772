"""The OpenAPI document, checked against the server by schemathesis."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from remora.gateway.app import ROUTES, operations
from remora.gateway.openapi import document
from tests.gateway.conftest import Endpoint

SERVED = operations(ROUTES)
schema = schemathesis.openapi.from_dict(document(SERVED))


def test_the_document_names_every_route() -> None:
    paths = document(SERVED)["paths"]
    assert {(method, path) for path, item in paths.items() for method in item} == SERVED


def test_the_document_is_served(endpoint: Endpoint) -> None:
    assert endpoint.http.get("/openapi.json").json() == document(SERVED)
    assert endpoint.http.get("/docs").status_code == 404


@schema.parametrize()
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_server_does_what_the_document_says(case: Any, shared: Endpoint) -> None:
    # Left out: a schema can't say "either prompt or messages", or "a path that exists".
    case.call_and_validate(base_url=shared.url, excluded_checks=[positive_data_acceptance])
