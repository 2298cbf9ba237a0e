"""The reference pages and the OpenAPI entries tell of exactly what there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.routing import Route

from gateway.api.endpoint import Endpoint
from gateway.api.front import FrontedAPI
from gateway.api.guarded_route import GuardedRoute
from gateway.app import create_app
from gateway.errors import GatewayError
from gateway.settings import Settings

DOCS = Path(__file__).parents[3] / "docs" / "reference"


def errors(kind: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from errors(child)


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[Route]:
    app = create_app(Settings.model_validate({"state_dir": tmp_path_factory.mktemp("state")}))
    return [r for r in app.api.routes if isinstance(r, Route) and isinstance(r.endpoint, Endpoint)]


def test_every_error_code_is_documented_with_its_status() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", (DOCS / "errors.md").read_text(), re.MULTILINE)
    documented = {code: int(status) for code, status in rows}
    assert len(documented) == len(rows)
    assert documented == {error.code: error.status for error in errors()}


def test_every_inference_route_is_documented_with_its_scopes(routes: list[Route]) -> None:
    rows = re.findall(r"^\| `(\w+) (/\S+)` \| ([^|]+) \|", (DOCS / "api.md").read_text(), re.MULTILINE)
    documented = {(method, path): set(re.findall(r"`(\w+)`", scopes)) for method, path, scopes in rows}
    served = {(r.endpoint.method, r.path): set(r.endpoint.scopes) for r in routes}  # type: ignore[attr-defined]
    assert documented == served


def test_every_administration_route_is_documented_with_its_scopes(tmp_path: Path) -> None:
    rows = re.findall(r"^\| (\w+) (/admin\S+) \| ([^|]+) \|", (DOCS / "api.md").read_text(), re.MULTILINE)
    documented = {(method, path): set(re.findall(r"`(\w+)`", scopes)) for method, path, scopes in rows}
    app = create_app(Settings.model_validate({"state_dir": tmp_path}))
    served = {
        (method, route.path): set(route.needs)
        for route in app.api.routes
        if isinstance(route, GuardedRoute)
        for method in route.methods or ()
    }
    assert documented == served


def test_every_inference_route_is_in_the_openapi_document(routes: list[Route]) -> None:
    paths = FrontedAPI(routes, title="t", version="1").openapi()["paths"]
    for route in routes:
        assert isinstance(route.endpoint, Endpoint)
        operation = paths[route.path][route.endpoint.method.lower()]
        assert ("security" in operation) == bool(route.endpoint.scopes)
        assert {p["name"] for p in operation["parameters"]} == set(route.param_convertors)
    assert set(paths) == {route.path for route in routes}
