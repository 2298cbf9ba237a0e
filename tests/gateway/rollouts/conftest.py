"""A real Triton and a real gateway in front of it, with a model repository that tests publish into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.rollouts.operator import Operator, operator, write_nothing
from tests.support.gateway import running_gateway
from tests.support.triton import RunningTriton, running_triton
from tests.support.versioned_models import publish

# As fast as it goes, so that tests need not wait for what takes its time in production.
QUICK = {"catalog_interval": 0.2, "principals_interval": 0.2, "unload_grace": 1, "require_manifest": True}


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTriton]:
    root = tmp_path_factory.mktemp("rollouts")
    with running_triton(write_nothing(root), root, load=()) as running:
        yield running


@pytest.fixture
def repository(triton: RunningTriton) -> Path:
    return triton.model_repository


@pytest.fixture
def model(request: pytest.FixtureRequest, repository: Path) -> str:
    """A model of the test's own, with versions 1 and 2 published."""
    name: str = request.node.name.removeprefix("test_").partition("[")[0][:60]
    name += str(len(list(repository.iterdir())))
    for version in (1, 2):
        publish(repository, version, name=name)
    return name


@pytest.fixture(scope="module")
def shared(triton: RunningTriton, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    folder = tmp_path_factory.mktemp("gateway")
    with running_gateway(triton, folder, auto_deploy=False, **QUICK) as gateway:
        gateway.wait_ready()
        yield operator(gateway)


@pytest.fixture
def hands(shared: Operator, model: str) -> Operator:
    """Hands on the gateway and the test's own model, version 1 of which is stable."""
    own = shared.other(model=model)
    own.deploy(1)
    return own
