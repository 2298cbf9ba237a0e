"""Every route declares who may call it, and holds to it (AZ-1, AZ-2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from starlette.routing import Route

from gateway.api.endpoint import Endpoint
from gateway.api.guarded_route import GuardedRoute
from gateway.app import create_app
from gateway.settings import Settings
from gateway.types import SCOPES
from tests.support.gateway import RunningGateway, headers, running_gateway

# The only routes that answer without a key.
OPEN = {("GET", "/openapi.json"), ("GET", "/v2/health/live"), ("GET", "/v2/health/ready")}


@dataclass(frozen=True)
class Declared:
    """A route and the scopes of which its caller needs one."""

    method: str
    path: str
    scopes: tuple[str, ...]

    @property
    def example(self) -> str:
        return re.sub(r"{version(:\w+)?}", "1", re.sub(r"{(model|key_id)(:\w+)?}", "unknown", self.path))


def declared_routes(state_dir: Path) -> Iterator[Declared]:
    """Yield every route of the API; one that declares nothing fails the test."""
    for route in create_app(Settings.model_validate({"state_dir": state_dir})).api.routes:
        assert isinstance(route, Route | GuardedRoute), f"{route} is of a kind nobody guards"
        if isinstance(route, GuardedRoute):
            assert set(route.methods or ()), route.path
            yield from (Declared(method, route.path, route.needs) for method in route.methods or ())
        elif isinstance(route.endpoint, Endpoint):
            yield Declared(route.endpoint.method, route.path, route.endpoint.scopes)
        else:
            methods = set(route.methods or ()) - {"HEAD"}
            assert {(method, route.path) for method in methods} <= OPEN, f"{route.path} declares no scope"
            yield from (Declared(method, route.path, ()) for method in methods)


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[Declared]:
    return list(declared_routes(tmp_path_factory.mktemp("routes")))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with running_gateway(None, tmp_path_factory.mktemp("scopes")) as running:
        yield running


def test_exactly_the_listed_routes_are_open(routes: list[Declared]) -> None:
    assert {(route.method, route.path) for route in routes if not route.scopes} == OPEN
    assert {scope for route in routes for scope in route.scopes} <= set(SCOPES)


def test_without_a_key_only_the_open_routes_answer(routes: list[Declared], gateway: RunningGateway) -> None:
    for route in routes:
        answer = httpx.request(route.method, gateway.base_url + route.example, json={})
        if route.scopes:
            assert answer.status_code == 401, route
            assert answer.json().keys() == {"error", "code", "request_id"}
        else:
            assert answer.status_code in (200, 503), route


@pytest.mark.parametrize("held", SCOPES)
def test_a_key_opens_exactly_the_routes_of_its_scope(
    routes: list[Declared], gateway: RunningGateway, held: str
) -> None:
    key = gateway.create_key([held])
    for route in routes:
        answer = httpx.request(route.method, gateway.base_url + route.example, json={}, headers=headers(key))
        may = not route.scopes or held in route.scopes or held == "admin"
        assert (answer.status_code != 403) is may, (route, answer.status_code)
        assert answer.status_code != 401, route
