"""A real Triton and a real gateway in front of it, with a model repository that tests publish into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.rollouts.operator import Operator, operator, write_nothing
from tests.support.gateway import running_gateway
from tests.support.triton import RunningTriton, supervised_triton
from tests.support.versioned_models import publish

# As fast as it goes, so that tests need not wait for what takes its time in production.
QUICK = {"catalog_interval": 0.2, "principals_interval": 0.2, "unload_grace": 1, "require_manifest": True}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test of this folder, which starts many model processes, one more chance.

    Triton 2.51's Python backend stub crashed by itself in one of some thousand starts and took the server
    along; the kernel's log shows the fault inside the stub. A defect of ours fails twice.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=10))


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTriton]:
    # Supervised, and brought back soon: see `pytest_collection_modifyitems`.
    root = tmp_path_factory.mktemp("rollouts")
    options = ["--hang-timeout", "5"]
    with supervised_triton(write_nothing(root), root, load=(), options=options) as running:
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
