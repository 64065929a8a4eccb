"""The OpenAPI document says what the gateway does: schemathesis reads it and tries what it allows, and more."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from sandbox.sql.app import create_app
from sandbox.sql.openapi import document

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
OPERATIONS = [
    (path, method.upper(), mode)
    for path, operations in document()["paths"].items()
    for method, said in operations.items()
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE
    or any(one["in"] == "query" for one in said["parameters"])  # a path is never wrong
]
GRANTED = {"dataset": "irve", "edition": "open", "resource": "bornes"}


@pytest.mark.parametrize(("path", "method", "mode"), OPERATIONS)
def test_no_request_is_answered_by_a_fault_or_by_what_the_document_does_not_say(gateway, path, method, mode):
    described = schemathesis.openapi.from_url(f"{gateway.url}/openapi.json")
    headers = gateway.headers("ada")

    @given(case=described[path][method].as_strategy(generation_mode=mode))
    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def try_it(case):
        if case.path_parameters and mode is GenerationMode.POSITIVE:
            # What it makes up itself is never there
            case.path_parameters |= {name: GRANTED[name] for name in case.path_parameters if name in GRANTED}
        case.call_and_validate(headers=headers, checks=CHECKS, timeout=60)

    try_it()


def test_the_document_names_every_address_of_the_gateway(gateway):
    assert set(document()["paths"]) == {route.path for route in create_app(gateway.lab).routes}
